//! Semantics 4.2 to 4.4: what the end of a process means.

use super::common::build::{Builder, command, notify, oneshot, service};
use super::places::service_in;
use super::*;

#[test]
fn exec_condition_by_its_exit_status() {
    use ExitStatus::{Exited, Signaled};
    // How it ends, whether it has "-", whether the service runs then; else its state and result.
    let rows = [
        (Exited(0), false, true, "active", "success"),
        (Exited(1), false, false, "inactive", "exec-condition"),
        (Exited(254), false, false, "inactive", "exec-condition"),
        (Exited(255), false, false, "failed", "exit-code"),
        (Signaled(9), false, false, "failed", "signal"),
        (Exited(1), true, true, "active", "success"),
        (Exited(255), true, true, "active", "success"),
    ];
    for (status, ignored, runs, active, found) in rows {
        let mut world = service_in("condition", |s| {
            s.exec_condition[0].ignore_failure = ignored;
        });
        world.exit_main_or_control(UNIT, status);
        let label = format!("{status:?}, ignored: {ignored}");
        assert_eq!(!world.starts.is_empty(), runs, "{label}");
        assert_eq!(
            (world.active(UNIT).word(), result(&world, UNIT).as_str()),
            (active, found),
            "{label}"
        );
        let done = world.trace.iter().find_map(|action| match action {
            Action::JobDone { result, .. } => Some(*result),
            _ => None,
        });
        let failed = active == "failed";
        assert_eq!(
            done,
            Some(if failed {
                JobResult::Failed
            } else {
                JobResult::Done
            }),
            "{label}"
        );
    }
}

#[test]
fn a_failure_before_running_skips_exec_stop_and_runs_exec_stop_post() {
    use ExecList as L;
    for list in [L::Condition, L::StartPre, L::StartPost] {
        let mut world = World::new(vec![
            service(UNIT)
                .service(|s| {
                    for commands in [
                        &mut s.exec_condition,
                        &mut s.exec_start_pre,
                        &mut s.exec_start_post,
                    ] {
                        *commands = vec![command("/x")];
                    }
                    s.exec_stop = vec![command("/x")];
                    s.exec_stop_post = vec![command("/y")];
                })
                .done(),
        ]);
        world.stuck.insert((UNIT.to_owned(), list));
        world.start(UNIT);
        let control = world.processes.iter().find(|(_, (_, other))| *other == list);
        let control = *control.unwrap().0;
        world.end(control, ExitStatus::Exited(255));
        world.settle();
        assert_eq!(
            (world.sub(UNIT).as_str(), result(&world, UNIT).as_str()),
            ("failed", "exit-code")
        );
        let ran = lists(&world);
        assert!(
            !ran.contains(&L::Stop) && ran.contains(&L::StopPost),
            "{list:?}: {ran:?}"
        );
    }
}

#[test]
fn which_ends_are_clean() {
    use ExitStatus::{Dumped, Exited, Signaled};
    // How it ends, and the results of a daemon and of a oneshot.
    let rows = [
        (Exited(0), "success", "success"),
        (Exited(1), "exit-code", "exit-code"),
        (Exited(3), "success", "success"),
        (Signaled(1), "success", "signal"),
        (Signaled(2), "success", "signal"),
        (Signaled(15), "success", "signal"),
        (Signaled(13), "success", "signal"),
        (Signaled(9), "signal", "signal"),
        (Signaled(12), "success", "success"),
        (Dumped(11), "core-dump", "core-dump"),
        (Dumped(15), "core-dump", "core-dump"),
    ];
    for (status, of_daemon, of_oneshot) in rows {
        for (builder, expected) in [(service(UNIT), of_daemon), (oneshot(UNIT), of_oneshot)] {
            let unit = builder.service(|s| {
                s.success_exit_codes = vec![3];
                s.success_signals = vec![12];
            });
            let mut world = World::new(vec![unit.done()]);
            world.hold.insert(UNIT.to_owned());
            world.start(UNIT);
            world.exit_main(UNIT, status);
            assert_eq!(result(&world, UNIT), expected, "{status:?}");
            let failed = expected != "success";
            assert_eq!(world.active(UNIT) == ActiveState::Failed, failed, "{status:?}");
        }
    }
}

#[test]
fn a_dash_makes_a_failure_a_success() {
    let mut world = service_in("running", |s| s.exec_start[0].ignore_failure = true);
    world.exit_main(UNIT, ExitStatus::Signaled(9));
    assert_eq!(
        (world.sub(UNIT).as_str(), result(&world, UNIT).as_str()),
        ("dead", "success")
    );
}

/// The main process of a running service ends well: RemainAfterExit=, else ExecStop= although nothing is left.
#[test]
fn after_a_clean_end_of_main() {
    for (remains, sub, ran) in [(true, "exited", false), (false, "dead", true)] {
        let mut world = service_in("running", |s| {
            s.remain_after_exit = remains;
            s.exec_stop = vec![command("/x")];
        });
        world.exit_main(UNIT, ExitStatus::Exited(0));
        assert_eq!(world.sub(UNIT), sub);
        assert_eq!(lists(&world).contains(&ExecList::Stop), ran);
    }
}

/// In start-post and reload the command goes on, and decides what follows.
#[test]
fn main_ends_while_a_command_runs() {
    for state in ["start-post", "reload", "reload-post"] {
        for (code, active) in [(0, "inactive"), (1, "failed")] {
            let mut world = service_in(state, |_| {});
            world.exit_main(UNIT, ExitStatus::Exited(code));
            assert_eq!(world.sub(UNIT), state, "it waits for the command");
            world.exit_main_or_control(UNIT, ExitStatus::Exited(0));
            assert_eq!(world.active(UNIT).word(), active, "{state}, {code}");
        }
    }
}

fn in_start(kind: Builder, remains: bool, access: NotifyAccess) -> World {
    let unit = kind.service(|s| {
        s.remain_after_exit = remains;
        s.notify_access = access;
    });
    let mut world = World::new(vec![unit.done()]);
    world.hold.insert(UNIT.to_owned());
    world.start(UNIT);
    world
}

/// Semantics 4.3: the main process of a Type=notify service ends well before READY=1. Another process of the cgroup
/// may still say it, if RemainAfterExit= and NotifyAccess= allow that.
#[test]
fn an_end_before_ready_is_a_protocol_error_unless_another_may_say_it() {
    for (remains, access, protocol) in [
        (false, NotifyAccess::Main, true),
        (false, NotifyAccess::All, true),
        (true, NotifyAccess::Main, true),
        (true, NotifyAccess::All, false),
    ] {
        let mut world = in_start(notify(UNIT), remains, access);
        // Somebody else is in the cgroup.
        world
            .processes
            .insert(ProcId::found(7), (UNIT.to_owned(), ExecList::Start));
        let main = *world.processes.keys().next().unwrap();
        world.end(main, ExitStatus::Exited(0));
        world.settle();
        let label = format!("RemainAfterExit={remains}, {access:?}");
        if protocol {
            assert_eq!(result(&world, UNIT), "protocol", "{label}");
            continue;
        }
        assert_eq!(world.sub(UNIT), "start", "{label}");
        let mut empty = in_start(notify(UNIT), remains, access);
        empty.exit_main(UNIT, ExitStatus::Exited(0));
        assert_eq!(result(&empty, UNIT), "protocol", "{label}, and nobody is left");
        let unit = world.id(UNIT);
        let message = Notification {
            ready: true,
            ..Notification::default()
        };
        world.feed(Event::Notify {
            unit,
            sender: Sender::Other,
            message,
        });
        assert_eq!(world.sub(UNIT), "exited", "{label}");
    }
}

/// Semantics 4.2: what each type waits for, and whether it has a limit.
#[test]
fn when_a_start_is_over() {
    use ServiceType as T;
    // Type, whether the fork is enough, the exec, READY=1 or the end of the process; whether it has a limit.
    let rows = [
        (T::Simple, "fork", false),
        (T::Exec, "exec", true),
        (T::Oneshot, "end", true),
        (T::Notify, "ready", true),
        (T::NotifyReload, "ready", true),
    ];
    for (kind, waits_for, limited) in rows {
        let unit = service(UNIT).service(|s| {
            s.service_type = kind;
            s.notify_access = NotifyAccess::Main;
            s.remain_after_exit = true;
        });
        let mut world = World::new(vec![unit.done()]);
        world.hold.insert(UNIT.to_owned());
        let request = world.queue_request(JobKind::Start, UNIT, JobMode::Replace);
        world.pending.clear();
        assert_eq!(!world.timers.is_empty(), limited, "{kind:?}");
        let process = *world.processes.keys().next().unwrap();
        let unit = world.id(UNIT);
        let ready = Notification {
            ready: true,
            ..Notification::default()
        };
        let events = [
            ("fork", Event::Spawned { process, pid: 5 }),
            ("exec", Event::Executed { process }),
            (
                "ready",
                Event::Notify {
                    unit,
                    sender: Sender::Main,
                    message: ready,
                },
            ),
            (
                "end",
                Event::Exited {
                    process,
                    status: ExitStatus::Exited(0),
                },
            ),
        ];
        for (what, event) in events {
            assert_eq!(world.done.get(&request), None, "{kind:?} before {what}");
            world.step(event);
            if what == waits_for {
                break;
            }
        }
        assert_eq!(world.done.get(&request), Some(&Ok(JobResult::Done)), "{kind:?}");
    }
}

/// Semantics 4.5: what OnFailure= and OnSuccess= start is told about the one service that names it.
#[test]
fn what_one_service_starts_by_its_end_is_told_how_it_ended() {
    use DependencyKind as D;
    for (relation, code, found) in [
        (D::OnFailure, 3, ServiceResult::ExitCode),
        (D::OnSuccess, 0, ServiceResult::Success),
    ] {
        for others in [0, 1] {
            let mut units = vec![
                service(UNIT).dep(relation, "next.service").done(),
                service("next.service")
                    .service(|s| {
                        s.exec_start_pre = vec![command("/pre")];
                        s.exec_start_post = vec![command("/post")];
                    })
                    .done(),
            ];
            if others == 1 {
                units.push(service("b.service").dep(D::OnFailure, "next.service").done());
            }
            let mut world = World::new(units);
            world.start(UNIT);
            world.trace.clear();
            world.exit_main(UNIT, ExitStatus::Exited(code));
            let next = world.id("next.service");
            let told: Vec<(ExecList, Option<Monitored>)> = world
                .trace
                .iter()
                .filter_map(|action| match action {
                    Action::Spawn(spawn) if spawn.unit == next => {
                        Some((spawn.command.list, spawn.monitored.clone()))
                    }
                    _ => None,
                })
                .collect();
            let monitored = (others == 0).then(|| Monitored {
                unit: common::name(UNIT),
                result: found,
                main_status: Some(ExitStatus::Exited(code)),
            });
            assert_eq!(
                told,
                [
                    (ExecList::StartPre, monitored.clone()),
                    (ExecList::Start, monitored),
                    (ExecList::StartPost, None)
                ],
                "{relation:?}, {others} others"
            );
        }
    }
}
