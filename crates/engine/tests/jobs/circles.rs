//! Semantics 2.4, activate 5: circles of orders, and which job goes.

use super::common::build::{oneshot, service, target};
use super::*;
use JobKind as K;

/// t.target pulls in a, b and c, which are ordered in a circle: a before b before c before a.
fn circle(strong: &[&str], weak: &[&str]) -> World {
    World::new(vec![
        target("t.target").requires(strong).wants(weak).done(),
        service("a.service").before(&["b.service"]).done(),
        service("b.service").before(&["c.service"]).done(),
        service("c.service").before(&["a.service"]).done(),
    ])
}

#[test]
fn the_last_job_of_the_path_that_does_not_matter_goes() {
    let rows: [(&[&str], &[&str], &str); 4] = [
        (&[], &["a.service", "b.service", "c.service"], "c.service"),
        (&["c.service"], &["a.service", "b.service"], "b.service"),
        (&["b.service", "c.service"], &["a.service"], "a.service"),
        (&["a.service", "c.service"], &["b.service"], "b.service"),
    ];
    for (strong, weak, victim) in rows {
        let mut world = circle(strong, weak);
        assert_eq!(
            word(ask(&mut world, K::Start, "t.target", JobMode::Replace)),
            "done"
        );
        for unit in ["a.service", "b.service", "c.service"] {
            let up = world.active(unit).is_active_ish();
            assert_eq!(up, unit != victim, "{unit}; {strong:?} matter");
        }
    }
}

#[test]
fn a_circle_that_matters_throughout_is_refused_and_changes_nothing() {
    let mut world = circle(&["a.service", "b.service", "c.service"], &[]);
    let outcome = ask(&mut world, K::Start, "t.target", JobMode::Replace);
    let text = outcome.clone().unwrap().unwrap_err().to_string();
    assert_eq!(word(outcome), "transaction-order-is-cyclic");
    for unit in ["a.service", "b.service", "c.service"] {
        assert!(text.contains(unit), "{text}");
    }
    assert_eq!(world.starts, [""; 0]);
}

#[test]
fn what_only_the_victim_needed_goes_with_it() {
    let mut world = World::new(vec![
        target("t.target")
            .requires(&["a.service"])
            .wants(&["b.service"])
            .done(),
        service("a.service").before(&["b.service"]).done(),
        service("b.service")
            .before(&["a.service"])
            .requires(&["only.service"])
            .done(),
        service("only.service").done(),
    ]);
    ask(&mut world, K::Start, "t.target", JobMode::Replace);
    assert_eq!(world.starts, ["a.service"]);
}

#[test]
fn a_circle_through_an_installed_job_counts() {
    let mut world = World::new(vec![
        oneshot("old.service").before(&["new.service"]).done(),
        service("new.service").before(&["old.service"]).done(),
    ]);
    world.hold.insert("old.service".to_owned());
    world.start("old.service");
    let outcome = word(ask(&mut world, K::Start, "new.service", JobMode::Replace));
    assert_eq!(outcome, "transaction-order-is-cyclic");
}

/// As sysinit.target, a survivor by the manual's recipe, and emergency.target are to each other.
#[test]
fn a_stop_can_follow_orders_that_no_start_could() {
    let mut world = World::new(vec![
        target("sysinit.target")
            .after(&["emergency.target"])
            .conflicts(&["emergency.target"])
            .done(),
        service("survivor.service")
            .after(&["sysinit.target"])
            .before(&["emergency.target"])
            .conflicts(&["emergency.target"])
            .done(),
        target("emergency.target")
            .unit(|unit| unit.allow_isolate = true)
            .done(),
    ]);
    world.start("sysinit.target");
    world.start("survivor.service");
    for mode in [JobMode::Replace, JobMode::Isolate] {
        assert_eq!(word(ask(&mut world, K::Start, "emergency.target", mode)), "done");
        assert!(!world.active("survivor.service").is_active_ish(), "{mode:?}");
        assert!(!world.active("sysinit.target").is_active_ish(), "{mode:?}");
    }
    assert_eq!(world.active("emergency.target"), ActiveState::Active);
}

/// A restart is a stop and a start: the stops can be ordered, the starts cannot.
#[test]
fn a_restart_follows_both_orders_or_none() {
    let mut world = World::new(vec![
        service("a.service")
            .before(&["b.service"])
            .requires(&["b.service"])
            .done(),
        service("b.service").before(&["a.service"]).done(),
    ]);
    let outcome = word(ask(&mut world, K::Start, "a.service", JobMode::Replace));
    assert_eq!(outcome, "transaction-order-is-cyclic");
    ask(&mut world, K::Start, "b.service", JobMode::IgnoreDependencies);
    ask(&mut world, K::Start, "a.service", JobMode::IgnoreDependencies);
    let outcome = word(ask(&mut world, K::Restart, "b.service", JobMode::Replace));
    assert_eq!(outcome, "transaction-order-is-cyclic");
}

#[test]
fn without_order_there_is_no_circle() {
    let mut world = World::new(vec![
        oneshot("a.service").before(&["b.service"]).done(),
        oneshot("b.service").before(&["a.service"]).done(),
    ]);
    world.hold.insert("a.service".to_owned());
    world.start("a.service");
    let outcome = word(ask(
        &mut world,
        K::Start,
        "b.service",
        JobMode::IgnoreDependencies,
    ));
    assert_eq!(outcome, "done");
}
