//! Semantics 2.9: what follows without a request.

use super::common::build::{oneshot, service, target};
use super::*;
use JobKind as K;
use softboot_unit::Usec;

fn up(world: &World, unit: &str) -> bool {
    world.active(unit).is_active_ish()
}

/// A service goes down by itself: who goes with it?
#[test]
fn whom_an_end_takes_along() {
    let rows = [
        (D::BindsTo, true),
        (D::Requires, false),
        (D::PartOf, false),
        (D::Wants, false),
        (D::Requisite, false),
    ];
    for (relation, along) in rows {
        let mut world = World::new(vec![
            service("a.service").done(),
            service("b.service")
                .dep(relation, "a.service")
                .after(&["a.service"])
                .done(),
        ]);
        world.start("a.service");
        world.start("b.service");
        world.exit_main("a.service", ExitStatus::Exited(0));
        assert_eq!(up(&world, "b.service"), !along, "{relation:?}");
    }
}

#[test]
fn a_unit_that_comes_up_by_itself_has_what_it_needs_started() {
    // Of a device: nobody makes it come.
    for (relation, ordered, started) in [
        (D::Requires, false, true),
        (D::BindsTo, false, true),
        (D::Wants, false, true),
        (D::Requires, true, false),
        (D::Wants, true, false),
        (D::PartOf, false, false),
    ] {
        let mut device = common::build::device("dev-x.device").dep(relation, "a.service");
        if ordered {
            device = device.after(&["a.service"]);
        }
        let mut world = World::new(vec![device.done(), service("a.service").done()]);
        let unit = world.id("dev-x.device");
        world.feed(Event::DeviceSeen { unit, present: true });
        assert_eq!(
            up(&world, "a.service"),
            started,
            "{relation:?}, ordered: {ordered}"
        );
    }
    for device_declares in [true, false] {
        let (mut device, mut rival) = (common::build::device("dev-x.device"), service("a.service"));
        if device_declares {
            device = device.conflicts(&["a.service"]);
        } else {
            rival = rival.conflicts(&["dev-x.device"]);
        }
        let mut world = World::new(vec![device.done(), rival.done()]);
        world.request(K::Start, "a.service", JobMode::IgnoreDependencies);
        let unit = world.id("dev-x.device");
        world.feed(Event::DeviceSeen { unit, present: true });
        assert!(
            !up(&world, "a.service"),
            "the device declares it: {device_declares}"
        );
    }
}

#[test]
fn upheld_units_come_back_and_not_for_ever() {
    let mut world = World::new(vec![
        target("t.target").dep(D::Upholds, "a.service").done(),
        service("a.service").unit(|u| u.start_limit.burst = 0).done(),
    ]);
    world.start("t.target");
    assert!(up(&world, "a.service"));
    world.exit_main("a.service", ExitStatus::Exited(1));
    assert!(up(&world, "a.service"));
    world.starts.clear();
    for _ in 0..40 {
        if up(&world, "a.service") {
            world.exit_main("a.service", ExitStatus::Exited(1));
        }
    }
    assert!((14..=16).contains(&world.starts.len()), "{}", world.starts.len());
    assert!(!up(&world, "a.service"), "16 times in 10 s are enough");
    world.advance(Usec::from_secs(11));
    world.start("a.service");
    world.exit_main("a.service", ExitStatus::Exited(1));
    assert!(up(&world, "a.service"), "a new window");
}

#[test]
fn the_limit_of_automatic_starts_goes_over_a_reexec() {
    let mut world = World::new(vec![
        target("t.target").dep(D::Upholds, "a.service").done(),
        service("a.service").unit(|u| u.start_limit.burst = 0).done(),
    ]);
    world.reexec_always = true;
    world.start("t.target");
    for _ in 0..40 {
        if up(&world, "a.service") {
            world.exit_main("a.service", ExitStatus::Exited(1));
        }
    }
    assert!(world.starts.len() < 20, "{}", world.starts.len());
}

#[test]
fn unneeded_units_go_when_the_last_user_is_down() {
    for relation in [D::Requires, D::Wants, D::BindsTo, D::Requisite, D::Upholds] {
        let mut world = World::new(vec![
            service("user.service").dep(relation, "a.service").done(),
            service("a.service").unit(|u| u.stop_when_unneeded = true).done(),
        ]);
        world.request(K::Start, "user.service", JobMode::IgnoreDependencies);
        world.start("a.service");
        assert!(up(&world, "a.service"), "{relation:?}");
        world.stubborn.insert("user.service".to_owned());
        world.request(K::Stop, "user.service", JobMode::IgnoreDependencies);
        assert!(
            up(&world, "a.service"),
            "{relation:?}: in use until the user is down"
        );
        world.exit_main("user.service", ExitStatus::Exited(0));
        assert!(!up(&world, "a.service"), "{relation:?}");
    }
}

/// What could not be started for want of another has failed for who waits for it (semantics 2.7).
#[test]
fn on_failure_is_told_of_a_unit_that_lacks_what_it_needs() {
    let mut world = World::new(vec![
        oneshot("needed.service").done(),
        service("a.service")
            .requires(&["needed.service"])
            .after(&["needed.service"])
            .dep(D::OnFailure, "helper.service")
            .done(),
        service("helper.service").done(),
    ]);
    world.hold.insert("needed.service".to_owned());
    world.request(K::Start, "a.service", JobMode::Replace);
    assert!(!up(&world, "helper.service"));
    world.exit_main("needed.service", ExitStatus::Exited(1));
    assert!(up(&world, "helper.service"));
}

/// To forget a failure is no success.
#[test]
fn reset_failed_starts_nothing() {
    let mut world = World::new(vec![
        service("a.service").dep(D::OnSuccess, "next.service").done(),
        service("next.service").done(),
    ]);
    world.start("a.service");
    world.exit_main("a.service", ExitStatus::Exited(1));
    assert_eq!(world.active("a.service"), ActiveState::Failed);
    world.feed(Event::ResetFailed(None));
    assert_eq!(world.active("a.service"), ActiveState::Inactive);
    assert!(!up(&world, "next.service"));
}

#[test]
fn on_failure_and_on_success_start_their_units_with_their_modes() {
    for (relation, code) in [(D::OnFailure, 1), (D::OnSuccess, 0)] {
        let world = |mode: JobMode| {
            let mut world = World::new(vec![
                service("a.service")
                    .dep(relation, "next.service")
                    .unit(|u| {
                        u.on_failure_job_mode = mode;
                        u.on_success_job_mode = mode;
                    })
                    .done(),
                service("next.service").conflicts(&["rival.service"]).done(),
                oneshot("rival.service").done(),
            ]);
            world.start("a.service");
            world.hold.insert("rival.service".to_owned());
            world.start("rival.service");
            world.exit_main("a.service", ExitStatus::Exited(code));
            up(&world, "next.service")
        };
        assert!(world(JobMode::Replace), "{relation:?}");
        assert!(
            !world(JobMode::Fail),
            "{relation:?}: the rival's start job stands in the way"
        );
    }
    let defaults = softboot_unit::UnitSection::empty(&common::name("a.service"));
    assert_eq!(defaults.on_failure_job_mode, JobMode::Replace);
    assert_eq!(defaults.on_success_job_mode, JobMode::Fail);
}
