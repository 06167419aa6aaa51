//! How to come to each state of semantics 4.1.

use super::common::build::{command, notify, oneshot, service};
use super::*;
use ExecList as L;

/// A process of the unit that nobody started, which a signal that can be ignored does not end.
fn leave_something(world: &mut World) {
    world.stubborn.insert(UNIT.to_owned());
    world
        .processes
        .insert(ProcId::found(77), (UNIT.to_owned(), L::Start));
}

/// `a.service`, with these settings changed, in this state.
pub(super) fn service_in(state: &str, change: impl FnOnce(&mut ServiceSection)) -> World {
    let kind = match state {
        "start" | "reload-notify" => notify(UNIT),
        "reload-signal" => notify(UNIT).service(|s| s.service_type = ServiceType::NotifyReload),
        _ => service(UNIT),
    };
    let unit = kind.service(|s| {
        s.timeout_start = Usec::from_secs(30);
        s.timeout_stop = Usec::from_secs(20);
        match state {
            "condition" => s.exec_condition = vec![command("/c")],
            "start-pre" => s.exec_start_pre = vec![command("/p")],
            "start-post" => s.exec_start_post = vec![command("/q")],
            "reload" => s.exec_reload = vec![command("/r")],
            "reload-post" => {
                s.exec_reload = vec![command("/r")];
                s.exec_reload_post = vec![command("/rp")];
            }
            "exited" => s.remain_after_exit = true,
            "stop" => s.exec_stop = vec![command("/x")],
            "stop-watchdog" => s.watchdog = Usec::from_secs(1),
            "stop-post" | "final-watchdog" | "final-sigterm" | "final-sigkill" => {
                s.exec_stop_post = vec![command("/y")];
            }
            "auto-restart" | "auto-restart-queued" => s.restart = RestartPolicy::Always,
            _ => {}
        }
        change(s);
    });
    let unit = if state == "auto-restart-queued" {
        unit.requires(&["first.service"]).after(&["first.service"])
    } else {
        unit
    };
    let mut world = World::new(vec![unit.done(), oneshot("first.service").done()]);
    come_to(&mut world, state);
    assert_eq!(world.sub(UNIT), state);
    world
}

fn come_to(world: &mut World, state: &str) {
    let stuck = match state {
        "condition" => Some(L::Condition),
        "start-pre" => Some(L::StartPre),
        "start-post" => Some(L::StartPost),
        "reload" => Some(L::Reload),
        "reload-post" => Some(L::ReloadPost),
        "stop" => Some(L::Stop),
        "stop-post" | "final-watchdog" | "final-sigterm" | "final-sigkill" => Some(L::StopPost),
        _ => None,
    };
    world.stuck.extend(stuck.map(|list| (UNIT.to_owned(), list)));
    if matches!(
        state,
        "stop-sigterm" | "stop-sigkill" | "stop-watchdog" | "reload-signal"
    ) {
        world.stubborn.insert(UNIT.to_owned());
    }
    if state == "start" {
        world.hold.insert(UNIT.to_owned());
    }
    if state == "dead" {
        return;
    }
    world.start(UNIT);
    match state {
        "exited" => world.exit_main(UNIT, ExitStatus::Exited(0)),
        "failed" | "auto-restart" => world.exit_main(UNIT, ExitStatus::Exited(1)),
        "auto-restart-queued" => {
            world.hold.insert("first.service".to_owned());
            world.exit_main(UNIT, ExitStatus::Exited(1));
            world.advance(Usec::from_millis(100));
        }
        "reload" | "reload-signal" | "reload-post" => {
            world.request(JobKind::Reload, UNIT, JobMode::Replace);
        }
        "reload-notify" => {
            let message = Notification {
                reloading: true,
                ..Notification::default()
            };
            says(world, message);
        }
        "stop" | "stop-sigterm" | "stop-post" => {
            world.stop(UNIT);
        }
        "stop-sigkill" => {
            world.stop(UNIT);
            expire(world, UNIT);
            // SIGKILL has no effect on them.
            world.pending.clear();
        }
        "stop-watchdog" => world.advance(Usec::from_secs(1)),
        "final-watchdog" | "final-sigterm" | "final-sigkill" => {
            world.stop(UNIT);
            leave_something(world);
            if state == "final-watchdog" {
                expire(world, UNIT);
                return;
            }
            let post = *world
                .processes
                .iter()
                .find(|(_, (_, list))| *list == L::StopPost)
                .unwrap()
                .0;
            world.end(post, ExitStatus::Exited(0));
            world.settle();
            if state == "final-sigkill" {
                expire(world, UNIT);
                world.pending.clear();
            }
        }
        _ => {}
    }
}

/// Semantics 4.1: ActiveState by SubState.
#[test]
fn the_table_of_states() {
    let rows = [
        ("dead", "inactive"),
        ("condition", "activating"),
        ("start-pre", "activating"),
        ("start", "activating"),
        ("start-post", "activating"),
        ("running", "active"),
        ("exited", "active"),
        ("reload", "reloading"),
        ("reload-signal", "reloading"),
        ("reload-notify", "reloading"),
        ("reload-post", "reloading"),
        ("stop", "deactivating"),
        ("stop-watchdog", "deactivating"),
        ("stop-sigterm", "deactivating"),
        ("stop-sigkill", "deactivating"),
        ("stop-post", "deactivating"),
        ("final-watchdog", "deactivating"),
        ("final-sigterm", "deactivating"),
        ("final-sigkill", "deactivating"),
        ("failed", "failed"),
        ("auto-restart", "activating"),
        ("auto-restart-queued", "activating"),
    ];
    for (sub, active) in rows {
        let world = service_in(sub, |s| {
            if sub == "final-watchdog" {
                s.timeout_stop_failure_mode = TimeoutFailureMode::Abort;
            }
        });
        assert_eq!(world.active(UNIT).word(), active, "{sub}");
    }
}
