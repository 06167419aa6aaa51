//! A whole soft-reboot, from the request to the next userspace (semantics 7.3, 7.7, 7.8).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test program a panic is how a failure shows"
)]

mod common;

use common::build::{notify, oneshot, service, slice, socket, target};
use common::{World, name};
use softboot_engine::*;
use softboot_unit::{Definition, EmergencyAction, FdStorePreserve, JobMode};

fn units() -> Vec<Definition> {
    vec![
        slice("system.slice").done(),
        target("default.target")
            .wants(&["web.service", "keep.service", "keep.socket", "web.socket"])
            .unit(|u| u.allow_isolate = true)
            .stops_at_shutdown()
            .done(),
        notify("web.service")
            .requires(&["system.slice"])
            .stops_at_shutdown()
            .service(|s| {
                s.fd_store_max = 8;
                s.fd_store_preserve = FdStorePreserve::Yes;
            })
            .done(),
        socket("web.socket", "web.service")
            .unit(|u| u.ignore_on_isolate = true)
            .done(),
        service("keep.service")
            .requires(&["system.slice"])
            .unit(|u| {
                u.survive_final_kill_signal = true;
                u.ignore_on_isolate = true;
            })
            .done(),
        socket("keep.socket", "keep.service")
            .unit(|u| u.ignore_on_isolate = true)
            .done(),
        service("left.service").done(),
        target("shutdown.target").done(),
        target("umount.target").done(),
        target("final.target")
            .after(&["shutdown.target", "umount.target"])
            .done(),
        oneshot("systemd-soft-reboot.service")
            .requires(&["shutdown.target", "umount.target", "final.target"])
            .after(&["shutdown.target", "umount.target", "final.target"])
            .service(|s| s.exec_start.clear())
            .unit(|u| u.success_action = EmergencyAction::SoftRebootForce)
            .done(),
        target("soft-reboot.target")
            .requires(&["systemd-soft-reboot.service"])
            .after(&["systemd-soft-reboot.service"])
            .unit(|u| u.allow_isolate = true)
            .done(),
    ]
}

fn booted() -> World {
    let mut world = World::new(units());
    assert_eq!(world.start("default.target"), Some(Ok(JobResult::Done)));
    assert!(world.engine.boot_finished());
    world.start("left.service");
    world
}

#[test]
fn a_mark_on_its_processes_makes_a_survivor() {
    let mut world = booted();
    let left = world.id("left.service");
    let before = world.status("left.service").main_pid;
    world.marked.insert("left.service".to_owned());
    world.request(JobKind::Start, "soft-reboot.target", JobMode::ReplaceIrreversibly);
    let keep = world.id("keep.service");
    let mut spare = vec![left, keep];
    spare.sort();
    assert!(world.trace.contains(&Action::FinalKill { spare }));
    assert_eq!(world.sub("left.service"), "running");
    world.soft_reboot(units());
    assert_eq!(world.status("left.service").main_pid, before);

    // It is a property of the processes then, not of the unit.
    world.marked.clear();
    world.request(JobKind::Start, "soft-reboot.target", JobMode::ReplaceIrreversibly);
    assert_eq!(world.sub("left.service"), "failed");
}

#[test]
fn everything_restarts_but_survivors_and_listening_sockets() {
    let mut world = booted();
    let (web, keep) = (world.id("web.service"), world.id("keep.service"));
    world.feed(Event::FdStoreCount { unit: web, count: 2 });
    let before = world.status("keep.service").main_pid;
    let first_web = world.status("web.service").main_pid;
    world.killed.clear();

    world.request(JobKind::Start, "soft-reboot.target", JobMode::ReplaceIrreversibly);
    assert_eq!(world.objective, Some(Objective::SoftReboot));
    assert!(world.trace.contains(&Action::FinalKill { spare: vec![keep] }));
    assert!(!world.killed.contains(&"keep.service".to_owned()));
    assert!(
        world.killed.contains(&"left.service".to_owned()),
        "a leftover is ended by the final kill"
    );
    assert_eq!(world.sub("web.service"), "dead-resources-pinned");
    assert_eq!(world.sub("left.service"), "failed");
    assert_eq!(world.engine.system_state(), "stopping");

    world.soft_reboot(units());
    assert_eq!(world.engine.soft_reboots(), 1);
    assert!(!world.engine.boot_finished());
    assert_eq!(
        world.sub("shutdown.target"),
        "dead",
        "or the next shutdown would do nothing (trap 25)"
    );
    assert_eq!(world.sub("system.slice"), "active");
    assert_eq!(world.sub("web.socket"), "listening");
    assert_eq!(world.sub("keep.socket"), "running");
    assert!(world.watched.contains(&world.id("web.socket")));

    world.request(JobKind::Start, "default.target", JobMode::Isolate);
    assert!(world.engine.boot_finished());
    assert_eq!(world.status("keep.service").main_pid, before);
    assert_eq!(world.sub("web.service"), "running");
    assert_ne!(world.status("web.service").main_pid, first_web);
    assert_eq!(world.status("web.service").stored_fds, 2);
    assert_eq!(
        world.starts.iter().filter(|unit| *unit == "keep.service").count(),
        1
    );
}

#[test]
fn in_the_same_program_sockets_are_watched_again_and_none_that_is_watched_is_named() {
    let mut definitions = units();
    definitions.push(service("idle.service").done());
    for text in ["idle.socket", "each.socket"] {
        let accept = text == "each.socket";
        let service = if accept { "each@.service" } else { "idle.service" };
        let socket = socket(text, service).unit(|u| u.ignore_on_isolate = true);
        definitions.push(socket.socket(|s| s.accept = accept).done());
    }
    let mut world = World::new(definitions.clone());
    assert_eq!(world.start("default.target"), Some(Ok(JobResult::Done)));
    for text in ["idle.socket", "each.socket"] {
        world.start(text);
    }
    world.request(JobKind::Start, "soft-reboot.target", JobMode::ReplaceIrreversibly);
    let [web, idle, each] = ["web.socket", "idle.socket", "each.socket"].map(|text| world.id(text));
    assert!([web, idle, each].iter().all(|unit| world.watched.contains(unit)));
    world.feed(Event::SocketReadable { unit: web });
    assert!(!world.watched.contains(&web), "who comes last waits");

    world.trace.clear();
    let compared = Compared::new(world.engine.definitions(), definitions);
    let next = world.engine.difference(compared).unwrap();
    world.feed(Event::NextUserspace(next));
    for unit in [web, idle, each] {
        assert!(world.watched.contains(&unit));
    }
    let named = |unit| world.trace.contains(&Action::PollSockets { unit, on: true });
    assert_eq!([web, each, idle].map(named), [true, true, false]);
}

/// Found by the simulator: it was said to have done its work.
#[test]
fn a_oneshot_that_had_not_begun_when_userspace_ended_is_not_done() {
    let unit = common::build::oneshot("a.service")
        .unit(|u| u.survive_final_kill_signal = true)
        .service(|s| {
            s.exec_start_pre = vec![common::build::command("/p")];
            s.remain_after_exit = true;
        });
    let mut world = World::new(vec![unit.done()]);
    world.stuck.insert(("a.service".to_owned(), ExecList::StartPre));
    world.start("a.service");
    assert_eq!(world.sub("a.service"), "start-pre");
    world.step(Event::Signal(ManagerSignal::Shutdown(
        EmergencyAction::SoftRebootForce,
    )));
    let process = *world.processes.keys().next().unwrap();
    world.step(Event::Exited {
        process,
        status: ExitStatus::Exited(0),
    });
    assert!(
        !world.active("a.service").is_active_ish(),
        "{}",
        world.sub("a.service")
    );
    assert!(world.starts.is_empty());
}

#[test]
fn ten_soft_reboots_in_a_row() {
    let mut world = booted();
    let before = world.status("keep.service").main_pid;
    for round in 1..=10 {
        world.request(JobKind::Start, "soft-reboot.target", JobMode::ReplaceIrreversibly);
        world.soft_reboot(units());
        world.request(JobKind::Start, "default.target", JobMode::Isolate);
        assert_eq!(world.engine.soft_reboots(), round);
        assert_eq!(world.sub("web.service"), "running");
        assert_eq!(world.status("keep.service").main_pid, before);
    }
}

#[test]
fn nothing_new_begins_while_userspace_ends() {
    let mut world = booted();
    world.feed(Event::Signal(ManagerSignal::Shutdown(
        EmergencyAction::SoftRebootForce,
    )));
    assert!(matches!(
        world.start("left.service"),
        Some(Err(RequestError::ShuttingDown(_)))
    ));
    world.feed(Event::ObjectiveAborted {
        reason: "the next program cannot run".to_owned(),
    });
    assert_eq!(world.start("left.service"), Some(Ok(JobResult::Done)));
}

#[test]
fn a_reboot_spares_nobody() {
    let mut world = booted();
    world.feed(Event::Signal(ManagerSignal::Shutdown(
        EmergencyAction::RebootForce,
    )));
    assert_eq!(world.objective, Some(Objective::Reboot));
    assert!(world.trace.contains(&Action::FinalKill { spare: vec![] }));
    assert!(world.processes.is_empty());
}

#[test]
fn a_survivor_without_a_file_in_the_new_root_can_still_be_stopped() {
    let mut world = booted();
    world.request(JobKind::Start, "soft-reboot.target", JobMode::ReplaceIrreversibly);
    let next: Vec<_> = units()
        .into_iter()
        .filter(|d| d.name != name("keep.service"))
        .collect();
    world.soft_reboot(next);
    assert_eq!(world.status("keep.service").load, "not-found");
    assert_eq!(world.sub("keep.service"), "running");
    assert_eq!(world.stop("keep.service"), Some(Ok(JobResult::Done)));
    assert!(world.killed.contains(&"keep.service".to_owned()));
    assert_eq!(world.sub("keep.service"), "dead");
}

#[test]
fn a_survivor_is_never_signalled_whatever_the_order_of_events() {
    for seed in 1..60 {
        let mut world = booted();
        world.random = Some(common::Random(seed));
        let before = world.status("keep.service").main_pid;
        for _ in 0..3 {
            world.stubborn.insert("left.service".to_owned());
            world.queue_request(JobKind::Start, "left.service", JobMode::Replace);
            world.connect("web.socket");
            world.request(JobKind::Start, "soft-reboot.target", JobMode::ReplaceIrreversibly);
            world.soft_reboot(units());
            world.request(JobKind::Start, "default.target", JobMode::Isolate);
            world.advance(softboot_unit::Usec::from_secs(200));
            assert_eq!(world.sub("web.service"), "running", "seed {seed}");
        }
        assert!(!world.killed.contains(&"keep.service".to_owned()), "seed {seed}");
        assert_eq!(world.status("keep.service").main_pid, before, "seed {seed}");
        assert!(world.engine.jobs().is_empty(), "seed {seed}");
    }
}
