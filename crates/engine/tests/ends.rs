//! Two ends of a userspace at once: which of them holds.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test program a panic is how a failure shows"
)]

mod common;

use common::build::{oneshot, service, target};
use common::{World, name};
use softboot_engine::*;
use softboot_unit::{Definition, EmergencyAction as E, JobMode};

const SHARED: [&str; 3] = ["shutdown.target", "umount.target", "final.target"];

/// The targets of the ends, and a service whose stop takes as long as the test wants.
fn units() -> Vec<Definition> {
    let mut units = vec![
        service("held.service").stops_at_shutdown().done(),
        target("shutdown.target").done(),
        target("umount.target").done(),
        target("final.target")
            .after(&["shutdown.target", "umount.target"])
            .done(),
    ];
    for (end, action) in [
        ("soft-reboot", E::SoftRebootForce),
        ("reboot", E::RebootForce),
        ("poweroff", E::PoweroffForce),
    ] {
        let (unit, carries_out) = (format!("{end}.target"), format!("systemd-{end}.service"));
        units.push(
            oneshot(&carries_out)
                .requires(&SHARED)
                .after(&SHARED)
                .service(|s| s.exec_start.clear())
                .unit(|u| u.success_action = action)
                .done(),
        );
        units.push(
            target(&unit)
                .requires(&[&carries_out])
                .after(&[&carries_out])
                .unit(|u| u.allow_isolate = true)
                .done(),
        );
    }
    units
}

/// `end` is under way and waits for the stop of a service.
fn under_way(end: &str) -> World {
    let mut world = World::new(units());
    world.start("held.service");
    world.stubborn.insert("held.service".to_owned());
    world.queue_request(JobKind::Start, end, JobMode::ReplaceIrreversibly);
    world.settle();
    assert_eq!(world.active("held.service"), ActiveState::Deactivating);
    world
}

fn starts(world: &World, end: &str) -> bool {
    matches!(world.status(end).job, Some((_, JobKind::Start)))
}

fn stop_is_done(world: &mut World) {
    world.exit_main("held.service", ExitStatus::Exited(0));
    world.settle();
}

#[test]
fn who_waits_for_an_answer_is_refused_and_may_ask_for_the_same_again() {
    let mut world = under_way("soft-reboot.target");
    assert!(world.engine.another_end(&name("soft-reboot.target")).is_none());
    assert!(world.engine.another_end(&name("held.service")).is_none());
    for (number, end, granted) in [(900, "poweroff.target", false), (901, "soft-reboot.target", true)] {
        let request = RequestId(number);
        world.feed(Event::Request {
            request,
            kind: JobKind::Start,
            unit: name(end),
            mode: JobMode::Replace,
            manual: true,
        });
        let refused = matches!(world.done.get(&request), Some(Err(RequestError::ShuttingDown(_))));
        assert_eq!((refused, starts(&world, end)), (!granted, granted), "{end}");
    }
    stop_is_done(&mut world);
    assert_eq!(world.objective, Some(Objective::SoftReboot));
}

#[test]
fn of_two_ends_the_one_after_which_less_goes_on_holds_where_nobody_can_be_answered() {
    for (first, action, wins, objective) in [
        ("soft-reboot.target", E::Poweroff, true, Objective::PowerOff),
        ("soft-reboot.target", E::Reboot, true, Objective::Reboot),
        ("reboot.target", E::Poweroff, true, Objective::PowerOff),
        ("poweroff.target", E::Reboot, false, Objective::PowerOff),
        ("poweroff.target", E::SoftReboot, false, Objective::PowerOff),
        ("reboot.target", E::Reboot, false, Objective::Reboot),
    ] {
        let mut world = under_way(first);
        world.feed(Event::Signal(ManagerSignal::Shutdown(action)));
        world.settle();
        assert_eq!(starts(&world, first), !wins, "{first}, then {action:?}");
        stop_is_done(&mut world);
        assert_eq!(world.objective, Some(objective), "{first}, then {action:?}");
    }
}

#[test]
fn by_force_an_end_is_at_once() {
    let mut world = under_way("soft-reboot.target");
    world.feed(Event::Signal(ManagerSignal::Shutdown(E::PoweroffForce)));
    world.settle();
    assert_eq!(world.objective, Some(Objective::PowerOff));
}

#[test]
fn in_the_final_kill_an_end_of_the_machine_takes_the_place_of_a_lesser_one() {
    for (first, second, objective) in [
        (E::RebootForce, E::Poweroff, Objective::PowerOff),
        (E::PoweroffForce, E::Reboot, Objective::PowerOff),
        (E::SoftRebootForce, E::Poweroff, Objective::SoftReboot),
    ] {
        let mut world = World::new(units());
        world.start("held.service");
        world.step(Event::Signal(ManagerSignal::Shutdown(first)));
        assert_eq!(world.objective, None);
        let refused = |end: &str| world.engine.another_end(&name(end)).is_some();
        let ends = ["soft-reboot.target", "reboot.target", "poweroff.target"];
        assert_eq!(
            ends.into_iter().filter(|end| refused(end)).count(),
            2,
            "{first:?}"
        );
        // The processes that it ends are still there.
        world.step(Event::Signal(ManagerSignal::Shutdown(second)));
        world.settle();
        assert_eq!(world.objective, Some(objective), "{first:?}, then {second:?}");
    }
}
