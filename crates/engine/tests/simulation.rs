//! Random units, random requests, random order of answers. Every run can be repeated by its seed.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test program a panic is how a failure shows"
)]

mod common;

use std::collections::BTreeMap;

use common::build::{notify, oneshot, service, target};
use common::{Random, World};
use softboot_engine::*;
use softboot_unit::{Definition, DependencyKind, JobMode, RestartPolicy, Usec};

const SEEDS: u64 = 150;
const UNITS: usize = 12;

fn unit_name(index: usize) -> String {
    format!(
        "u{index}.{}",
        if index.is_multiple_of(4) {
            "target"
        } else {
            "service"
        }
    )
}

/// Orders only lead from higher to lower numbers, so that there is no circle.
fn definitions(random: &mut Random) -> Vec<Definition> {
    (0..UNITS)
        .map(|index| {
            let text = unit_name(index);
            let mut builder = match index % 4 {
                0 => target(&text),
                1 => service(&text),
                2 => oneshot(&text).service(|s| s.remain_after_exit = true),
                _ => notify(&text).service(|s| {
                    s.exec_stop_post = vec![common::build::command("/bin/post")];
                    s.restart = RestartPolicy::OnFailure;
                }),
            };
            for other in 0..index {
                if random.chance(25) {
                    builder = builder.after(&[&unit_name(other)]);
                }
                let kind = match random.below(14) {
                    0 => DependencyKind::Requires,
                    1 => DependencyKind::Wants,
                    2 => DependencyKind::Conflicts,
                    3 => DependencyKind::BindsTo,
                    4 => DependencyKind::PartOf,
                    _ => continue,
                };
                builder = builder.dep(kind, &unit_name(other));
            }
            builder.unit(|u| u.job_timeout = Usec::from_secs(600)).done()
        })
        .collect()
}

fn play(seed: u64, reexec_always: bool) -> World {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut world = World::new(definitions(&mut random));
    world.random = Some(Random(seed | 1 << 40));
    world.reexec_always = reexec_always;
    for _ in 0..40 {
        let unit = unit_name(random.below(UNITS));
        let kind = [
            JobKind::Start,
            JobKind::Start,
            JobKind::Stop,
            JobKind::Restart,
            JobKind::TryRestart,
        ];
        let mode = [
            JobMode::Replace,
            JobMode::Fail,
            JobMode::Lenient,
            JobMode::Flush,
            JobMode::IgnoreRequirements,
        ];
        let (kind, mode) = (kind[random.below(5)], mode[random.below(5)]);
        world.queue_request(kind, &unit, mode);
        match random.below(6) {
            0 => {
                let alive: Vec<ProcId> = world.processes.keys().copied().collect();
                if let Some(process) = alive.get(random.below(alive.len())) {
                    world.end(*process, ExitStatus::Exited(random.below(2) as i32));
                }
            }
            1 => world.advance(Usec::from_secs(1)),
            2 => {
                world.stubborn.insert(unit);
            }
            _ => {}
        }
        for _ in 0..random.below(8) {
            if let Some(event) = world.take_pending() {
                world.step(event);
            }
        }
    }
    world.settle();
    world.advance(Usec::from_secs(2000));
    world
}

#[test]
fn every_job_and_every_request_ends() {
    for seed in 0..SEEDS {
        let world = play(seed, false);
        assert!(
            world.engine.jobs().is_empty(),
            "seed {seed}: {:?}",
            world.engine.jobs()
        );
        assert!(
            world.done.len() == 40,
            "seed {seed}: {} of 40 requests were answered",
            world.done.len()
        );
    }
}

#[test]
fn what_is_down_has_no_process_and_what_runs_has_one() {
    for seed in 0..SEEDS {
        let world = play(seed, false);
        for index in 0..UNITS {
            let text = unit_name(index);
            let status = world.status(&text);
            let main = world.processes.values().any(|(owner, _)| *owner == text);
            if status.active.is_inactive_ish() {
                assert!(!main, "seed {seed}: {text} is {} and has a process", status.sub);
            }
            if status.sub == "running" {
                assert!(main, "seed {seed}: {text} runs without a process");
            }
        }
    }
}

/// Over the whole trace: a start job of a unit ends only after those it is ordered after (semantics 2.6).
#[test]
fn a_boot_keeps_the_order() {
    for seed in 0..SEEDS {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let list = definitions(&mut random);
        let mut world = World::new(list.clone());
        world.random = Some(Random(seed | 1 << 40));
        world.request(JobKind::Start, &unit_name(UNITS - 1), JobMode::Replace);
        let mut started: BTreeMap<String, usize> = BTreeMap::new();
        let mut spawned: BTreeMap<String, usize> = BTreeMap::new();
        let first: BTreeMap<JobId, UnitId> = world
            .trace
            .iter()
            .filter_map(|action| match action {
                Action::JobNew {
                    job,
                    unit,
                    kind: JobKind::Start,
                } => Some((*job, *unit)),
                _ => None,
            })
            .collect();
        for (place, action) in world.trace.iter().enumerate() {
            match action {
                Action::JobDone {
                    job,
                    unit,
                    kind: JobKind::Start,
                    ..
                } if first.contains_key(job) => {
                    started
                        .entry(world.engine.name(*unit).unwrap().to_string())
                        .or_insert(place);
                }
                Action::Spawn(spawn) => {
                    spawned
                        .entry(world.engine.name(spawn.unit).unwrap().to_string())
                        .or_insert(place);
                }
                _ => {}
            }
        }
        for definition in &list {
            let Some(spawn) = spawned.get(&definition.name.to_string()) else {
                continue;
            };
            let orders = definition
                .unit
                .dependencies
                .iter()
                .filter(|d| d.kind == DependencyKind::After);
            for before in orders {
                if let Some(end) = started.get(&before.on.to_string()) {
                    assert!(
                        end < spawn,
                        "seed {seed}: {} began before {} was up",
                        definition.name,
                        before.on
                    );
                }
            }
        }
    }
}

/// A re-exec after each step changes nothing that follows.
#[test]
fn a_reexec_at_every_boundary_changes_nothing() {
    for seed in 0..40 {
        let plain = play(seed, false);
        let reexeced = play(seed, true);
        let essence = |world: &World| -> Vec<Action> {
            let keep = |action: &&Action| {
                !matches!(
                    action,
                    Action::ArmTimer { .. } | Action::CancelTimer(_) | Action::PollSockets { .. }
                )
            };
            world.trace.iter().filter(keep).cloned().collect()
        };
        let (a, b) = (essence(&plain), essence(&reexeced));
        for (place, (a, b)) in a.iter().zip(&b).enumerate() {
            assert_eq!(a, b, "seed {seed}: action {place} differs");
        }
        assert_eq!(a.len(), b.len(), "seed {seed}");
        assert_eq!(plain.timers, reexeced.timers, "seed {seed}");
    }
}

#[test]
fn the_same_seed_gives_the_same_actions() {
    for seed in 0..20 {
        assert_eq!(play(seed, false).trace, play(seed, false).trace, "seed {seed}");
    }
}

/// Ten thousand units that start and stop together. The point is that it ends soon: anything quadratic does not.
#[test]
fn ten_thousand_units_come_up_and_go_down() {
    let mut list: Vec<Definition> = (0..10_000)
        .map(|index| service(&format!("s{index}.service")).stops_at_shutdown().done())
        .collect();
    list.push(target("shutdown.target").done());
    let names: Vec<String> = (0..10_000).map(|index| format!("s{index}.service")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    list.push(target("all.target").wants(&names).after(&names).done());
    let mut world = World::new(list);
    let request = world.queue_request(JobKind::Start, "all.target", JobMode::Replace);
    // The fake kernel looks through all processes; only the engine is of interest here.
    let mut answers: Vec<Event> = world.pending.drain(..).map(|(_, event)| event).collect();
    while let Some(event) = answers.pop() {
        world.step(event);
        answers.extend(world.pending.drain(..).map(|(_, event)| event));
    }
    assert_eq!(world.done.get(&request), Some(&Ok(JobResult::Done)));
    world.queue_request(JobKind::Start, "shutdown.target", JobMode::Replace);
    let stopping = world.engine.jobs().len();
    assert_eq!(stopping, 10_001);
}
