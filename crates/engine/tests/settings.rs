//! Settings of services beyond the plain run, against semantics 4.2 to 4.8.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test program a panic is how a failure shows"
)]

mod common;

use common::World;
use common::build::{command, notify, oneshot, service, target};
use softboot_engine::*;
use softboot_unit::*;

const TERM: i32 = 15;
const ABRT: i32 = 6;
const KILL: i32 = 9;

/// The signals a unit got, in order.
fn signals(world: &World) -> Vec<i32> {
    world
        .trace
        .iter()
        .filter_map(|action| match action {
            Action::Kill { signal, .. } => Some(*signal),
            _ => None,
        })
        .collect()
}

fn subs_after_stop(change: impl FnOnce(&mut ServiceSection)) -> (Vec<i32>, String) {
    let mut world = World::new(vec![
        service("a.service")
            .service(|s| {
                s.timeout_stop = Usec::from_secs(10);
                change(s);
            })
            .done(),
    ]);
    world.stubborn.insert("a.service".to_owned());
    world.start("a.service");
    world.stop("a.service");
    world.advance(Usec::from_secs(100));
    (signals(&world), world.sub("a.service"))
}

#[test]
fn what_follows_a_stop_that_takes_too_long_is_the_table_of_4_5() {
    let (sent, sub) = subs_after_stop(|_| {});
    assert_eq!(
        (sent.as_slice(), sub.as_str()),
        ([TERM, KILL].as_slice(), "failed")
    );
    let (sent, _) = subs_after_stop(|s| s.timeout_stop_failure_mode = TimeoutFailureMode::Abort);
    assert_eq!(sent, [TERM, ABRT, KILL]);
    // Without SIGKILL nothing more can be done than to go on.
    let (sent, sub) = subs_after_stop(|s| s.kill.send_sigkill = false);
    assert_eq!((sent.contains(&KILL), sub.as_str()), (false, "failed"));
}

#[test]
fn a_start_that_takes_too_long_ends_as_its_mode_says() {
    let run = |mode| {
        let mut world = World::new(vec![
            notify("a.service")
                .service(|s| s.timeout_start_failure_mode = mode)
                .done(),
        ]);
        world.hold.insert("a.service".to_owned());
        world.start("a.service");
        world.advance(Usec::from_secs(90));
        assert_eq!(world.status("a.service").result.as_deref(), Some("timeout"));
        signals(&world)[0]
    };
    assert_eq!(run(TimeoutFailureMode::Terminate), TERM);
    assert_eq!(run(TimeoutFailureMode::Abort), ABRT);
    assert_eq!(run(TimeoutFailureMode::Kill), KILL);
}

#[test]
fn an_abort_has_a_time_of_its_own() {
    let mut world = World::new(vec![
        service("a.service")
            .service(|s| {
                s.watchdog = Usec::from_secs(1);
                s.timeout_abort = Some(Usec::from_secs(3));
            })
            .done(),
    ]);
    world.stubborn.insert("a.service".to_owned());
    world.start("a.service");
    world.advance(Usec::from_secs(1));
    assert_eq!(world.sub("a.service"), "stop-watchdog");
    world.advance(Usec::from_secs(3));
    assert_eq!(signals(&world), [ABRT, KILL]);
    assert_eq!(world.status("a.service").result.as_deref(), Some("watchdog"));
}

#[test]
fn with_exit_type_cgroup_the_last_process_decides() {
    let mut world = World::new(vec![
        service("a.service")
            .service(|s| s.exit_type = ExitType::Cgroup)
            .done(),
    ]);
    world.start("a.service");
    let main = *world.processes.keys().next().unwrap();
    // Another process is left in the cgroup, so no report of its emptiness follows.
    world.processes.remove(&main);
    world.feed(Event::Exited {
        process: main,
        status: ExitStatus::Exited(0),
    });
    assert_eq!(world.sub("a.service"), "running");
    world.feed(Event::CgroupEmpty {
        unit: world.id("a.service"),
    });
    assert_eq!(world.sub("a.service"), "dead");
}

#[test]
fn a_restart_in_direct_mode_shows_nobody_that_there_was_an_end() {
    let run = |mode| {
        let mut world = World::new(vec![
            service("a.service")
                .service(|s| {
                    s.restart = RestartPolicy::Always;
                    s.restart_settings.mode = mode;
                })
                .dep(DependencyKind::OnFailure, "b.service")
                .done(),
            oneshot("b.service").done(),
        ]);
        world.start("a.service");
        world.exit_main("a.service", ExitStatus::Exited(1));
        let noticed = world.starts.contains(&"b.service".to_owned());
        world.advance(Usec::from_secs(1));
        assert_eq!(world.sub("a.service"), "running");
        noticed
    };
    assert!(run(RestartMode::Normal));
    assert!(!run(RestartMode::Direct));
}

#[test]
fn signals_in_the_exit_status_lists_count() {
    let ends = |prevent: Vec<i32>, force: Vec<i32>, policy| {
        let mut world = World::new(vec![
            service("a.service")
                .service(|s| {
                    s.restart = policy;
                    s.restart_settings.prevent_signals = prevent;
                    s.restart_settings.force_signals = force;
                })
                .done(),
        ]);
        world.start("a.service");
        world.exit_main("a.service", ExitStatus::Signaled(KILL));
        world.sub("a.service")
    };
    assert_eq!(ends(vec![KILL], vec![], RestartPolicy::Always), "failed");
    assert_eq!(ends(vec![], vec![KILL], RestartPolicy::No), "auto-restart");
}

#[test]
fn an_idle_service_waits_for_the_other_jobs_but_not_longer_than_5_s() {
    let idle = || {
        service("i.service")
            .service(|s| s.service_type = ServiceType::Idle)
            .done()
    };
    let mut world = World::new(vec![
        idle(),
        oneshot("slow.service").done(),
        target("both.target").wants(&["i.service", "slow.service"]).done(),
    ]);
    world.hold.insert("slow.service".to_owned());
    world.start("both.target");
    assert_eq!(
        world.active("i.service"),
        ActiveState::Active,
        "it holds nobody up"
    );
    assert_eq!(world.starts, ["slow.service"]);
    world.reexec();
    world.exit_main("slow.service", ExitStatus::Exited(0));
    assert_eq!(world.starts, ["slow.service", "i.service"]);
    assert_eq!(world.sub("i.service"), "running");

    let mut world = World::new(vec![idle(), oneshot("slow.service").done()]);
    world.hold.insert("slow.service".to_owned());
    world.start("slow.service");
    world.start("i.service");
    world.advance(Usec::from_secs(4));
    assert!(!world.starts.contains(&"i.service".to_owned()));
    world.advance(Usec::from_secs(1));
    assert!(world.starts.contains(&"i.service".to_owned()));
}

#[test]
fn an_idle_service_that_is_stopped_before_its_time_never_runs() {
    let mut world = World::new(vec![
        service("i.service")
            .service(|s| s.service_type = ServiceType::Idle)
            .done(),
        oneshot("slow.service").done(),
    ]);
    world.hold.insert("slow.service".to_owned());
    world.start("slow.service");
    world.start("i.service");
    assert_eq!(world.stop("i.service"), Some(Ok(JobResult::Done)));
    world.exit_main("slow.service", ExitStatus::Exited(0));
    world.advance(Usec::from_secs(10));
    assert_eq!(world.starts, ["slow.service"]);
    assert_eq!(world.sub("i.service"), "dead");
}

#[test]
fn commands_after_a_reload_are_part_of_it() {
    let mut world = World::new(vec![
        service("a.service")
            .service(|s| {
                s.exec_reload = vec![command("/r")];
                s.exec_reload_post = vec![command("/p")];
            })
            .done(),
    ]);
    world.start("a.service");
    let request = world.request(JobKind::Reload, "a.service", JobMode::Replace);
    assert_eq!(world.done[&request], Ok(JobResult::Done));
    let lists: Vec<ExecList> = world
        .trace
        .iter()
        .filter_map(|action| match action {
            Action::Spawn(spawn) => Some(spawn.command.list),
            _ => None,
        })
        .collect();
    assert_eq!(lists, [ExecList::Start, ExecList::Reload, ExecList::ReloadPost]);
}

#[test]
fn the_reload_signal_is_the_one_that_was_set() {
    let mut world = World::new(vec![
        notify("a.service")
            .service(|s| {
                s.service_type = ServiceType::NotifyReload;
                s.reload_signal = 10;
            })
            .done(),
    ]);
    world.start("a.service");
    world.stubborn.insert("a.service".to_owned());
    world.request(JobKind::Reload, "a.service", JobMode::Replace);
    assert_eq!(signals(&world), [10]);
    assert_eq!(world.sub("a.service"), "reload-signal");
}

#[test]
fn a_kill_for_want_of_memory_is_what_the_policy_makes_of_it() {
    let run = |policy, delegate| {
        let mut world = World::new(vec![
            service("a.service")
                .service(|s| {
                    s.oom_policy = policy;
                    s.delegate = delegate;
                })
                .done(),
        ]);
        world.start("a.service");
        world.feed(Event::OomKilled {
            unit: world.id("a.service"),
        });
        (world.sub("a.service"), world.status("a.service").result)
    };
    let failed = ("failed".to_owned(), Some("oom-kill".to_owned()));
    assert_eq!(run(None, false), failed);
    assert_eq!(run(Some(OomPolicy::Kill), false), failed);
    assert_eq!(run(Some(OomPolicy::Continue), false).0, "running");
    assert_eq!(
        run(None, true).0,
        "running",
        "whoever has a subtree decides itself"
    );
}

#[test]
fn a_service_that_would_die_of_its_reload_signal_does_not_start() {
    let mut world = World::new(vec![
        notify("a.service")
            .service(|s| s.service_type = ServiceType::NotifyReload)
            .done(),
    ]);
    world.hold.insert("a.service".to_owned());
    world.start("a.service");
    let message = Notification {
        ready: true,
        dies_of_reload: true,
        ..Notification::default()
    };
    world.feed(Event::Notify {
        unit: world.id("a.service"),
        sender: Sender::Main,
        message,
    });
    assert_eq!(world.status("a.service").result.as_deref(), Some("protocol"));
}

#[test]
fn what_a_service_says_of_its_errors_is_kept_until_it_starts_again() {
    let mut world = World::new(vec![
        service("a.service")
            .service(|s| s.notify_access = NotifyAccess::All)
            .done(),
    ]);
    world.start("a.service");
    let message = Notification {
        errno: Some(5),
        error_name: Some("org.example.Sad".to_owned()),
        ..Notification::default()
    };
    world.feed(Event::Notify {
        unit: world.id("a.service"),
        sender: Sender::Main,
        message,
    });
    let status = world.status("a.service");
    assert_eq!(
        (status.errno, status.error_name.as_deref()),
        (Some(5), Some("org.example.Sad"))
    );
    world.stop("a.service");
    world.start("a.service");
    assert_eq!(world.status("a.service").errno, None);
}
