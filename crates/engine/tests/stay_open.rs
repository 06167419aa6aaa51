//! Sockets with default dependencies that stay open in a soft-reboot, because the next userspace opens the same.

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
use softboot_unit::{Definition, EmergencyAction, JobMode};

fn units() -> Vec<Definition> {
    let sockets = ["web.socket", "idle.socket", "each.socket", "bound.socket"];
    vec![
        slice("system.slice").done(),
        target("sysinit.target").stops_at_shutdown().done(),
        target("default.target")
            .wants(&sockets)
            .wants(&["web.service"])
            .after(&sockets)
            .unit(|u| u.allow_isolate = true)
            .stops_at_shutdown()
            .done(),
        notify("web.service")
            .requires(&["system.slice", "sysinit.target"])
            .after(&["sysinit.target"])
            .stops_at_shutdown()
            .done(),
        notify("idle.service")
            .requires(&["system.slice", "sysinit.target"])
            .after(&["sysinit.target"])
            .stops_at_shutdown()
            .done(),
        service("each@.service").stops_at_shutdown().done(),
        service("bound.service").stops_at_shutdown().done(),
        socket("web.socket", "web.service").socket_defaults().done(),
        socket("idle.socket", "idle.service").socket_defaults().done(),
        socket("each.socket", "each@.service")
            .socket_defaults()
            .socket(|s| s.accept = true)
            .done(),
        // Its file says something about sysinit.target, too.
        socket("bound.socket", "bound.service")
            .socket_defaults()
            .requires(&["sysinit.target"])
            .done(),
        target("shutdown.target").done(),
        oneshot("systemd-soft-reboot.service")
            .requires(&["shutdown.target"])
            .after(&["shutdown.target"])
            .service(|s| s.exec_start.clear())
            .unit(|u| u.success_action = EmergencyAction::SoftRebootForce)
            .done(),
        target("soft-reboot.target")
            .requires(&["systemd-soft-reboot.service"])
            .after(&["systemd-soft-reboot.service"])
            .unit(|u| u.allow_isolate = true)
            .done(),
        oneshot("poweroff.service")
            .requires(&["shutdown.target"])
            .after(&["shutdown.target"])
            .unit(|u| u.success_action = EmergencyAction::PoweroffForce)
            .done(),
    ]
}

fn booted() -> World {
    let mut world = World::new(units());
    assert_eq!(world.start("default.target"), Some(Ok(JobResult::Done)));
    world
}

fn stay(world: &mut World, sockets: &[&str]) {
    let sockets = sockets.iter().map(|text| name(text)).collect();
    world.feed(Event::StayOpen { sockets });
}

const ALL: [&str; 4] = ["web.socket", "idle.socket", "each.socket", "bound.socket"];

fn soft_reboot(world: &mut World) {
    world.request(JobKind::Start, "soft-reboot.target", JobMode::ReplaceIrreversibly);
}

fn closed(world: &World) -> Vec<String> {
    let units = world.trace.iter().filter_map(|action| match action {
        Action::CloseSockets { unit } => world.engine.name(*unit).map(ToString::to_string),
        _ => None,
    });
    units.collect()
}

#[test]
fn it_is_not_closed_and_what_its_file_asks_for_is() {
    let mut world = booted();
    stay(&mut world, &ALL);
    soft_reboot(&mut world);
    assert_eq!(closed(&world), ["bound.socket"]);
    assert_eq!(world.objective, Some(Objective::SoftReboot));
    world.soft_reboot(units());
    assert_eq!(world.sub("web.socket"), "listening");
    world.request(JobKind::Start, "default.target", JobMode::Isolate);
    assert_eq!(world.sub("web.service"), "running");
    assert_eq!(closed(&world), ["bound.socket"]);
    for socket in ALL {
        assert!(world.active(socket).is_active_ish(), "{socket}");
    }
    assert!(world.watched.contains(&world.id("idle.socket")));
    // For one soft-reboot, and not for the next.
    soft_reboot(&mut world);
    assert_eq!(closed(&world).len(), 5);
}

#[test]
fn what_a_client_waits_for_is_started_before_all_else() {
    let waits = |socket: Option<&str>| {
        let mut world = booted();
        stay(&mut world, &ALL);
        soft_reboot(&mut world);
        world.soft_reboot(units());
        if let Some(socket) = socket {
            world.connect(socket);
            // A job for it would be cancelled by that of the boot.
            assert_eq!(world.sub(socket), "deferred");
            world.reexec();
            assert_eq!(world.sub(socket), "deferred");
        }
        world.starts.clear();
        world.request(JobKind::Start, "default.target", JobMode::Isolate);
        world
    };
    let world = waits(None);
    assert_eq!(world.starts, ["web.service"]);
    let world = waits(Some("idle.socket"));
    assert_eq!(world.starts, ["idle.service", "web.service"]);
    assert_eq!(world.sub("idle.socket"), "running");
    assert_eq!(world.active("default.target"), ActiveState::Active);
    let world = waits(Some("web.socket"));
    assert_eq!(world.starts, ["web.service"]);
    assert_eq!(world.sub("web.socket"), "running");
}

#[test]
fn what_nobody_names_is_closed() {
    let mut world = booted();
    soft_reboot(&mut world);
    assert_eq!(closed(&world).len(), 4);
}

#[test]
fn a_client_that_comes_meanwhile_waits_for_the_next_userspace() {
    let mut world = booted();
    // The shutdown takes its time.
    world.stubborn.insert("web.service".to_owned());
    stay(&mut world, &ALL);
    soft_reboot(&mut world);
    assert_eq!(world.objective, None);
    world.connect("idle.socket");
    assert_eq!(world.sub("idle.socket"), "deferred");
    // An accepted connection could not be put back.
    assert!(!world.watched.contains(&world.id("each.socket")));
    world.advance(softboot_unit::Usec::from_secs(200));
    assert_eq!(world.objective, Some(Objective::SoftReboot));
    world.soft_reboot(units());
    world.request(JobKind::Start, "default.target", JobMode::Isolate);
    assert_eq!(world.sub("idle.service"), "running");
    assert_eq!(world.sub("idle.socket"), "running");
    assert!(world.watched.contains(&world.id("each.socket")));
}

#[test]
fn a_soft_reboot_that_comes_to_nothing_leaves_them_as_they_were() {
    let mut world = booted();
    stay(&mut world, &ALL);
    assert!(!world.watched.contains(&world.id("each.socket")));
    stay(&mut world, &[]);
    assert!(world.watched.contains(&world.id("each.socket")));

    stay(&mut world, &ALL);
    soft_reboot(&mut world);
    world.feed(Event::ObjectiveAborted {
        reason: "the next program cannot run".to_owned(),
    });
    assert!(world.watched.contains(&world.id("each.socket")));
    assert_eq!(world.start("default.target"), Some(Ok(JobResult::Done)));
    soft_reboot(&mut world);
    assert_eq!(
        closed(&world).len(),
        5,
        "bound.socket twice: {:?}",
        closed(&world)
    );
}

#[test]
fn another_end_closes_them() {
    let mut world = booted();
    stay(&mut world, &ALL);
    world.request(JobKind::Start, "poweroff.service", JobMode::ReplaceIrreversibly);
    assert_eq!(closed(&world).len(), 4);
}

#[test]
fn it_goes_along_in_a_reexec() {
    let mut world = booted();
    world.stubborn.insert("web.service".to_owned());
    stay(&mut world, &ALL);
    soft_reboot(&mut world);
    world.reexec();
    world.connect("idle.socket");
    assert_eq!(world.sub("idle.socket"), "deferred");
    assert!(!world.watched.contains(&world.id("each.socket")));
}

#[test]
fn a_kept_socket_with_other_ports_in_the_next_userspace_is_reconciled() {
    let kept = |path: &str| {
        let port = softboot_unit::Port {
            kind: softboot_unit::PortKind::Stream,
            address: softboot_unit::Address::Path(path.to_owned()),
        };
        let socket = socket("kept.socket", "web.service").unit(|u| u.ignore_on_isolate = true);
        let mut all = units();
        all.push(socket.socket(|s| s.ports = vec![port]).done());
        all
    };
    for (path, wanted) in [("/run/kept", false), ("/run/elsewhere", true)] {
        let mut world = World::new(kept("/run/kept"));
        world.start("kept.socket");
        soft_reboot(&mut world);
        world.trace.clear();
        world.soft_reboot(kept(path));
        let unit = world.id("kept.socket");
        let done = world.trace.contains(&Action::ReconcileSockets { unit });
        assert_eq!(done, wanted, "{path}");
    }
}
