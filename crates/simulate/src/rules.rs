//! What must hold after every step.

use std::collections::{BTreeMap, BTreeSet};

use softboot_engine::{ActiveState, Engine, JobId, JobInfo, JobKind, Resume, Table, UnitId};
use softboot_unit::{Definition, DependencyKind as D, UnitName};

use crate::world::World;

/// At most one job a unit, nops aside.
pub fn one_job_a_unit(engine: &Engine) -> Option<String> {
    let mut seen = BTreeSet::new();
    let jobs = engine.jobs();
    let twice = jobs
        .iter()
        .find(|job| job.kind != JobKind::Nop && !seen.insert(job.unit));
    twice.map(|job| format!("{:?} has two jobs: {jobs:?}", engine.name(job.unit)))
}

/// A job that began in this step had nobody to wait for whose job was there before and is there still (semantics 2.6).
pub fn order(before: &BTreeMap<JobId, JobInfo>, engine: &Engine) -> Option<String> {
    let jobs = engine.jobs();
    let goes_down = |kind| matches!(kind, JobKind::Stop | JobKind::Restart);
    let begun = jobs.iter().filter(|job| {
        job.running
            && before
                .get(&job.id)
                .is_some_and(|old| !old.running && old.kind == job.kind)
    });
    for job in begun {
        let unchanged = |other: &&JobInfo| {
            other.id != job.id
                && other.kind != JobKind::Nop
                && before.get(&other.id).is_some_and(|old| old.kind == other.kind)
        };
        for other in jobs.iter().filter(unchanged) {
            let first = (is_after(engine, job.unit, other.unit) && !goes_down(job.kind))
                || (is_after(engine, other.unit, job.unit) && goes_down(other.kind));
            if first {
                return Some(format!("{job:?} began before {other:?} was over"));
            }
        }
    }
    None
}

fn is_after(engine: &Engine, later: UnitId, earlier: UnitId) -> bool {
    let says = |unit: UnitId, kind: D, on: UnitId| {
        let name = engine.name(on);
        engine.definition(unit).is_some_and(|definition| {
            let mut list = definition.unit.dependencies.iter();
            list.any(|dependency| dependency.kind == kind && Some(&dependency.on) == name)
        })
    };
    says(later, D::After, earlier) || says(earlier, D::Before, later)
}

/// What is saved comes back as it was, also into a table that was made before, by name or by place.
pub fn save_and_restore(world: &World) -> Option<String> {
    let saved = world.engine.save();
    let now = world.clocks();
    let (again, _) = Engine::restore(saved.clone(), world.definitions(), now, Resume::Reexec);
    let (table, newer) = (Table::new(world.scene().to_vec()), world.instances().collect());
    let (beside, _) = Engine::restore_beside(world.engine.save_beside_definitions(), table, newer, now);
    let first = serde_json::to_string(&saved).ok()?;
    let written = world.engine.definitions().into_iter();
    let written = written.map(|(_, one)| Definition::clone(&one)).collect();
    let table = Table::of_related(written, &world.engine.related());
    let (by_place, _) =
        Engine::restore_beside(world.engine.save_beside_definitions(), table, Vec::new(), now);
    let partners = |engine: &Engine| -> BTreeMap<UnitName, Vec<(String, Vec<UnitName>)>> {
        let of = |unit| Some((engine.name(unit)?.clone(), engine.dependencies(unit)));
        engine.ids().filter_map(of).collect()
    };
    let (live, back) = (partners(&world.engine), partners(&by_place));
    if live != back {
        return Some(format!(
            "partners {live:?}, and after a restore by place {back:?}"
        ));
    }
    [again, beside, by_place].into_iter().find_map(|again| {
        let second = serde_json::to_string(&again.save()).ok()?;
        (first != second).then(|| format!("saved {first}, and after a restore {second}"))
    })
}

/// Services that are down have no main process, and those that run have one (semantics 4.1).
pub fn processes(world: &World) -> Option<String> {
    for unit in world.engine.ids() {
        let Some(status) = world.engine.status(unit) else {
            continue;
        };
        let alive = world
            .engine
            .processes()
            .iter()
            .any(|(_, owner, main)| *owner == unit && *main);
        if status.sub == "running" && status.main_pid.is_some() && !alive {
            return Some(format!("{} runs without a main process", status.name));
        }
        if status.active == ActiveState::Inactive && alive {
            return Some(format!(
                "{} is {} and has a main process",
                status.name, status.sub
            ));
        }
    }
    None
}
