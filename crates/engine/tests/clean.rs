//! Removing what services leave behind, against semantics 3.8, 4.1, 4.5 and 8.2.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test program a panic is how a failure shows"
)]

mod common;

use common::World;
use common::build::{oneshot, service, target};
use softboot_engine::*;
use softboot_unit::*;

const UNIT: &str = "a.service";

fn with_directories(section: &mut ServiceSection) {
    let entry = |name: &str| ExecDirectory {
        name: name.to_owned(),
        symlink: None,
        read_only: false,
    };
    section.exec.state_directory.entries.push(entry("a"));
    section.exec.cache_directory.entries.push(entry("a"));
    section.timeout_clean = Usec::from_secs(5);
}

fn world() -> World {
    World::new(vec![
        service(UNIT).service(with_directories).done(),
        service("b.service").done(),
        oneshot("after.service").done(),
        target("t.target").done(),
    ])
}

/// The request of somebody who wants it.
fn clean(world: &mut World, unit: &str, what: &[Cleanable]) -> RequestId {
    let request = RequestId(1_000 + world.trace.len() as u64);
    world.feed(Event::Clean {
        request,
        unit: common::name(unit),
        what: what.to_vec(),
    });
    request
}

/// What the process was told to remove.
fn removed(world: &World) -> Vec<Vec<Cleanable>> {
    let spawns = world.trace.iter().filter_map(|action| match action {
        Action::Spawn(spawn) if spawn.command.list == ExecList::Clean => Some(spawn.clean.clone()),
        _ => None,
    });
    spawns.collect()
}

fn stuck(world: &mut World) {
    world.stuck.insert((UNIT.to_owned(), ExecList::Clean));
    world.stubborn.insert(UNIT.to_owned());
}

#[test]
fn a_process_removes_what_there_is_of_what_was_asked_for() {
    let mut world = world();
    let request = clean(&mut world, UNIT, &Cleanable::ALL);
    assert_eq!(world.done[&request], Ok(JobResult::Done));
    assert_eq!(removed(&world), [[Cleanable::State, Cleanable::Cache]]);
    assert_eq!(world.sub(UNIT), "dead");
    assert_eq!(world.status(UNIT).clean_result.as_deref(), Some("success"));
    let released = |action: &Action| matches!(action, Action::Release { .. });
    assert!(world.trace.iter().any(released), "its cgroup goes");
}

#[test]
fn it_is_in_maintenance_meanwhile_and_a_start_waits() {
    let mut world = world();
    stuck(&mut world);
    let request = clean(&mut world, UNIT, &[Cleanable::State]);
    assert_eq!(
        (world.sub(UNIT).as_str(), world.active(UNIT)),
        ("cleaning", ActiveState::Maintenance)
    );
    let again = clean(&mut world, UNIT, &[Cleanable::State]);
    assert!(!world.done.contains_key(&request));
    let start = world.queue_request(JobKind::Start, UNIT, JobMode::Replace);
    world.settle();
    assert_eq!(world.sub(UNIT), "cleaning");
    world.reexec();
    assert_eq!(world.sub(UNIT), "cleaning");
    assert!(
        matches!(world.done[&again], Err(RequestError::UnitBusy(_))),
        "one at a time"
    );
    world.advance(Usec::from_secs(5));
    assert_eq!(world.done[&request], Ok(JobResult::Timeout));
    assert_eq!(world.done[&start], Ok(JobResult::Done));
    assert_eq!(world.sub(UNIT), "running");
}

#[test]
fn a_stop_ends_it() {
    let mut world = world();
    stuck(&mut world);
    let request = clean(&mut world, UNIT, &[Cleanable::State]);
    world.stop(UNIT);
    assert_eq!(world.done[&request], Ok(JobResult::Canceled));
    assert_eq!(world.sub(UNIT), "dead", "the service itself has not failed");
}

#[test]
fn a_failure_is_told_and_is_none_of_the_service() {
    let mut world = World::new(vec![
        service(UNIT)
            .service(with_directories)
            .service(|section| section.success_exit_codes.push(1))
            .dep(DependencyKind::OnSuccess, "after.service")
            .dep(DependencyKind::OnFailure, "after.service")
            .done(),
        oneshot("after.service").done(),
    ]);
    world.failing.insert((UNIT.to_owned(), ExecList::Clean));
    let request = clean(&mut world, UNIT, &[Cleanable::State]);
    assert_eq!(world.done[&request], Ok(JobResult::Failed));
    assert_eq!(world.sub(UNIT), "dead");
    let status = world.status(UNIT);
    assert_eq!(status.result.as_deref(), Some("success"));
    assert_eq!(status.clean_result.as_deref(), Some("exit-code"));
    assert!(
        world.starts.is_empty(),
        "neither OnSuccess= nor OnFailure= is meant"
    );
}

#[test]
fn only_what_is_down_and_has_no_job_is_cleaned() {
    let mut world = world();
    let busy = |outcome: &Result<JobResult, RequestError>| matches!(outcome, Err(RequestError::UnitBusy(_)));
    world.start(UNIT);
    let request = clean(&mut world, UNIT, &Cleanable::ALL);
    assert!(busy(&world.done[&request]), "{:?}", world.done[&request]);
    world.stop(UNIT);
    world.crash.insert("b.service".to_owned(), 1);
    world.start("b.service");
    assert_eq!(world.active("b.service"), ActiveState::Failed);
    let request = clean(&mut world, "b.service", &[Cleanable::Fdstore]);
    assert!(busy(&world.done[&request]), "failed is not inactive");
    assert!(removed(&world).is_empty());
}

#[test]
fn what_has_nothing_to_clean_says_so() {
    let mut world = world();
    for (unit, what) in [
        ("t.target", &Cleanable::ALL[..]),
        ("b.service", &[Cleanable::State]),
        (UNIT, &[Cleanable::Logs, Cleanable::Runtime]),
    ] {
        let request = clean(&mut world, unit, what);
        let outcome = &world.done[&request];
        assert!(
            matches!(outcome, Err(RequestError::InvalidArgument(_))),
            "{unit}: {outcome:?}"
        );
    }
    // The store is looked after at once, and nothing has to run for it.
    let request = clean(&mut world, "b.service", &Cleanable::USUAL);
    assert_eq!(world.done[&request], Ok(JobResult::Done));
    assert!(removed(&world).is_empty());
}

#[test]
fn a_soft_reboot_by_force_ends_it() {
    let mut world = world();
    stuck(&mut world);
    let request = clean(&mut world, UNIT, &[Cleanable::State]);
    world.feed(Event::Signal(ManagerSignal::Shutdown(
        EmergencyAction::SoftRebootForce,
    )));
    assert_eq!(world.sub(UNIT), "dead");
    assert!(world.done.contains_key(&request));
}
