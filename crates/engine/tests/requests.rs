//! Refusals and modes of semantics 2.3 and 2.4.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test program a panic is how a failure shows"
)]

mod common;

use common::World;
use common::build::{oneshot, service, target};
use softboot_engine::*;
use softboot_unit::*;

#[test]
fn each_load_state_has_its_own_error() {
    let loads = [
        LoadState::Masked,
        LoadState::NotFound,
        LoadState::BadSetting("x".into()),
        LoadState::Error("y".into()),
    ];
    for load in loads {
        let mut definition = service("a.service").done();
        definition.load = load.clone();
        let mut world = World::new(vec![definition]);
        let error = world.start("a.service").unwrap().unwrap_err();
        let fits = match load {
            LoadState::Masked => matches!(error, RequestError::Masked(_)),
            LoadState::NotFound => matches!(error, RequestError::NoSuchUnit(_)),
            LoadState::BadSetting(_) => matches!(error, RequestError::BadUnitSetting(_)),
            _ => matches!(error, RequestError::LoadFailed(_)),
        };
        assert!(fits, "{error:?}");
        assert!(world.engine.jobs().is_empty());
    }
}

#[test]
fn a_missing_requirement_is_named_with_who_wants_it() {
    let mut world = World::new(vec![
        service("a.service").requires(&["b.service"]).done(),
        service("b.service").requires(&["gone.service"]).done(),
        target("c.target").wants(&["a.service"]).done(),
    ]);
    let error = world.start("a.service").unwrap().unwrap_err().to_string();
    assert!(
        error.contains("gone.service") && error.contains("wanted by the start of b.service"),
        "{error}"
    );
    assert_eq!(
        world.start("c.target"),
        Some(Ok(JobResult::Done)),
        "a weak pull does not fail its parent"
    );
}

#[test]
fn an_irreversible_job_is_not_replaced() {
    let mut world = World::new(vec![
        service("a.service")
            .conflicts(&["down.target"])
            .before(&["down.target"])
            .done(),
        oneshot("slow.service").before(&["down.target"]).done(),
        target("down.target").wants(&["slow.service"]).done(),
    ]);
    world.start("a.service");
    world.hold.insert("slow.service".to_owned());
    world.request(JobKind::Start, "down.target", JobMode::ReplaceIrreversibly);
    let error = world.start("a.service").unwrap().unwrap_err();
    assert!(
        matches!(error, RequestError::TransactionIsDestructive(_)),
        "{error:?}"
    );
    assert!(error.to_string().contains("down.target"), "{error}");
}

#[test]
fn a_circle_that_matters_is_refused_and_one_that_does_not_is_broken() {
    let circle = |strong: bool| {
        let a = service("a.service").after(&["b.service"]);
        let a = if strong {
            a.requires(&["b.service"])
        } else {
            a.wants(&["b.service"])
        };
        World::new(vec![a.done(), service("b.service").after(&["a.service"]).done()])
    };
    let error = circle(true).start("a.service").unwrap().unwrap_err();
    assert!(
        matches!(error, RequestError::TransactionOrderIsCyclic(_)),
        "{error:?}"
    );
    let mut world = circle(false);
    assert_eq!(world.start("a.service"), Some(Ok(JobResult::Done)));
    assert_eq!(world.sub("b.service"), "dead");
}

#[test]
fn contradictions_that_both_matter_are_refused() {
    let mut world = World::new(vec![
        target("a.target").requires(&["b.service", "c.service"]).done(),
        service("b.service").conflicts(&["c.service"]).done(),
        service("c.service").done(),
    ]);
    let error = world.start("a.target").unwrap().unwrap_err();
    assert!(
        matches!(error, RequestError::TransactionJobsAreConflicting(_)),
        "{error:?}"
    );
}

#[test]
fn isolate_stops_the_rest_but_not_what_ignores_it() {
    let mut world = World::new(vec![
        target("a.target")
            .wants(&["in.service"])
            .unit(|u| u.allow_isolate = true)
            .done(),
        service("in.service").done(),
        service("out.service").done(),
        service("stays.service")
            .unit(|u| u.ignore_on_isolate = true)
            .done(),
    ]);
    world.start("out.service");
    world.start("stays.service");
    world.request(JobKind::Start, "a.target", JobMode::Isolate);
    let subs: Vec<_> = ["in.service", "out.service", "stays.service"]
        .map(|unit| world.sub(unit))
        .to_vec();
    assert_eq!(subs, ["running", "dead", "running"]);
}

#[test]
fn a_restart_keeps_its_job_and_restarts_what_requires_it() {
    let mut world = World::new(vec![
        service("a.service").done(),
        service("b.service")
            .requires(&["a.service"])
            .after(&["a.service"])
            .done(),
    ]);
    world.start("b.service");
    let request = world.request(JobKind::Restart, "a.service", JobMode::Replace);
    assert_eq!(world.done.get(&request), Some(&Ok(JobResult::Done)));
    assert_eq!(world.starts, ["a.service", "b.service", "a.service", "b.service"]);
}
