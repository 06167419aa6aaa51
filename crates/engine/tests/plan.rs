//! What a request would do, and refusals as data (semantics 2.4).

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
use softboot_unit::JobMode;

fn plan(world: &World, kind: JobKind, unit: &str, mode: JobMode) -> Result<Plan, Box<Refusal>> {
    let before = format!("{:?}", world.engine);
    let plan = world.engine.plan(kind, &name(unit), mode);
    assert_eq!(
        format!("{:?}", world.engine),
        before,
        "a question changes nothing"
    );
    let text = serde_json::to_string(&plan.as_ref().map_err(AsRef::as_ref)).unwrap();
    let back: Result<Plan, Refusal> = serde_json::from_str(&text).unwrap();
    assert_eq!(back.map_err(Box::new), plan, "through JSON and back");
    plan
}

fn told(chain: &[Link]) -> String {
    let links = chain.iter().map(|link| format!("{}>{link}", link.reason));
    links.collect::<Vec<_>>().join(" ")
}

#[test]
fn every_job_has_its_chain() {
    let world = World::new(vec![
        target("t.target").wants(&["a.service"]).done(),
        service("a.service").requires(&["b.service"]).done(),
        service("b.service").conflicts(&["c.service"]).done(),
        service("c.service").done(),
    ]);
    let plan = plan(&world, JobKind::Start, "t.target", JobMode::Replace).unwrap();
    let chains: Vec<_> = plan
        .jobs
        .iter()
        .map(|job| (job.matters, told(&job.chain)))
        .collect();
    let t = "requested>start of t.target";
    let a = format!("{t} Wants>start of a.service");
    let b = format!("{a} Requires>start of b.service");
    assert_eq!(chains, [(true, t.to_owned()), (false, a), (false, b.clone())]);
    let dropped = &plan.dropped[0];
    assert_eq!(dropped.why, DropReason::Redundant, "c.service is down already");
    assert_eq!(told(&dropped.chain), format!("{b} Conflicts>stop of c.service"));
}

#[test]
fn what_is_left_out_says_why() {
    let mut world = World::new(vec![
        target("t.target")
            .requires(&["keeps.service"])
            .wants(&["gone.service", "up.service", "circle.service", "out.service"])
            .conflicts(&["out.service"])
            .done(),
        service("up.service").requires(&["only.service"]).done(),
        service("only.service").done(),
        service("out.service").done(),
        service("keeps.service").before(&["circle.service"]).done(),
        service("circle.service").before(&["keeps.service"]).done(),
        service("rival.service").conflicts(&["t.target"]).done(),
    ]);
    world.request(JobKind::Start, "up.service", JobMode::IgnoreDependencies);
    world.start("rival.service");
    let plan = plan(&world, JobKind::Start, "t.target", JobMode::Fail).unwrap();
    let why = |unit: &str, job: JobKind| {
        let found = plan.dropped.iter().find(|d| d.unit == name(unit) && d.job == job);
        &found
            .unwrap_or_else(|| panic!("{unit} is not among {:?}", plan.dropped))
            .why
    };
    assert!(matches!(
        why("gone.service", JobKind::Start),
        DropReason::Impossible(RequestError::NoSuchUnit(_))
    ));
    assert_eq!(why("up.service", JobKind::Start), &DropReason::Redundant);
    assert_eq!(why("only.service", JobKind::Start), &DropReason::Unneeded);
    assert_eq!(why("rival.service", JobKind::Stop), &DropReason::StopsRunning);
    assert_eq!(
        why("out.service", JobKind::Start),
        &DropReason::Contradicts(JobKind::Stop)
    );
    let DropReason::Circle(units) = why("circle.service", JobKind::Start) else {
        panic!("{:?}", plan.dropped)
    };
    assert_eq!(units.len(), 2);
}

#[test]
fn installed_jobs_that_would_go_or_be_joined_are_named() {
    let mut world = World::new(vec![
        oneshot("a.service").done(),
        oneshot("other.service").done(),
        target("t.target").conflicts(&["a.service"]).done(),
    ]);
    for unit in ["a.service", "other.service"] {
        world.hold.insert(unit.to_owned());
        world.start(unit);
    }
    let cancelled = |mode| {
        let plan = plan(&world, JobKind::Start, "t.target", mode).unwrap();
        plan.cancelled
            .iter()
            .map(|job| job.unit.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(cancelled(JobMode::Replace), ["a.service"]);
    assert_eq!(cancelled(JobMode::Flush), ["other.service", "a.service"]);
    let again = plan(&world, JobKind::Start, "a.service", JobMode::Replace).unwrap();
    assert_eq!(again.cancelled, []);
    let joined = again.jobs[0].joins.as_ref().unwrap();
    assert!(joined.running && joined.job == JobKind::Start);
}

#[test]
fn a_refusal_has_the_chain_and_what_stands_in_the_way() {
    let mut world = World::new(vec![
        target("t.target").requires(&["a.service"]).done(),
        service("a.service").requires(&["gone.service"]).done(),
        target("x.target").requires(&["held.service"]).done(),
        target("y.target").requires(&["b.service", "c.service"]).done(),
        service("b.service").conflicts(&["c.service"]).done(),
        service("c.service").done(),
        oneshot("held.service").done(),
        service("runs.service").done(),
        service("new.service").conflicts(&["runs.service"]).done(),
    ]);
    world.start("runs.service");
    world.hold.insert("held.service".to_owned());
    world.request(JobKind::Start, "held.service", JobMode::ReplaceIrreversibly);

    let missing = plan(&world, JobKind::Start, "t.target", JobMode::Replace).unwrap_err();
    assert_eq!(
        (missing.unit.as_str(), missing.job),
        ("gone.service", JobKind::Start)
    );
    assert_eq!(
        told(&missing.chain),
        "requested>start of t.target Requires>start of a.service Requires>start of gone.service"
    );
    let sentence = missing.to_string();
    assert!(
        sentence.ends_with(
            "wanted because: start of t.target -> Requires -> start of a.service -> Requires -> start of gone.service"
        ),
        "{sentence}"
    );

    let stopped = plan(&world, JobKind::Stop, "held.service", JobMode::Replace).unwrap_err();
    let Some(Obstacle::Job(job)) = &stopped.against else {
        panic!("{stopped:?}")
    };
    assert!(job.irreversible && job.job == JobKind::Start);

    let contrary = plan(&world, JobKind::Start, "y.target", JobMode::Replace).unwrap_err();
    let Some(Obstacle::Contrary(stop)) = &contrary.against else {
        panic!("{contrary:?}")
    };
    assert_eq!(
        told(stop),
        "requested>start of y.target Requires>start of b.service Conflicts>stop of c.service \
         RequiredBy>stop of y.target",
        "the first unit in contradiction is the requested one"
    );
    assert_eq!(told(&contrary.chain), "requested>start of y.target");

    let running = plan(&world, JobKind::Start, "new.service", JobMode::Lenient).unwrap_err();
    assert_eq!(running.against, Some(Obstacle::Running(ActiveState::Active)));
    assert_eq!(running.unit.as_str(), "runs.service");

    let unknown = plan(&world, JobKind::Start, "unknown.service", JobMode::Replace).unwrap_err();
    assert!(matches!(unknown.error, RequestError::NoSuchUnit(_)));
    let isolate = plan(&world, JobKind::Start, "t.target", JobMode::Isolate).unwrap_err();
    assert!(matches!(isolate.error, RequestError::NoIsolation(_)));
}

#[test]
fn isolate_and_triggering_are_reasons_too() {
    let mut world = World::new(vec![
        target("t.target").unit(|u| u.allow_isolate = true).done(),
        common::build::socket("s.socket", "s.service").done(),
        service("s.service").done(),
    ]);
    world.start("s.socket");
    world.start("s.service");
    let reason = |kind, unit, mode| {
        let plan = plan(&world, kind, unit, mode).unwrap();
        let job = plan.jobs.iter().find(|job| job.unit == name("s.socket")).unwrap();
        job.chain.last().unwrap().reason
    };
    assert_eq!(
        reason(JobKind::Start, "t.target", JobMode::Isolate),
        Reason::Isolate
    );
    assert_eq!(
        reason(JobKind::Stop, "s.service", JobMode::Triggering),
        Reason::Triggering
    );
}
