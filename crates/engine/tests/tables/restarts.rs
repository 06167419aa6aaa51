//! Semantics 4.7 and 4.8: automatic restarts, start limits and what a unit's end does to the machine.

use super::common::build::{oneshot, service};
use super::places::service_in;
use super::*;

fn restarting(change: impl FnOnce(&mut ServiceSection)) -> World {
    service_in("running", |s| {
        s.restart = RestartPolicy::Always;
        change(s);
    })
}

#[test]
fn statuses_stand_above_the_table() {
    // Policy, codes that prevent, codes that force, how it ends, whether another run follows.
    let rows = [
        (RestartPolicy::Always, vec![3], vec![], 3, false),
        (RestartPolicy::Always, vec![3], vec![], 4, true),
        (RestartPolicy::No, vec![], vec![3], 3, true),
        (RestartPolicy::No, vec![], vec![3], 4, false),
        (RestartPolicy::No, vec![3], vec![3], 3, false),
        (RestartPolicy::OnFailure, vec![], vec![0], 0, true),
    ];
    for (policy, prevent, force, code, again) in rows {
        let label = format!("{policy:?}, prevented by {prevent:?}, forced by {force:?}, {code}");
        let mut world = restarting(|s| {
            s.restart = policy;
            s.restart_prevent_codes = prevent;
            s.restart_force_codes = force;
        });
        world.exit_main(UNIT, ExitStatus::Exited(code));
        assert_eq!(world.sub(UNIT) == "auto-restart", again, "{label}");
    }
}

#[test]
fn a_oneshot_that_ended_well_is_not_forced() {
    for (code, again) in [(0, false), (3, true)] {
        let unit = oneshot(UNIT).service(|s| s.restart_force_codes = vec![0, 3]);
        let mut world = World::new(vec![unit.done()]);
        world.hold.insert(UNIT.to_owned());
        world.start(UNIT);
        world.exit_main(UNIT, ExitStatus::Exited(code));
        assert_eq!(world.sub(UNIT) == "auto-restart", again, "{code}");
    }
}

/// A start by hand ends the hold-off, and the restart counts as one.
#[test]
fn a_start_in_the_hold_off_ends_it_at_once() {
    let mut world = service_in("auto-restart", |s| s.restart_delay = Usec::from_secs(3600));
    assert_eq!(world.start(UNIT), Some(Ok(JobResult::Done)));
    assert_eq!(
        (world.sub(UNIT).as_str(), world.status(UNIT).restarts),
        ("running", 1)
    );
    let timer = world.timers.keys().find(|timer| timer.kind == TimerKind::State);
    assert_eq!(timer, None, "nothing of the hold-off is left");
}

#[test]
fn a_start_by_hand_counts_from_none() {
    let mut world = restarting(|_| {});
    world.exit_main(UNIT, ExitStatus::Exited(1));
    world.advance(Usec::from_millis(100));
    assert_eq!(world.status(UNIT).restarts, 1);
    world.stop(UNIT);
    world.start(UNIT);
    assert_eq!(world.status(UNIT).restarts, 0);
}

/// Dependents are restarted with it, unless RestartMode=direct hides the end.
#[test]
fn who_is_restarted_along() {
    for (mode, along) in [(RestartMode::Normal, 2), (RestartMode::Direct, 1)] {
        let own = service(UNIT).service(|s| {
            s.restart = RestartPolicy::Always;
            s.restart_settings.mode = mode;
        });
        let other = service("b.service").dep(DependencyKind::PartOf, UNIT);
        let mut world = World::new(vec![own.done(), other.done()]);
        world.start(UNIT);
        world.start("b.service");
        world.exit_main(UNIT, ExitStatus::Exited(1));
        world.advance(Usec::from_secs(1));
        let count = world.starts.iter().filter(|unit| *unit == "b.service").count();
        assert_eq!(count, along, "{mode:?}");
    }
}

#[test]
fn each_start_counts_but_those_that_a_condition_skips() {
    let limited = |unit: common::build::Builder| {
        unit.unit(|u| {
            u.start_limit = RateLimit {
                interval: Usec::from_secs(10),
                burst: 2,
            }
        })
    };
    let mut world = World::new(vec![limited(oneshot(UNIT)).done()]);
    for expected in [JobResult::Done, JobResult::Done, JobResult::Failed] {
        assert_eq!(world.start(UNIT), Some(Ok(expected)));
    }
    assert_eq!(
        (world.sub(UNIT).as_str(), result(&world, UNIT).as_str()),
        ("failed", "start-limit-hit")
    );
    world.advance(Usec::from_secs(11));
    assert_eq!(world.start(UNIT), Some(Ok(JobResult::Done)), "a new window");

    let condition = Condition {
        test: "PathExists".to_owned(),
        argument: "/x".to_owned(),
        trigger: false,
        negate: false,
    };
    let unit = limited(oneshot(UNIT)).unit(|u| u.conditions = vec![condition]);
    let mut world = World::new(vec![unit.done()]);
    world.unmet.insert(UNIT.to_owned());
    for _ in 0..5 {
        assert_eq!(world.start(UNIT), Some(Ok(JobResult::Done)));
    }
    world.unmet.clear();
    assert_eq!(world.start(UNIT), Some(Ok(JobResult::Done)));
    assert_eq!(world.starts, [UNIT], "the limit had not begun to count");
}

/// FailureAction= when it fails, SuccessAction= when it becomes inactive; by force at once.
#[test]
fn what_an_end_does_to_the_machine() {
    for (code, expected) in [(0, Objective::PowerOff), (1, Objective::Reboot)] {
        let unit = service(UNIT).unit(|u| {
            u.success_action = EmergencyAction::PoweroffForce;
            u.failure_action = EmergencyAction::RebootForce;
        });
        let mut world = World::new(vec![unit.done()]);
        world.start(UNIT);
        assert_eq!(world.objective, None);
        world.exit_main(UNIT, ExitStatus::Exited(code));
        assert_eq!(world.objective, Some(expected), "{code}");
    }
}

/// RuntimeDirectoryPreserve= between two runs, after which nobody stopped the service (systemd.exec(5)).
#[test]
fn runtime_directories_go_between_two_runs_unless_they_are_preserved() {
    for (kept, gone, gone_at_the_end) in [
        (DirectoryPreserve::No, true, true),
        (DirectoryPreserve::Restart, false, true),
        (DirectoryPreserve::Yes, false, false),
    ] {
        let mut world = World::new(vec![
            service(UNIT)
                .service(|s| {
                    s.restart = RestartPolicy::Always;
                    s.exec.runtime_directory = vec!["a".to_owned()];
                    s.exec.runtime_directory_kept = kept;
                    s.exec.runtime_directory_preserve = kept == DirectoryPreserve::Yes;
                })
                .done(),
        ]);
        world.start(UNIT);
        world.exit_main(UNIT, ExitStatus::Exited(1));
        assert_eq!(world.sub(UNIT), "auto-restart");
        let removed = Action::RemoveRuntimeDirectories { unit: world.id(UNIT) };
        assert_eq!(world.trace.contains(&removed), gone, "{kept:?}");
        world.stop(UNIT);
        let released = Action::Release {
            unit: world.id(UNIT),
            runtime_directories: gone_at_the_end,
        };
        assert!(world.trace.contains(&released), "{kept:?}");
    }
}
