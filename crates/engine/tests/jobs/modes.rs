//! Semantics 2.3: every mode.

use super::common::build::{oneshot, service, target};
use super::*;
use JobKind as K;
use JobMode as M;

/// new.service and old.service: `old` runs or has a start job under way, `by` says which of them has Conflicts=.
fn rivals(new_declares: bool, old_runs: bool) -> World {
    let mut new = service("new.service");
    let mut old = oneshot("old.service").service(|s| s.remain_after_exit = true);
    if new_declares {
        new = new.conflicts(&["old.service"]);
    } else {
        old = old.conflicts(&["new.service"]);
    }
    let mut world = World::new(vec![new.done(), old.done()]);
    if !old_runs {
        world.hold.insert("old.service".to_owned());
    }
    world.start("old.service");
    world
}

#[test]
fn what_each_mode_does_to_a_rival() {
    let destructive = "transaction-is-destructive";
    // A oneshot that is killed while it starts has failed.
    // mode, new declares the conflict, old runs (or is just being started): outcome, state of old afterwards
    let rows = [
        (M::Replace, true, true, "done", "inactive"),
        (M::Replace, true, false, "done", "failed"),
        (M::Replace, false, true, "done", "inactive"),
        (M::Fail, true, true, "done", "inactive"),
        (M::Fail, true, false, destructive, "activating"),
        (M::Fail, false, true, "done", "active"),
        (M::Fail, false, false, "done", "activating"),
        (M::Lenient, true, true, destructive, "active"),
        (M::Lenient, true, false, destructive, "activating"),
        (M::Lenient, false, true, "done", "active"),
        (M::Lenient, false, false, "done", "activating"),
        (M::Flush, true, true, "done", "inactive"),
        (M::ReplaceIrreversibly, true, true, "done", "inactive"),
        (M::IgnoreRequirements, true, true, "done", "active"),
        (M::IgnoreDependencies, true, true, "done", "active"),
    ];
    for (mode, declares, runs, outcome, old) in rows {
        let mut world = rivals(declares, runs);
        let label = format!("{mode:?}, new declares {declares}, old runs {runs}");
        assert_eq!(
            word(ask(&mut world, K::Start, "new.service", mode)),
            outcome,
            "{label}"
        );
        assert_eq!(world.active("old.service").word(), old, "{label}");
        let up = world.active("new.service").is_active_ish();
        assert_eq!(up, outcome == "done", "{label}");
    }
}

#[test]
fn a_unit_that_is_being_stopped_is_not_running_for_lenient() {
    let mut world = rivals(true, false);
    world.feed(Event::Cancel(None));
    world.stubborn.insert("old.service".to_owned());
    world.request(K::Stop, "old.service", M::Replace);
    assert_eq!(world.active("old.service"), ActiveState::Deactivating);
    assert_ne!(
        word(ask(&mut world, K::Start, "new.service", M::Lenient)),
        "transaction-is-destructive"
    );
}

#[test]
fn modes_for_one_kind_of_job_refuse_the_others() {
    let kinds = [
        K::Start,
        K::Stop,
        K::Restart,
        K::TryRestart,
        K::Reload,
        K::ReloadOrStart,
    ];
    for kind in kinds {
        for (mode, only) in [
            (M::Isolate, K::Start),
            (M::Triggering, K::Stop),
            (M::RestartDependencies, K::Start),
        ] {
            let unit = service("a.service").unit(|u| u.allow_isolate = true).done();
            let outcome = word(ask(&mut World::new(vec![unit]), kind, "a.service", mode));
            assert_eq!(
                outcome == "invalid-argument",
                kind != only,
                "{kind:?} with {mode:?}: {outcome}"
            );
        }
    }
    let mut world = World::new(vec![target("a.target").done()]);
    assert_eq!(
        word(ask(&mut world, K::Start, "a.target", M::Isolate)),
        "no-isolation"
    );
}

#[test]
fn irreversible_jobs_fall_to_cancel_and_flush_alone() {
    let world = || {
        let mut world = World::new(vec![oneshot("a.service").done(), service("b.service").done()]);
        world.hold.insert("a.service".to_owned());
        world.request(K::Start, "a.service", M::ReplaceIrreversibly);
        world
    };
    for mode in [
        M::Fail,
        M::Lenient,
        M::Replace,
        M::ReplaceIrreversibly,
        M::Flush,
        M::IgnoreRequirements,
    ] {
        let outcome = word(ask(&mut world(), K::Stop, "a.service", mode));
        assert_eq!(outcome, "transaction-is-destructive", "{mode:?}");
    }
    let mut flushed = world();
    ask(&mut flushed, K::Start, "b.service", M::Flush);
    assert_eq!(kind(&flushed, "a.service"), None);
    let mut cancelled = world();
    cancelled.feed(Event::Cancel(None));
    assert_eq!(kind(&cancelled, "a.service"), None);
    let mut merged = world();
    ask(&mut merged, K::Start, "a.service", M::Replace);
    assert!(
        job(&merged, "a.service").unwrap().irreversible,
        "a merge keeps the mark"
    );
}

#[test]
fn flush_and_isolate_spare_the_jobs_of_units_that_ignore_isolation() {
    for mode in [M::Flush, M::Isolate] {
        let mut world = World::new(vec![
            oneshot("gone.service").done(),
            oneshot("kept.service")
                .unit(|u| u.ignore_on_isolate = true)
                .done(),
            target("t.target").unit(|u| u.allow_isolate = true).done(),
        ]);
        for unit in ["gone.service", "kept.service"] {
            world.hold.insert(unit.to_owned());
            world.start(unit);
        }
        assert_eq!(word(ask(&mut world, K::Start, "t.target", mode)), "done");
        assert_eq!(kind(&world, "gone.service"), None, "{mode:?}");
        assert_eq!(kind(&world, "kept.service"), Some(K::Start), "{mode:?}");
        let stopped = world.active("gone.service").is_inactive_ish();
        assert_eq!(stopped, mode == M::Isolate, "only isolate stops the unit as well");
    }
}

/// Semantics 2.5, last clause of the rule.
#[test]
fn isolate_leaves_what_a_kept_unit_triggers() {
    for kept in [true, false] {
        let mut world = World::new(vec![
            common::build::socket("s.socket", "s.service").done(),
            service("s.service").done(),
            target("t.target")
                .wants(if kept { &["s.socket"] } else { &[] })
                .unit(|u| u.allow_isolate = true)
                .done(),
        ]);
        world.start("s.socket");
        world.start("s.service");
        ask(&mut world, K::Start, "t.target", M::Isolate);
        assert_eq!(world.active("s.service").is_active_ish(), kept);
    }
}

#[test]
fn triggering_stops_what_would_start_the_unit_again() {
    for (mode, socket) in [(M::Triggering, false), (M::Replace, true)] {
        let mut world = World::new(vec![
            common::build::socket("s.socket", "s.service").done(),
            service("s.service").done(),
        ]);
        world.start("s.socket");
        world.start("s.service");
        ask(&mut world, K::Stop, "s.service", mode);
        assert_eq!(world.active("s.socket").is_active_ish(), socket, "{mode:?}");
    }
}

#[test]
fn restart_dependencies_restarts_those_that_a_restart_would() {
    for (mode, starts) in [(M::RestartDependencies, 2), (M::Replace, 1)] {
        let mut world = World::new(vec![
            service("a.service").done(),
            service("b.service").dep(D::PartOf, "a.service").done(),
            service("down.service").dep(D::PartOf, "a.service").done(),
        ]);
        world.start("b.service");
        ask(&mut world, K::Start, "a.service", mode);
        let count = world.starts.iter().filter(|unit| *unit == "b.service").count();
        assert_eq!(count, starts, "{mode:?}");
        assert!(!world.starts.contains(&"down.service".to_owned()));
    }
}

#[test]
fn modes_without_requirements_pull_nothing_and_one_of_them_keeps_the_order() {
    for (mode, waits) in [(M::IgnoreRequirements, true), (M::IgnoreDependencies, false)] {
        let mut world = World::new(vec![
            oneshot("a.service").done(),
            service("needs.service").done(),
            service("b.service")
                .requires(&["needs.service"])
                .after(&["a.service"])
                .done(),
        ]);
        world.hold.insert("a.service".to_owned());
        world.start("a.service");
        world.request(K::Start, "b.service", mode);
        assert_eq!(kind(&world, "b.service").is_some(), waits, "{mode:?}");
        assert_eq!(world.sub("needs.service"), "dead");
    }
}
