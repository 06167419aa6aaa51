//! Semantics 4.5: the table of timers.

use super::places::service_in;
use super::*;
use TimeoutFailureMode as T;

#[test]
fn the_table_of_timers() {
    // State, mode for starts and stops, SendSIGKILL=, what follows at once.
    let rows = [
        ("condition", T::Terminate, true, "stop-sigterm"),
        ("start-pre", T::Terminate, true, "stop-sigterm"),
        ("start", T::Terminate, true, "stop-sigterm"),
        ("start-post", T::Terminate, true, "stop-sigterm"),
        ("start-pre", T::Abort, true, "stop-watchdog"),
        ("start", T::Abort, true, "stop-watchdog"),
        ("start-post", T::Kill, true, "stop-sigkill"),
        ("start", T::Kill, true, "stop-sigkill"),
        ("start", T::Kill, false, "stop-post"),
        ("reload", T::Terminate, true, "running"),
        ("reload-signal", T::Terminate, true, "running"),
        ("reload-notify", T::Terminate, true, "running"),
        ("reload-post", T::Terminate, true, "running"),
        ("stop", T::Terminate, true, "stop-sigterm"),
        ("stop", T::Abort, true, "stop-watchdog"),
        ("stop", T::Kill, true, "stop-sigkill"),
        ("stop", T::Kill, false, "stop-post"),
        ("stop-watchdog", T::Terminate, true, "stop-sigkill"),
        ("stop-watchdog", T::Terminate, false, "stop-post"),
        ("stop-sigterm", T::Terminate, true, "stop-sigkill"),
        ("stop-sigterm", T::Terminate, false, "stop-post"),
        ("stop-sigterm", T::Abort, true, "stop-watchdog"),
        ("stop-sigkill", T::Terminate, true, "stop-post"),
        ("stop-post", T::Terminate, true, "final-sigterm"),
        ("stop-post", T::Abort, true, "final-watchdog"),
        ("stop-post", T::Kill, true, "final-sigkill"),
        ("stop-post", T::Kill, false, "failed"),
        ("final-watchdog", T::Abort, true, "final-sigkill"),
        ("final-watchdog", T::Abort, false, "failed"),
        ("final-sigterm", T::Terminate, true, "final-sigkill"),
        ("final-sigterm", T::Terminate, false, "failed"),
        ("final-sigterm", T::Abort, true, "final-watchdog"),
        ("final-sigkill", T::Terminate, true, "failed"),
        ("auto-restart", T::Terminate, true, "running"),
    ];
    for (state, mode, kills, next) in rows {
        let mut world = service_in(state, |s| {
            s.exec_stop_post = vec![common::build::command("/y")];
            s.timeout_start_failure_mode = mode;
            s.timeout_stop_failure_mode = mode;
            s.kill.send_sigkill = kills;
        });
        expire(&mut world, UNIT);
        if state == "auto-restart" {
            world.settle();
        }
        let label = format!("{state}, {mode:?}, SendSIGKILL={kills}");
        assert_eq!(world.sub(UNIT), next, "{label}");
        let is_timeout = result(&world, UNIT) == "timeout";
        let expected = !matches!(next, "running") && state != "stop-watchdog";
        assert_eq!(is_timeout, expected, "{label}: {}", result(&world, UNIT));
    }
}

/// What was left of a reload that took too long is killed, and its job has failed.
#[test]
fn a_reload_that_takes_too_long_fails_and_the_service_runs() {
    let mut world = service_in("reload", |_| {});
    let job = world.engine.jobs()[0].id;
    expire(&mut world, UNIT);
    assert!(signals(&world).contains(&(KillWhom::Control, 9)));
    let failed = Action::JobDone {
        job,
        unit: world.id(UNIT),
        kind: JobKind::Reload,
        result: JobResult::Failed,
    };
    assert!(world.trace.contains(&failed));
}

#[test]
fn a_run_that_takes_too_long_is_stopped_with_its_commands() {
    let mut world = service_in("running", |s| {
        s.runtime_max = Usec::from_secs(5);
        s.exec_stop = vec![common::build::command("/x")];
    });
    expire(&mut world, UNIT);
    assert_eq!(
        (world.sub(UNIT).as_str(), result(&world, UNIT).as_str()),
        ("stop", "timeout")
    );
    world.settle();
    assert_eq!(world.sub(UNIT), "failed");
}

/// Semantics 4.5: after a final SIGKILL that had no effect another run may follow, without one none.
#[test]
fn another_run_follows_only_a_sigkill() {
    for (state, kills, next) in [
        ("final-sigkill", true, "auto-restart"),
        ("final-sigterm", false, "failed"),
    ] {
        let mut world = service_in("running", |s| {
            s.restart = RestartPolicy::Always;
            s.kill.send_sigkill = kills;
            s.exec_stop_post = vec![common::build::command("/y")];
        });
        world.stuck.insert((UNIT.to_owned(), ExecList::StopPost));
        world.exit_main(UNIT, ExitStatus::Exited(1));
        world.stubborn.insert(UNIT.to_owned());
        expire(&mut world, UNIT);
        assert_eq!(world.sub(UNIT), "final-sigterm");
        if state == "final-sigkill" {
            expire(&mut world, UNIT);
            assert_eq!(world.sub(UNIT), "final-sigkill");
            world.pending.clear();
        }
        expire(&mut world, UNIT);
        assert_eq!(world.sub(UNIT), next);
    }
}

/// Semantics 4.5: 0 is no limit.
#[test]
fn no_limit_is_no_timer() {
    let world = service_in("start", |s| s.timeout_start = Usec::INFINITY);
    assert!(world.timers.is_empty());
    let world = service_in("stop-sigterm", |s| s.timeout_stop = Usec::ZERO);
    assert!(world.timers.is_empty());
}
