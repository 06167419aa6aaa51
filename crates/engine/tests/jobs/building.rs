//! Semantics 2.4: what is pulled in, what matters, what is dropped, what is destructive.

use super::common::build::{command, oneshot, service, target};
use super::*;
use JobKind as K;

/// The jobs that a request makes, before any of them runs: everything is held behind a start that does not end.
fn made(world: &mut World, request: K, unit: &str, mode: JobMode) -> Vec<(String, K)> {
    world.trace.clear();
    world.queue_request(request, unit, mode);
    let mut list: Vec<(String, K)> = world
        .trace
        .iter()
        .filter_map(|action| match action {
            Action::JobNew { unit, kind, .. } => Some((world.engine.name(*unit).unwrap().to_string(), *kind)),
            _ => None,
        })
        .filter(|(name, _)| name != unit)
        .collect();
    list.sort();
    list
}

fn reloads(text: &str) -> common::build::Builder {
    service(text).service(|s| s.exec_reload = vec![command("/bin/reload")])
}

#[test]
fn the_table_of_pulls() {
    // `a` has this towards `b`; the request is for `a` or `b`; the state of the other; what is pulled in.
    let rows = [
        (D::Requires, K::Start, "a", false, Some(K::Start)),
        (D::BindsTo, K::Start, "a", false, Some(K::Start)),
        (D::Wants, K::Start, "a", false, Some(K::Start)),
        (D::Upholds, K::Start, "a", false, Some(K::Start)),
        (D::Requisite, K::Start, "a", false, Some(K::VerifyActive)),
        (D::Conflicts, K::Start, "a", true, Some(K::Stop)),
        (D::Conflicts, K::Start, "b", true, Some(K::Stop)),
        (D::PartOf, K::Start, "a", false, None),
        (D::Requires, K::Start, "b", false, None),
        (D::Requires, K::Stop, "b", true, Some(K::Stop)),
        (D::Requisite, K::Stop, "b", true, Some(K::Stop)),
        (D::BindsTo, K::Stop, "b", true, Some(K::Stop)),
        (D::PartOf, K::Stop, "b", true, Some(K::Stop)),
        (D::Wants, K::Stop, "b", true, None),
        (D::Requires, K::Stop, "a", true, None),
        (D::Requires, K::Restart, "b", true, Some(K::Restart)),
        (D::Requires, K::Restart, "b", false, None),
        (D::Requisite, K::Restart, "b", true, Some(K::Restart)),
        (D::BindsTo, K::Restart, "b", true, Some(K::Restart)),
        (D::PartOf, K::Restart, "b", true, Some(K::Restart)),
        (D::PropagatesStopTo, K::Stop, "a", true, Some(K::Stop)),
        (D::PropagatesStopTo, K::Restart, "a", true, Some(K::Stop)),
        (D::PropagatesStopTo, K::Start, "a", true, None),
        (D::StopPropagatedFrom, K::Stop, "b", true, Some(K::Stop)),
        (D::StopPropagatedFrom, K::Stop, "a", true, None),
        (D::PropagatesReloadTo, K::Reload, "a", true, Some(K::Reload)),
        (D::PropagatesReloadTo, K::Reload, "a", false, None),
        (D::ReloadPropagatedFrom, K::Reload, "b", true, Some(K::Reload)),
        (D::ReloadPropagatedFrom, K::Reload, "a", true, None),
        (D::Requires, K::Reload, "a", false, None),
        (D::Requires, K::VerifyActive, "a", false, None),
    ];
    for (relation, request, of, up, pulled) in rows {
        let mut world = World::new(vec![
            reloads("a.service").dep(relation, "b.service").done(),
            reloads("b.service").done(),
        ]);
        let (unit, other) = if of == "a" {
            ("a.service", "b.service")
        } else {
            ("b.service", "a.service")
        };
        if request != K::Start {
            world.request(K::Start, unit, JobMode::IgnoreDependencies);
        }
        if up {
            world.request(K::Start, other, JobMode::IgnoreDependencies);
        }
        let expected: Vec<_> = pulled.map(|kind| (other.to_owned(), kind)).into_iter().collect();
        let found = made(&mut world, request, unit, JobMode::Replace);
        assert_eq!(
            found, expected,
            "a has {relation:?}=b, {request:?} of {of}, the other is up: {up}"
        );
    }
}

#[test]
fn a_stop_reaches_a_unit_that_is_to_be_started_as_a_restart() {
    let mut world = World::new(vec![
        service("a.service")
            .requires(&["b.service"])
            .dep(D::PropagatesStopTo, "b.service")
            .done(),
        service("b.service").done(),
    ]);
    world.start("a.service");
    world.starts.clear();
    assert_eq!(
        word(ask(&mut world, K::Restart, "a.service", JobMode::Replace)),
        "done"
    );
    world.starts.sort();
    assert_eq!(world.starts, ["a.service", "b.service"]);
}

#[test]
fn a_reload_of_a_target_reaches_whom_it_names() {
    let mut world = World::new(vec![
        target("t.target").dep(D::PropagatesReloadTo, "a.service").done(),
        target("silent.target").done(),
        reloads("a.service").done(),
    ]);
    world.start("t.target");
    world.start("a.service");
    world.start("silent.target");
    world.trace.clear();
    assert_eq!(
        word(ask(&mut world, K::Reload, "t.target", JobMode::Replace)),
        "done"
    );
    let reloaded = world
        .trace
        .iter()
        .any(|a| matches!(a, Action::Spawn(s) if s.command.list == ExecList::Reload));
    assert!(reloaded);
    let outcome = word(ask(&mut world, K::Reload, "silent.target", JobMode::Replace));
    assert_eq!(outcome, "job-type-not-applicable");
}

#[test]
fn a_weak_pull_that_cannot_be_does_no_harm_and_a_strong_one_takes_its_requesters_along() {
    let strong = [D::Requires, D::BindsTo, D::Requisite];
    for relation in strong.into_iter().chain([D::Wants, D::Upholds, D::Conflicts]) {
        let mut world = World::new(vec![
            service("a.service").dep(relation, "gone.service").done(),
            target("t.target").wants(&["a.service"]).done(),
        ]);
        let fatal = strong.contains(&relation);
        let expected = if fatal { "no-such-unit" } else { "done" };
        assert_eq!(
            word(ask(&mut world, K::Start, "a.service", JobMode::Replace)),
            expected,
            "{relation:?}"
        );
        ask(&mut world, K::Stop, "a.service", JobMode::Replace);
        world.starts.clear();
        assert_eq!(
            word(ask(&mut world, K::Start, "t.target", JobMode::Replace)),
            "done",
            "{relation:?}"
        );
        assert_eq!(world.starts.is_empty(), fatal, "{relation:?}");
    }
}

#[test]
fn what_is_there_already_gets_no_job_nor_what_only_it_needs() {
    let mut world = World::new(vec![
        service("a.service").requires(&["b.service"]).done(),
        service("b.service").wants(&["c.service"]).done(),
        service("c.service").done(),
    ]);
    world.request(K::Start, "b.service", JobMode::IgnoreDependencies);
    assert_eq!(made(&mut world, K::Start, "a.service", JobMode::Replace), []);
    assert_eq!(world.sub("c.service"), "dead");
}

/// Activate 3: a redundant job stays where the unit has a contrary one installed.
#[test]
fn a_redundant_start_replaces_a_waiting_stop() {
    let mut world = World::new(vec![
        service("a.service").requires(&["b.service"]).done(),
        service("b.service").after(&["slow.service"]).done(),
        oneshot("slow.service")
            .service(|s| s.remain_after_exit = true)
            .done(),
    ]);
    world.start("b.service");
    world.start("slow.service");
    // The later unit's stop goes first, so hold it by the order the other way round.
    world.hold.insert("slow.service".to_owned());
    world.stubborn.insert("b.service".to_owned());
    world.request(K::Stop, "b.service", JobMode::Replace);
    assert_eq!(kind(&world, "b.service"), Some(K::Stop));
    let made = made(&mut world, K::Start, "a.service", JobMode::Replace);
    assert_eq!(made, [("b.service".to_owned(), K::Start)]);
}

/// Activate 6, the three rows for pairs that cannot be merged.
#[test]
fn unmergeable_pairs() {
    // How t.target has b.service started and stopped, and what becomes of b, which is inactive at first or active.
    let build = |start: D, stop: D, up: bool| {
        let mut world = World::new(vec![
            target("t.target")
                .dep(start, "b.service")
                .dep(stop, "b.service")
                .done(),
            service("b.service").done(),
        ]);
        if up {
            world.start("b.service");
        }
        let outcome = word(ask(&mut world, K::Start, "t.target", JobMode::Replace));
        (outcome, world.active("b.service").is_active_ish())
    };
    let both = "transaction-jobs-are-conflicting".to_owned();
    assert_eq!(build(D::Requires, D::Conflicts, false), (both.clone(), false));
    assert_eq!(build(D::Requires, D::Conflicts, true), (both, true));
    assert_eq!(build(D::Wants, D::Conflicts, false), ("done".to_owned(), false));
    assert_eq!(build(D::Wants, D::Conflicts, true), ("done".to_owned(), false));
}

#[test]
fn of_a_pair_that_does_not_matter_the_stop_of_a_conflict_stays_and_another_goes() {
    let world = |other: D, subject: &str| {
        let mut x = service("x.service");
        let mut b = service("b.service");
        if subject == "x" {
            x = x.dep(other, "b.service");
        } else {
            b = b.dep(other, "x.service");
        }
        let mut world = World::new(vec![
            target("t.target").wants(&["b.service", "x.service"]).done(),
            x.done(),
            b.done(),
        ]);
        ask(&mut world, K::Start, "t.target", JobMode::Replace);
        let up = |unit: &str| world.active(unit).is_active_ish();
        (up("b.service"), up("x.service"))
    };
    // x Conflicts= b: the stop of b stays, its start goes.
    assert_eq!(world(D::Conflicts, "x"), (false, true));
    // b Conflicts= x: the other way round.
    assert_eq!(world(D::Conflicts, "b"), (true, false));
}

#[test]
fn no_mode_but_fail_and_lenient_spares_what_does_not_matter() {
    let rows = [
        (JobMode::Replace, false),
        (JobMode::Flush, false),
        (JobMode::ReplaceIrreversibly, false),
        (JobMode::Fail, true),
        (JobMode::Lenient, true),
    ];
    for (mode, spared) in rows {
        let mut world = World::new(vec![
            service("a.service").done(),
            service("b.service").conflicts(&["a.service"]).done(),
        ]);
        world.start("b.service");
        assert_eq!(word(ask(&mut world, K::Start, "a.service", mode)), "done");
        assert_eq!(world.active("b.service").is_active_ish(), spared, "{mode:?}");
    }
}
