//! Type=forking against semantics 4.2 to 4.4.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test program a panic is how a failure shows"
)]

mod common;

use common::World;
use common::build::{Builder, command, service};
use softboot_engine::*;
use softboot_unit::*;

fn forking(unit: &str) -> Builder {
    service(unit).service(|s| s.service_type = ServiceType::Forking)
}

fn with_pid_file(unit: &str) -> World {
    let mut world = World::new(vec![
        forking(unit)
            .service(|s| {
                s.pid_file = Some("/run/x.pid".to_owned());
                s.exec_reload = vec![command("/bin/reload")];
            })
            .done(),
    ]);
    world.pid_files.insert(unit.to_owned());
    world
}

#[test]
fn a_daemon_is_started_when_its_command_has_ended_and_its_main_process_is_known() {
    let mut world = with_pid_file("a.service");
    world.hold.insert("a.service".to_owned());
    assert_eq!(world.start("a.service"), None, "no PID file, no end of the job");
    assert_eq!(world.sub("a.service"), "start");
    world.write_pid_file("a.service");
    assert_eq!(world.sub("a.service"), "running");
    assert!(world.status("a.service").main_pid.is_some());
    assert!(world.engine.jobs().is_empty());
}

#[test]
fn the_wait_for_a_pid_file_survives_a_re_exec_and_ends_with_the_timeout() {
    let mut world = with_pid_file("a.service");
    world.hold.insert("a.service".to_owned());
    world.start("a.service");
    let looks = |world: &World| {
        world
            .trace
            .iter()
            .filter(|action| matches!(action, Action::FindMain { .. }))
            .count()
    };
    let before = looks(&world);
    world.reexec();
    world.settle();
    assert_eq!(looks(&world), before + 1, "the new program watches for it, too");
    world.advance(Usec::from_secs(90));
    assert_eq!(world.sub("a.service"), "failed");
    assert_eq!(world.status("a.service").result.as_deref(), Some("timeout"));
}

#[test]
fn an_empty_cgroup_without_a_pid_file_is_a_broken_promise() {
    let mut world = with_pid_file("a.service");
    world.hold.insert("a.service".to_owned());
    world.start("a.service");
    world.exit_main("a.service", ExitStatus::Exited(0));
    assert_eq!(world.status("a.service").result.as_deref(), Some("protocol"));
}

#[test]
fn without_a_main_process_the_service_lives_as_long_as_its_cgroup() {
    let mut world = World::new(vec![forking("a.service").done()]);
    world.hold.insert("a.service".to_owned());
    assert_eq!(world.start("a.service"), Some(Ok(JobResult::Done)));
    assert_eq!(world.sub("a.service"), "running");
    assert_eq!(world.status("a.service").main_pid, None);
    world.exit_main("a.service", ExitStatus::Exited(0));
    assert_eq!(world.sub("a.service"), "dead");
}

#[test]
fn a_start_command_that_fails_fails_the_service() {
    let mut world = World::new(vec![forking("a.service").done()]);
    world.crash.insert("a.service".to_owned(), 3);
    assert_eq!(world.start("a.service"), Some(Ok(JobResult::Failed)));
    assert_eq!(world.status("a.service").result.as_deref(), Some("exit-code"));
}

#[test]
fn the_pid_file_is_read_again_after_a_reload() {
    let mut world = with_pid_file("a.service");
    world.start("a.service");
    let before = world.trace.len();
    world.request(JobKind::Reload, "a.service", JobMode::Replace);
    let after = &world.trace[before..];
    assert!(
        after
            .iter()
            .any(|action| matches!(action, Action::FindMain { .. }))
    );
    assert_eq!(world.sub("a.service"), "running");
}

#[test]
fn the_death_of_a_known_main_process_ends_the_service() {
    let mut world = with_pid_file("a.service");
    world.start("a.service");
    world.exit_main("a.service", ExitStatus::Signaled(9));
    assert_eq!(world.sub("a.service"), "failed");
}
