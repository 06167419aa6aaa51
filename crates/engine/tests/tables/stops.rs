//! Semantics 4.5: a stop job in each state.

use super::places::service_in;
use super::*;

#[test]
fn a_stop_in_each_state() {
    // The state, what a stop makes of it at once, and whether ExecStop= is run.
    let rows = [
        ("condition", "stop-sigterm", false),
        ("start-pre", "stop-sigterm", false),
        ("start", "stop-sigterm", false),
        ("start-post", "stop-sigterm", false),
        ("running", "stop", true),
        ("exited", "stop", true),
        ("reload", "stop-sigterm", false),
        ("reload-signal", "stop-sigterm", false),
        ("reload-notify", "stop-sigterm", false),
        ("reload-post", "stop-sigterm", false),
        ("stop-watchdog", "stop-sigterm", false),
        ("stop-sigterm", "stop-sigterm", true),
        ("stop-sigkill", "stop-sigkill", true),
        ("stop-post", "stop-post", true),
        ("final-sigterm", "final-sigterm", true),
        ("final-sigkill", "final-sigkill", true),
        ("auto-restart", "dead", false),
        ("auto-restart-queued", "dead", false),
    ];
    for (state, next, runs) in rows {
        let mut world = service_in(state, |s| {
            s.exec_stop = vec![common::build::command("/x")];
        });
        world.queue_request(JobKind::Stop, UNIT, JobMode::Replace);
        assert_eq!(world.sub(UNIT), next, "{state}");
        // Those that stop by a job already ran it then.
        let ran = lists(&world).contains(&ExecList::Stop);
        assert_eq!(ran, runs, "{state}");
    }
}

#[test]
fn no_run_follows_a_stop() {
    for state in ["start", "running", "reload", "stop-watchdog", "auto-restart"] {
        let mut world = service_in(state, |s| s.restart = RestartPolicy::Always);
        world.stop(UNIT);
        world.advance(Usec::from_secs(200));
        assert!(world.active(UNIT).is_inactive_ish(), "{state}");
        assert_eq!(world.starts.len(), 1, "{state}");
    }
}
