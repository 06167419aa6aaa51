//! The service machine against semantics 4, table by table.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test program a panic is how a failure shows"
)]

mod common;

use common::World;
use common::build::{command, notify, oneshot, service, socket, target};
use softboot_engine::*;
use softboot_unit::*;

fn trouble(unit: &str, code: i32, policy: RestartPolicy) -> World {
    let mut world = World::new(vec![service(unit).service(|s| s.restart = policy).done()]);
    world.start(unit);
    world.exit_main(unit, ExitStatus::Exited(code));
    world
}

#[test]
fn the_lists_run_in_the_order_of_4_3_and_4_5() {
    let mut world = World::new(vec![
        service("a.service")
            .service(|s| {
                s.exec_condition = vec![command("/c")];
                s.exec_start_pre = vec![command("/p1"), command("/p2")];
                s.exec_start_post = vec![command("/q")];
                s.exec_stop = vec![command("/x")];
                s.exec_stop_post = vec![command("/y")];
            })
            .done(),
    ]);
    assert_eq!(world.start("a.service"), Some(Ok(JobResult::Done)));
    assert_eq!(world.stop("a.service"), Some(Ok(JobResult::Done)));
    let lists: Vec<(ExecList, u32)> = world
        .trace
        .iter()
        .filter_map(|action| match action {
            Action::Spawn(spawn) => Some((spawn.command.list, spawn.command.index)),
            _ => None,
        })
        .collect();
    use ExecList as L;
    let expected = [
        (L::Condition, 0),
        (L::StartPre, 0),
        (L::StartPre, 1),
        (L::Start, 0),
        (L::StartPost, 0),
        (L::Stop, 0),
        (L::StopPost, 0),
    ];
    assert_eq!(lists, expected);
    assert_eq!(world.sub("a.service"), "dead");
}

#[test]
fn a_crash_skips_exec_stop_and_fails_the_unit() {
    let mut world = World::new(vec![
        service("a.service")
            .service(|s| s.exec_stop = vec![command("/x")])
            .done(),
    ]);
    world.start("a.service");
    world.exit_main("a.service", ExitStatus::Dumped(11));
    assert_eq!(world.sub("a.service"), "failed");
    assert_eq!(world.status("a.service").result.as_deref(), Some("core-dump"));
    assert!(
        !world
            .trace
            .iter()
            .any(|a| matches!(a, Action::Spawn(s) if s.command.list == ExecList::Stop))
    );
}

#[test]
fn a_restart_comes_after_its_hold_off_and_is_counted() {
    let mut world = trouble("a.service", 1, RestartPolicy::OnFailure);
    assert_eq!(world.sub("a.service"), "auto-restart");
    world.advance(Usec::from_millis(100));
    assert_eq!(world.sub("a.service"), "running");
    assert_eq!(world.status("a.service").restarts, 1);
    assert_eq!(
        trouble("b.service", 0, RestartPolicy::OnFailure).sub("b.service"),
        "dead"
    );
}

#[test]
fn a_stop_in_the_hold_off_ends_it_at_once() {
    let mut world = trouble("a.service", 1, RestartPolicy::Always);
    assert_eq!(world.stop("a.service"), Some(Ok(JobResult::Done)));
    world.advance(Usec::from_secs(10));
    assert_eq!(world.starts.len(), 1);
}

#[test]
fn the_start_limit_fails_the_unit_and_its_socket() {
    let mut world = World::new(vec![
        socket("a.socket", "a.service").done(),
        service("a.service")
            .service(|s| s.restart = RestartPolicy::Always)
            .done(),
    ]);
    world.crash.insert("a.service".to_owned(), 1);
    world.start("a.socket");
    world.connect("a.socket");
    world.advance(Usec::from_secs(5));
    assert_eq!(world.starts.len(), 5, "semantics 4.8: 5 in 10 s");
    assert_eq!(
        world.status("a.service").result.as_deref(),
        Some("start-limit-hit")
    );
    assert_eq!(
        world.status("a.socket").result.as_deref(),
        Some("service-start-limit-hit")
    );
    world.feed(Event::ResetFailed(None));
    assert_eq!(world.sub("a.socket"), "dead");
}

#[test]
fn a_condition_that_never_holds_fails_the_socket_by_its_trigger_limit() {
    let condition = Condition {
        test: "PathExists".to_owned(),
        argument: "/x".to_owned(),
        trigger: false,
        negate: false,
    };
    let mut world = World::new(vec![
        socket("a.socket", "a.service").done(),
        service("a.service")
            .unit(|u| u.conditions = vec![condition])
            .done(),
    ]);
    world.unmet.insert("a.service".to_owned());
    world.start("a.socket");
    for _ in 0..30 {
        world.connect("a.socket");
    }
    assert_eq!(
        world.status("a.socket").result.as_deref(),
        Some("trigger-limit-hit"),
        "semantics 1.12"
    );
    assert!(world.starts.is_empty());
}

#[test]
fn sigterm_that_is_ignored_is_followed_by_sigkill() {
    let mut world = World::new(vec![service("a.service").done()]);
    world.start("a.service");
    world.stubborn.insert("a.service".to_owned());
    assert_eq!(world.stop("a.service"), None);
    assert_eq!(world.sub("a.service"), "stop-sigterm");
    world.advance(Usec::from_secs(90));
    assert_eq!(world.sub("a.service"), "failed");
    assert_eq!(world.status("a.service").result.as_deref(), Some("timeout"));
}

#[test]
fn the_cgroup_has_to_be_empty_before_a_stop_is_over() {
    let mut world = World::new(vec![service("a.service").done()]);
    world.start("a.service");
    let unit = world.id("a.service");
    world.queue_request(JobKind::Stop, "a.service", JobMode::Replace);
    let exits: Vec<Event> = world.pending.drain(..).map(|(_, event)| event).collect();
    for event in exits
        .into_iter()
        .filter(|event| matches!(event, Event::Exited { .. }))
    {
        world.step(event);
    }
    assert_eq!(world.sub("a.service"), "stop-sigterm", "a child may be left");
    world.feed(Event::CgroupEmpty { unit });
    assert_eq!(world.sub("a.service"), "dead");
    world.feed(Event::CgroupEmpty { unit });
    assert_eq!(world.sub("a.service"), "dead", "once more does no harm");
}

#[test]
fn notify_waits_for_ready_and_an_end_before_it_is_a_protocol_error() {
    let mut world = World::new(vec![notify("a.service").done()]);
    world.hold.insert("a.service".to_owned());
    assert_eq!(world.start("a.service"), None);
    assert_eq!(world.sub("a.service"), "start");
    world.exit_main("a.service", ExitStatus::Exited(0));
    assert_eq!(world.status("a.service").result.as_deref(), Some("protocol"));
}

#[test]
fn a_watchdog_that_is_not_fed_bites() {
    let mut world = World::new(vec![
        service("a.service")
            .service(|s| s.watchdog = Usec::from_secs(3))
            .done(),
    ]);
    world.start("a.service");
    world.advance(Usec::from_secs(4));
    assert_eq!(world.status("a.service").result.as_deref(), Some("watchdog"));
}

#[test]
fn a_failed_exec_fails_the_service_with_its_code() {
    let mut world = World::new(vec![service("a.service").done()]);
    world.crash.insert("a.service".to_owned(), 203);
    world.start("a.service");
    assert_eq!(world.sub("a.service"), "failed");
    assert_eq!(
        world.status("a.service").main_status,
        Some(ExitStatus::Exited(203))
    );
}

#[test]
fn the_fd_store_goes_when_preserve_says_so() {
    for (preserve, after_stop, after_restart) in [
        (FdStorePreserve::No, 0, 0),
        (FdStorePreserve::Restart, 0, 1),
        (FdStorePreserve::Yes, 1, 1),
        (FdStorePreserve::OnSuccess, 1, 1),
    ] {
        let mut world = World::new(vec![
            service("a.service")
                .service(|s| s.fd_store_preserve = preserve)
                .done(),
        ]);
        let unit = world.id("a.service");
        world.start("a.service");
        world.feed(Event::FdStoreCount { unit, count: 1 });
        world.request(JobKind::Restart, "a.service", JobMode::Replace);
        assert_eq!(
            world.status("a.service").stored_fds,
            after_restart,
            "{preserve:?} over a restart"
        );
        world.feed(Event::FdStoreCount { unit, count: 1 });
        world.stop("a.service");
        assert_eq!(
            world.status("a.service").stored_fds,
            after_stop,
            "{preserve:?} after a stop"
        );
        let pinned = if after_stop == 1 {
            "dead-resources-pinned"
        } else {
            "dead"
        };
        assert_eq!(world.sub("a.service"), pinned);
    }
}

#[test]
fn a_oneshot_without_commands_passes_to_dead() {
    let mut world = World::new(vec![
        oneshot("a.service").service(|s| s.exec_start.clear()).done(),
    ]);
    assert_eq!(world.start("a.service"), Some(Ok(JobResult::Done)));
    assert_eq!(world.sub("a.service"), "dead");
}

#[test]
fn what_a_failed_unit_requires_of_others_ends_with_dependency() {
    let mut world = World::new(vec![
        oneshot("a.service").done(),
        service("b.service")
            .requires(&["a.service"])
            .after(&["a.service"])
            .done(),
        service("c.service")
            .wants(&["a.service"])
            .after(&["a.service"])
            .done(),
        target("d.target")
            .requires(&["b.service"])
            .after(&["b.service"])
            .done(),
    ]);
    world.crash.insert("a.service".to_owned(), 1);
    assert_eq!(world.start("d.target"), Some(Ok(JobResult::Dependency)));
    assert_eq!(world.start("c.service"), Some(Ok(JobResult::Done)));
}

#[test]
fn an_accepted_connection_gets_one_instance_and_its_place_is_free_afterwards() {
    let mut world = World::new(vec![
        socket("a.socket", "a@.service")
            .socket(|s| {
                s.accept = true;
                s.max_connections = 1;
            })
            .done(),
    ]);
    world.start("a.socket");
    let unit = world.id("a.socket");
    let accept = |world: &mut World, number: u64| {
        let instance = world
            .engine
            .accept_instance(unit, &Peer::Unknown { cookie: number })
            .unwrap();
        world.feed(Event::Loaded(vec![service(instance.as_str()).done()]));
        world.feed(Event::SocketAccepted {
            unit,
            instance: instance.clone(),
            connection: FdToken(number),
            source: "x".to_owned(),
        });
        instance.to_string()
    };
    let first = accept(&mut world, 1);
    assert_eq!(world.sub(&first), "running");
    accept(&mut world, 2);
    assert!(
        world.trace.contains(&Action::CloseConnection(FdToken(2))),
        "MaxConnections=1"
    );
    assert_eq!(
        (
            world.status("a.socket").connections,
            world.status("a.socket").refused
        ),
        (1, 1)
    );
    world.exit_main(&first, ExitStatus::Exited(0));
    world.advance(Usec::from_secs(1));
    assert_eq!(world.status("a.socket").connections, 0);
    world.feed(Event::Cancel(None));
    assert!(
        world.engine.unit(&common::name(&first)).is_none(),
        "an instance that is over is forgotten"
    );
}

/// Found by simulation: a service waited for ever for the READY=1 of a type that it did not have when it was forked.
#[test]
fn a_reload_between_fork_and_report_leaves_a_time_limit() {
    let mut world = World::new(vec![service("a.service").done()]);
    world.queue_request(JobKind::Start, "a.service", JobMode::Replace);
    world.step(Event::Loaded(vec![common::build::notify("a.service").done()]));
    world.settle();
    assert_eq!(world.active("a.service"), ActiveState::Activating);
    world.advance(Usec::from_secs(91));
    assert!(world.engine.jobs().is_empty());
    assert!(world.active("a.service").is_inactive_ish());
}

/// Found by the simulator: without a job nothing would ever end that state.
#[test]
fn a_restart_whose_job_is_cancelled_does_not_leave_the_service_between_two_runs() {
    let mut world = World::new(vec![
        oneshot("first.service").done(),
        service("a.service")
            .service(|s| s.restart = RestartPolicy::Always)
            .requires(&["first.service"])
            .after(&["first.service"])
            .done(),
    ]);
    world.start("a.service");
    world.hold.insert("first.service".to_owned());
    world.exit_main("a.service", ExitStatus::Exited(0));
    world.advance(Usec::from_millis(100));
    assert_eq!(world.sub("a.service"), "auto-restart-queued");
    world.feed(Event::Cancel(None));
    assert_eq!(world.sub("a.service"), "dead");
}

/// Found by the simulator: the hold-off was over while a stop waited, and nothing fired again.
#[test]
fn a_restart_that_a_stop_held_up_follows_when_the_stop_is_cancelled() {
    let mut world = World::new(vec![
        service("a.service")
            .service(|s| s.restart = RestartPolicy::Always)
            .done(),
        service("user.service").after(&["a.service"]).done(),
        target("both.target")
            .conflicts(&["a.service", "user.service"])
            .done(),
    ]);
    world.start("a.service");
    world.start("user.service");
    world.stubborn.insert("user.service".to_owned());
    world.exit_main("a.service", ExitStatus::Exited(1));
    world.start("both.target");
    assert_eq!(world.sub("a.service"), "auto-restart");
    world.advance(Usec::from_millis(200));
    assert_eq!(
        world.sub("a.service"),
        "auto-restart",
        "its stop job waits for the user's"
    );
    world.feed(Event::Cancel(None));
    world.advance(Usec::from_millis(1));
    assert_eq!(world.sub("a.service"), "running");
}

/// Found by the simulator: the orders of a reload are those by which installed jobs wait.
#[test]
fn a_reload_that_makes_jobs_wait_for_each_other_cancels_the_newest() {
    let definitions = |circle: bool| {
        let first = oneshot("first.service");
        let first = if circle {
            first.after(&["c.service"])
        } else {
            first
        };
        vec![
            first.done(),
            oneshot("b.service").after(&["first.service"]).done(),
            oneshot("c.service").after(&["b.service"]).done(),
            oneshot("slow.service").before(&["first.service"]).done(),
        ]
    };
    let mut world = World::new(definitions(false));
    world.hold.insert("slow.service".to_owned());
    let requests = ["slow.service", "first.service", "b.service", "c.service"]
        .map(|unit| world.request(JobKind::Start, unit, JobMode::Replace));
    assert_eq!(world.engine.jobs().len(), 4);
    world.feed(Event::Loaded(definitions(true)));
    assert_eq!(world.done[&requests[3]], Ok(JobResult::Canceled));
    world.exit_main("slow.service", ExitStatus::Exited(0));
    assert!(world.engine.jobs().is_empty(), "the others go on in their order");
    assert_eq!(world.starts, ["slow.service", "first.service", "b.service"]);
}
