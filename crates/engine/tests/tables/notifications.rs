//! Semantics 3.2 and 3.4: who may say what, and what it does in each state.

use super::common::build::{command, notify, service};
use super::places::service_in;
use super::*;

fn ready() -> Notification {
    Notification {
        ready: true,
        ..Notification::default()
    }
}

fn stopping() -> Notification {
    Notification {
        stopping: true,
        ..Notification::default()
    }
}

fn reloading(monotonic: Option<Usec>) -> Notification {
    Notification {
        reloading: true,
        monotonic,
        ..Notification::default()
    }
}

#[test]
fn who_may_notify() {
    use NotifyAccess as A;
    let rows = [
        (A::None, [false, false, false]),
        (A::Main, [true, false, false]),
        (A::Exec, [true, true, false]),
        (A::All, [true, true, true]),
    ];
    for (access, allowed) in rows {
        for (sender, allowed) in [Sender::Main, Sender::Control, Sender::Other]
            .into_iter()
            .zip(allowed)
        {
            let mut world = service_in("start", |s| s.notify_access = access);
            let unit = world.id(UNIT);
            let message = ready();
            world.feed(Event::Notify {
                unit,
                sender,
                message,
            });
            assert_eq!(world.sub(UNIT) == "running", allowed, "{access:?}, {sender:?}");
        }
    }
}

#[test]
fn what_it_says_of_its_access_holds_for_this_run() {
    let mut world = service_in("running", |s| s.notify_access = NotifyAccess::All);
    let message = Notification {
        access: Some(NotifyAccess::None),
        ..Notification::default()
    };
    says(&mut world, message);
    let unit = world.id(UNIT);
    assert_eq!(world.engine.notify_access(unit), Some(NotifyAccess::None));
    world.stop(UNIT);
    assert_eq!(world.engine.notify_access(unit), Some(NotifyAccess::All));
}

/// Semantics 3.2: who is told where the socket is.
#[test]
fn which_processes_get_the_socket() {
    use NotifyAccess as A;
    for (access, main, control) in [
        (A::None, false, false),
        (A::Main, true, false),
        (A::Exec, true, true),
        (A::All, true, true),
    ] {
        let world = service_in("running", |s| {
            s.notify_access = access;
            s.exec_start_pre = vec![command("/p")];
        });
        let told: Vec<bool> = world
            .trace
            .iter()
            .filter_map(|action| match action {
                Action::Spawn(spawn) => Some(spawn.notify_socket),
                _ => None,
            })
            .collect();
        assert_eq!(told, [control, main], "{access:?}");
    }
}

#[test]
fn stopping_in_each_state() {
    // What follows at once, and when the command or the signal of that state is over.
    let rows = [
        ("start", "start"),
        ("start-post", "start-post"),
        ("running", "stop-sigterm"),
        ("reload", "reload"),
        ("reload-signal", "stop-sigterm"),
        ("reload-notify", "stop-sigterm"),
        ("reload-post", "reload-post"),
        ("stop", "stop"),
        ("stop-post", "stop-post"),
    ];
    for (state, next) in rows {
        let mut world = service_in(state, |s| s.notify_access = NotifyAccess::Main);
        let before = signals(&world).len();
        says(&mut world, stopping());
        assert_eq!(world.sub(UNIT), next, "{state}");
        if next != "stop-sigterm" {
            continue;
        }
        assert_eq!(
            signals(&world).len(),
            before,
            "{state}: it stops by itself, without a signal"
        );
        assert!(!world.timers.is_empty(), "{state}: within TimeoutStopSec=");
        says(&mut world, ready());
        assert_eq!(world.sub(UNIT), "stop-sigterm", "{state}: it said its last word");
    }
    for state in ["start-post", "reload", "reload-post"] {
        let mut world = service_in(state, |s| s.notify_access = NotifyAccess::Main);
        says(&mut world, stopping());
        let control = world
            .processes
            .iter()
            .find(|(_, (_, list))| *list != ExecList::Start);
        let control = *control.unwrap().0;
        world.end(control, ExitStatus::Exited(0));
        world.stuck.clear();
        world.settle();
        assert_eq!(
            world.sub(UNIT),
            "stop-sigterm",
            "{state}: noticed when its command is over"
        );
    }
}

#[test]
fn ready_and_reloading_during_a_reload_by_signal() {
    let begin = |world: &World| Usec(world.now);
    let both = |at: Usec| Notification {
        ready: true,
        ..reloading(Some(at))
    };
    for (what, next) in [
        ("ready", "reload-signal"),
        ("reloading", "reload-signal"),
        ("reloading, too old", "reload-signal"),
        ("reloading, new", "reload-notify"),
        ("both, new", "running"),
        ("both, too old", "reload-signal"),
    ] {
        let mut world = service_in("reload-signal", |_| {});
        let now = begin(&world);
        let old = Usec(now.0 - 1);
        let message = match what {
            "ready" => ready(),
            "reloading" => reloading(None),
            "reloading, too old" => reloading(Some(old)),
            "reloading, new" => reloading(Some(now)),
            "both, new" => both(now),
            _ => both(old),
        };
        says(&mut world, message);
        assert_eq!(world.sub(UNIT), next, "{what}");
        let over = next == "running";
        assert_eq!(world.engine.jobs().is_empty(), over, "{what}");
        if next == "reload-notify" {
            says(&mut world, ready());
            assert_eq!(world.sub(UNIT), "running", "{what}, then ready");
        }
    }
}

/// While ExecReload= runs, only what follows a RELOADING=1 is about this reload: a READY=1 that is late is not.
#[test]
fn a_ready_without_reloading_does_not_end_a_reload_that_runs_its_commands() {
    for (messages, next) in [
        (vec![], "reload-signal"),
        (vec![ready()], "reload-signal"),
        (vec![reloading(None)], "reload-notify"),
        (vec![reloading(None), ready()], "running"),
    ] {
        let unit = notify(UNIT).service(|s| {
            s.service_type = ServiceType::NotifyReload;
            s.exec_reload = vec![command("/r")];
        });
        let mut world = World::new(vec![unit.done()]);
        world.start(UNIT);
        says(&mut world, ready());
        world.stuck.insert((UNIT.to_owned(), ExecList::Reload));
        world.stubborn.insert(UNIT.to_owned());
        world.request(JobKind::Reload, UNIT, JobMode::Replace);
        assert_eq!(world.sub(UNIT), "reload");
        let label = format!("{messages:?}");
        for message in messages {
            says(&mut world, message);
            assert_eq!(world.sub(UNIT), "reload", "{label}");
        }
        let mut processes = world.processes.iter();
        let command = processes.find(|(_, (_, list))| *list == ExecList::Reload);
        let command = *command.unwrap().0;
        world.end(command, ExitStatus::Exited(0));
        world.settle();
        assert_eq!(world.sub(UNIT), next, "{label}");
    }
}

#[test]
fn a_reload_that_nobody_asked_for_reaches_others() {
    let other = service("b.service").service(|s| s.exec_reload = vec![command("/r")]);
    let own = service(UNIT)
        .service(|s| s.notify_access = NotifyAccess::Main)
        .dep(DependencyKind::PropagatesReloadTo, "b.service");
    let mut world = World::new(vec![own.done(), other.done()]);
    world.start(UNIT);
    world.start("b.service");
    says(&mut world, reloading(None));
    assert_eq!(world.sub(UNIT), "reload-notify");
    assert!(
        lists(&world).contains(&ExecList::Reload),
        "b.service was reloaded, too"
    );
    says(&mut world, ready());
    assert_eq!(world.sub(UNIT), "running");
}

#[test]
fn a_status_text_is_kept_and_an_empty_one_clears_it() {
    let mut world = service_in("running", |s| s.notify_access = NotifyAccess::Main);
    for (text, shown) in [("busy", Some("busy")), ("", None)] {
        let message = Notification {
            status: Some(text.to_owned()),
            ..Notification::default()
        };
        says(&mut world, message);
        assert_eq!(world.status(UNIT).status_text.as_deref(), shown);
    }
}

#[test]
fn a_limit_is_extended_and_never_cut() {
    // State, what is added from now on, seconds after which the limit is over.
    let rows = [
        ("start", 40, 40),
        ("start", 10, 30),
        ("start", 0, 30),
        ("stop-sigterm", 50, 50),
        ("reload-notify", 60, 60),
    ];
    for (state, more, until) in rows {
        let mut world = service_in(state, |s| s.notify_access = NotifyAccess::Main);
        let message = Notification {
            extend_timeout: Some(Usec::from_secs(more)),
            ..Notification::default()
        };
        says(&mut world, message);
        let at = *world.timers.values().next().unwrap();
        assert_eq!(
            at,
            Usec(world.now).plus(Usec::from_secs(until)),
            "{state} and {more} s"
        );
    }
}

#[test]
fn the_watchdog_is_fed_extended_changed_and_let_off() {
    let world = || {
        service_in("running", |s| {
            s.notify_access = NotifyAccess::Main;
            s.watchdog = Usec::from_secs(10);
        })
    };
    let bites_after = |message: Notification| {
        let mut world = world();
        world.stubborn.insert(UNIT.to_owned());
        world.advance(Usec::from_secs(5));
        says(&mut world, message);
        let mut seconds = 0;
        while world.sub(UNIT) == "running" && seconds < 60 {
            world.advance(Usec::from_secs(1));
            seconds += 1;
        }
        seconds
    };
    let none = Notification::default;
    assert_eq!(bites_after(none()), 5);
    assert_eq!(
        bites_after(Notification {
            watchdog: true,
            ..none()
        }),
        10
    );
    assert_eq!(
        bites_after(Notification {
            watchdog_trigger: true,
            ..none()
        }),
        0
    );
    let interval = |seconds| Notification {
        watchdog_interval: Some(Usec::from_secs(seconds)),
        ..none()
    };
    assert_eq!(bites_after(interval(20)), 20);
    assert_eq!(bites_after(interval(0)), 60, "0 lets it off");
    let extended = |seconds| Notification {
        extend_timeout: Some(Usec::from_secs(seconds)),
        ..none()
    };
    assert_eq!(bites_after(extended(30)), 30);
    assert_eq!(bites_after(extended(1)), 5, "never earlier");
}

/// RESTART_RESET=1 counts while it runs or stops, not while it starts.
#[test]
fn the_count_of_restarts_is_forgotten_on_demand() {
    for (state, count) in [("start", 1), ("running", 0), ("stop", 0)] {
        let mut world = World::new(vec![
            common::build::notify(UNIT)
                .service(|s| {
                    s.restart = RestartPolicy::Always;
                    s.exec_stop = vec![command("/x")];
                })
                .done(),
        ]);
        world.start(UNIT);
        world.exit_main(UNIT, ExitStatus::Exited(1));
        world.hold.insert(UNIT.to_owned());
        world.stuck.insert((UNIT.to_owned(), ExecList::Stop));
        world.advance(Usec::from_millis(100));
        assert_eq!(world.status(UNIT).restarts, 1);
        if state != "start" {
            says(&mut world, ready());
        }
        if state == "stop" {
            world.stop(UNIT);
        }
        assert_eq!(world.sub(UNIT), state);
        let message = Notification {
            restart_reset: true,
            ..Notification::default()
        };
        says(&mut world, message);
        assert_eq!(world.status(UNIT).restarts, count, "{state}");
    }
}

#[test]
fn in_which_states_another_process_becomes_main() {
    for (state, taken) in [
        ("dead", false),
        ("condition", false),
        ("start-pre", false),
        ("start", true),
        ("start-post", true),
        ("running", true),
        ("reload", true),
        ("reload-signal", true),
        ("reload-notify", true),
        ("stop", true),
        ("stop-sigterm", true),
        ("stop-sigkill", false),
        ("stop-post", false),
        ("final-sigterm", false),
        ("auto-restart", false),
    ] {
        let mut world = service_in(state, |_| {});
        let unit = world.id(UNIT);
        let process = ProcId::found(99);
        world.step(Event::MainAdopted {
            unit,
            process,
            pid: 4711,
        });
        assert_eq!(world.status(UNIT).main_pid == Some(4711), taken, "{state}");
    }
}
