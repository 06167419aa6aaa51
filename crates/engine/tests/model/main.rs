//! Transactions of random units, jobs and states against a small, slow model (semantics 2.4).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test program a panic is how a failure shows"
)]

#[path = "../common/mod.rs"]
mod common;
mod reference;

use std::collections::{BTreeMap, BTreeSet};

use common::build::{command, oneshot};
use common::{World, name};
use proptest::prelude::*;
use reference::Facts;
use softboot_engine::*;
use softboot_unit::{Definition, DependencyKind as D, JobMode, LoadState};

const UNITS: usize = 8;

const RELATIONS: [D; 10] = [
    D::Requires,
    D::BindsTo,
    D::Wants,
    D::Upholds,
    D::Requisite,
    D::Conflicts,
    D::PartOf,
    D::Before,
    D::After,
    D::Requires,
];

const MODES: [JobMode; 9] = [
    JobMode::Replace,
    JobMode::Fail,
    JobMode::Lenient,
    JobMode::ReplaceIrreversibly,
    JobMode::Flush,
    JobMode::Isolate,
    JobMode::IgnoreDependencies,
    JobMode::IgnoreRequirements,
    JobMode::RestartDependencies,
];

const KINDS: [JobKind; 5] = [
    JobKind::Start,
    JobKind::Stop,
    JobKind::Restart,
    JobKind::Reload,
    JobKind::VerifyActive,
];

fn text(unit: usize) -> String {
    format!("u{unit}.service")
}

fn unit(index: usize) -> common::build::Builder {
    oneshot(&text(index))
        .service(|s| {
            s.remain_after_exit = true;
            s.exec_reload = vec![command("/bin/reload")];
            s.exec_stop = vec![command("/bin/stop")];
        })
        .unit(|u| u.allow_isolate = true)
}

/// Brings a unit into one of ten states, while no unit has a dependency.
fn bring(world: &mut World, unit: usize, state: usize) {
    let text = text(unit);
    world.stuck.insert((text.clone(), ExecList::Stop));
    world.stuck.insert((text.clone(), ExecList::Reload));
    let mode = if state >= 7 {
        JobMode::ReplaceIrreversibly
    } else {
        JobMode::Replace
    };
    if matches!(state, 2 | 6 | 7) {
        world.hold.insert(text.clone());
    }
    if state > 0 {
        let mode = if matches!(state, 2 | 7) {
            mode
        } else {
            JobMode::Replace
        };
        world.request(JobKind::Start, &text, mode);
    }
    match state {
        3 | 8 => drop(world.request(JobKind::Stop, &text, mode)),
        4 => drop(world.request(JobKind::Reload, &text, mode)),
        5 | 9 => drop(world.request(JobKind::Restart, &text, mode)),
        6 => {
            let unit = world.id(&text);
            let job = world.engine.jobs().into_iter().find(|job| job.unit == unit);
            world.feed(Event::Cancel(job.map(|job| job.id)));
        }
        _ => {}
    }
}

fn prepare(dependencies: &BTreeSet<(usize, D, usize)>, states: &[usize]) -> (World, Facts) {
    let mut world = World::new((0..UNITS).map(|index| unit(index).done()).collect());
    let mut missing = BTreeSet::new();
    for (index, state) in states.iter().enumerate() {
        if *state == 10 {
            missing.insert(index);
        } else {
            bring(&mut world, index, *state);
        }
    }
    let definitions: Vec<Definition> = (0..UNITS)
        .map(|index| {
            let of = dependencies.iter().filter(|(a, _, _)| *a == index);
            let builder = of.fold(unit(index), |builder, (_, kind, b)| builder.dep(*kind, &text(*b)));
            let mut definition = builder.done();
            if missing.contains(&index) {
                definition.load = LoadState::NotFound;
            }
            definition
        })
        .collect();
    let now = world.clocks();
    world.engine.step(now, Event::Loaded(definitions));
    let ids: Vec<UnitId> = (0..UNITS).map(|index| world.id(&text(index))).collect();
    let jobs = world.engine.jobs();
    let facts = Facts {
        dependencies: dependencies.clone(),
        missing,
        active: (0..UNITS).map(|index| world.active(&text(index))).collect(),
        installed: ids
            .iter()
            .map(|id| jobs.iter().find(|job| job.unit == *id))
            .map(|job| job.map(|job| (job.kind, job.irreversible)))
            .collect(),
    };
    (world, facts)
}

fn error_word(error: &RequestError) -> String {
    let value = serde_json::to_value(error).unwrap();
    value["error"].as_str().unwrap().to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_chooses_what_the_model_chooses(
        dependencies in prop::collection::btree_set(
            (0..UNITS, prop::sample::select(RELATIONS.to_vec()), 0..UNITS),
            0..20,
        ),
        states in prop::collection::vec(0_usize..=10, UNITS),
        kind in prop::sample::select(KINDS.to_vec()),
        mode in prop::sample::select(MODES.to_vec()),
        target in 0..UNITS,
    ) {
        let kind = if matches!(mode, JobMode::Isolate | JobMode::RestartDependencies) {
            JobKind::Start
        } else {
            kind
        };
        let dependencies = dependencies.into_iter().filter(|(a, _, b)| a != b).collect();
        let (mut world, facts) = prepare(&dependencies, &states);
        let expected = reference::transaction(&facts, (target, kind), mode).map_err(str::to_owned);
        let plan = world.engine.plan(kind, &name(&text(target)), mode);
        let found: Result<BTreeMap<usize, JobKind>, String> = match &plan {
            Ok(plan) => {
                let index = |job: &PlannedJob| job.unit.as_str()[1..2].parse().unwrap();
                Ok(plan.jobs.iter().map(|job| (index(job), job.job)).collect())
            }
            Err(refusal) => Err(error_word(&refusal.error)),
        };
        prop_assert_eq!(&found, &expected, "{:?}", facts);
        // What is really done is what was announced.
        let before: BTreeSet<JobId> = world.engine.jobs().iter().map(|job| job.id).collect();
        let request = RequestId(1 << 40);
        let event = Event::Request { request, kind, unit: name(&text(target)), mode, manual: true };
        let actions = world.engine.step(world.clocks(), event);
        let refused = actions.iter().any(|action| {
            matches!(action, Action::RequestDone { request: other, outcome: Err(_) } if *other == request)
        });
        prop_assert_eq!(refused, plan.is_err());
        if let Ok(plan) = plan {
            // What comes after that follows from the new jobs (semantics 2.9), and may be a job of the same kind again.
            let queued = |action: &Action| {
                matches!(action, Action::RequestQueued { request: other, .. } if *other == request)
            };
            let own = &actions[..=actions.iter().position(queued).unwrap()];
            for job in &plan.jobs {
                let unit = world.id(job.unit.as_str());
                let new = own.iter().any(|action| {
                    matches!(action, Action::JobNew { unit: other, kind, .. } if *other == unit && *kind == job.job)
                });
                prop_assert_eq!(new, job.joins.is_none(), "{:?}", job);
            }
            for job in &plan.cancelled {
                prop_assert!(before.contains(&job.id));
                let over = actions.iter().any(|action| {
                    matches!(action, Action::JobDone { job: other, result: JobResult::Canceled, .. } if *other == job.id)
                });
                prop_assert!(over, "{:?}", job);
            }
        }
    }
}
