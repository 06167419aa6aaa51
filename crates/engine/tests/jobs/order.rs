//! Semantics 2.6: two units, `b` After= `a`, every pair of jobs.

use super::common::build::{command, service};
use super::*;
use JobKind as K;

/// Two units that stay in whatever a job makes of them, in the state in which their jobs do something.
fn two(first: (&str, K), second: (&str, K)) -> World {
    let unit = |name: &str| {
        common::build::oneshot(name).service(|s| {
            s.remain_after_exit = true;
            s.exec_reload = vec![command("/bin/reload")];
            s.exec_stop = vec![command("/bin/stop")];
        })
    };
    let mut world = World::new(vec![
        unit("a.service").done(),
        unit("b.service").after(&["a.service"]).done(),
        service("other.service").done(),
    ]);
    for (unit, kind) in [first, second] {
        if matches!(kind, K::Stop | K::Restart | K::Reload) {
            world.start(unit);
        }
    }
    for unit in ["a.service", "b.service"] {
        world.hold.insert(unit.to_owned());
        world.stuck.insert((unit.to_owned(), ExecList::Stop));
        world.stuck.insert((unit.to_owned(), ExecList::Reload));
    }
    world
}

/// The table: is the job of the earlier unit `a` the first?
fn a_goes_first(_a: K, b: K) -> bool {
    !matches!(b, K::Stop | K::Restart)
}

/// With `first` begun and not over: does `second` wait?
fn waits(first: (&str, K), second: (&str, K), mode: JobMode) -> bool {
    let mut world = two(first, second);
    world.request(first.1, first.0, JobMode::Replace);
    assert!(job(&world, first.0).unwrap().running, "{first:?}");
    world.request(second.1, second.0, mode);
    let job = job(&world, second.0);
    job.is_some_and(|job| !job.running)
}

#[test]
fn the_later_unit_decides() {
    let begins = [K::Start, K::Stop, K::Restart, K::Reload];
    let asks = [K::Start, K::Stop, K::Restart, K::Reload, K::VerifyActive];
    for first in begins {
        for second in asks {
            let (a, b) = (("a.service", first), ("b.service", second));
            assert_eq!(
                waits(a, b, JobMode::Replace),
                a_goes_first(first, second),
                "{second:?} of b while {first:?} of a"
            );
            let (a, b) = (("a.service", second), ("b.service", first));
            assert_eq!(
                waits(b, a, JobMode::Replace),
                !a_goes_first(second, first),
                "{second:?} of a while {first:?} of b"
            );
        }
    }
}

#[test]
fn a_job_that_ignores_order_waits_for_nobody() {
    for first in [K::Start, K::Stop, K::Restart] {
        for second in [K::Start, K::Stop, K::Restart] {
            for (first, second) in [
                (("a.service", first), ("b.service", second)),
                (("b.service", second), ("a.service", first)),
            ] {
                assert!(
                    !waits(first, second, JobMode::IgnoreDependencies),
                    "{second:?} while {first:?}"
                );
            }
        }
    }
}

#[test]
fn an_order_pulls_nothing_in() {
    let mut world = two(("a.service", K::Start), ("b.service", K::Start));
    world.request(K::Start, "b.service", JobMode::Replace);
    assert_eq!(job(&world, "a.service"), None);
}

/// A waiting job looks at its neighbours again when one of them changes its kind.
#[test]
fn a_stop_that_takes_the_place_of_a_start_turns_the_order_round() {
    let mut world = two(("a.service", K::Start), ("b.service", K::Start));
    world.request(K::Start, "a.service", JobMode::Replace);
    world.request(K::Start, "b.service", JobMode::Replace);
    assert!(!job(&world, "b.service").unwrap().running);
    // b is inactive, so its stop is over at once; a goes on.
    world.request(K::Stop, "b.service", JobMode::Replace);
    assert_eq!(job(&world, "b.service"), None);
    assert!(job(&world, "a.service").unwrap().running);
}
