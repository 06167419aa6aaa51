//! The defer scenario of semantics 1.11, with the same outcomes.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test program a panic is how a failure shows"
)]

mod common;

use common::World;
use common::build::{oneshot, service, socket};
use softboot_engine::*;
use softboot_unit::{DeferTrigger, Definition, JobMode, KindSection, Usec};

fn units(defer: DeferTrigger, most: Usec) -> Vec<Definition> {
    vec![
        socket("u.socket", "u.service")
            .socket(|s| {
                s.flush_pending = true;
                s.defer_trigger = defer;
                s.defer_trigger_max = most;
            })
            .done(),
        service("u.service")
            .conflicts(&["conflict1.service", "conflict2.service"])
            .done(),
        oneshot("conflict1.service").done(),
        service("conflict2.service").done(),
        oneshot("forever.service").done(),
    ]
}

fn world(defer: DeferTrigger) -> World {
    let mut world = World::new(units(defer, Usec::INFINITY));
    world
        .hold
        .extend(["conflict1.service".to_owned(), "forever.service".to_owned()]);
    assert_eq!(world.start("u.socket"), Some(Ok(JobResult::Done)));
    assert_eq!(world.sub("u.socket"), "listening");
    world
}

#[test]
fn steps_1_to_4_without_deferring_the_trigger_replaces_what_conflicts() {
    let mut world = world(DeferTrigger::No);
    world.connect("u.socket");
    assert_eq!(
        (world.sub("u.service"), world.sub("u.socket")),
        ("running".into(), "running".into())
    );
    world.start("conflict2.service");
    assert_eq!(
        (world.sub("u.service"), world.sub("u.socket")),
        ("dead".into(), "listening".into())
    );
    world.connect("u.socket");
    assert_eq!(
        (world.sub("u.service"), world.sub("u.socket")),
        ("running".into(), "running".into())
    );
    assert_eq!(world.sub("conflict2.service"), "dead");
}

#[test]
fn steps_5_to_15_with_deferring() {
    let mut world = world(DeferTrigger::No);
    world.connect("u.socket");
    // 5
    world.feed(Event::Loaded(units(DeferTrigger::Yes, Usec::INFINITY)));
    assert_eq!(world.sub("u.socket"), "running");
    // 6
    world.start("conflict1.service");
    assert_eq!(
        (world.sub("u.service"), world.sub("u.socket")),
        ("dead".into(), "listening".into())
    );
    assert_eq!(world.sub("conflict1.service"), "start");
    // 7
    world.connect("u.socket");
    assert_eq!(
        (world.sub("u.service"), world.sub("u.socket")),
        ("dead".into(), "deferred".into())
    );
    assert_eq!(world.sub("conflict1.service"), "start");
    // 8: here the deferral itself goes over a re-exec
    world.reexec();
    assert_eq!(world.sub("u.socket"), "deferred");
    // 9
    world.exit_main("conflict1.service", ExitStatus::Exited(0));
    assert_eq!(
        (world.sub("u.service"), world.sub("u.socket")),
        ("running".into(), "running".into())
    );
    // 10
    world.start("forever.service");
    world.start("conflict2.service");
    assert_eq!(
        (world.sub("u.service"), world.sub("u.socket")),
        ("dead".into(), "listening".into())
    );
    // 11
    world.connect("u.socket");
    assert_eq!(world.sub("u.socket"), "deferred");
    // 12: any unit's stop counts, though a job is left
    world.exit_main("conflict2.service", ExitStatus::Exited(0));
    assert_eq!(
        (world.sub("u.service"), world.sub("u.socket")),
        ("running".into(), "running".into())
    );
    assert_eq!(world.sub("forever.service"), "start");
    // 13, 14: with a limit
    world.feed(Event::Loaded(units(DeferTrigger::Yes, Usec::from_secs(20))));
    world.start("conflict1.service");
    world.connect("u.socket");
    assert_eq!(world.sub("u.socket"), "deferred");
    // 15
    world.advance(Usec::from_secs(10));
    assert_eq!(world.sub("u.socket"), "deferred");
    world.advance(Usec::from_secs(30));
    assert_eq!(world.sub("u.socket"), "failed");
    assert_eq!(world.status("u.socket").result.as_deref(), Some("timeout"));
    assert_eq!(world.sub("conflict1.service"), "start");
}

#[test]
fn yes_fails_at_once_when_nothing_is_queued_and_patient_waits() {
    for (defer, expected) in [(DeferTrigger::Yes, "failed"), (DeferTrigger::Patient, "deferred")] {
        let mut world = world(defer);
        world.start("conflict2.service");
        world.connect("u.socket");
        assert_eq!(world.sub("u.socket"), expected, "trap 4");
    }
}

#[test]
fn a_conflict_that_the_other_side_declares_does_not_defer() {
    let mut list = units(DeferTrigger::Patient, Usec::INFINITY);
    list.retain(|d| !matches!(&d.kind, KindSection::Service(_)));
    list.push(service("u.service").done());
    list.push(service("conflict2.service").conflicts(&["u.service"]).done());
    let mut world = World::new(list);
    world.start("u.socket");
    world.start("conflict2.service");
    world.connect("u.socket");
    assert_eq!(world.sub("u.service"), "running", "trap 6: both run");
    assert_eq!(world.sub("conflict2.service"), "running");
}

#[test]
fn only_the_first_trigger_takes_from_the_limit() {
    let mut world = world(DeferTrigger::Patient);
    world.start("conflict2.service");
    world.connect("u.socket");
    for _ in 0..50 {
        world.start("forever.service");
        world.exit_main("forever.service", ExitStatus::Exited(0));
        world.advance(Usec::from_secs(3));
        assert_eq!(world.sub("u.socket"), "deferred");
    }
    world.request(JobKind::Stop, "u.socket", JobMode::Replace);
    assert_eq!(world.sub("u.socket"), "dead");
}

#[test]
fn a_changed_limit_counts_from_the_reload_on_and_an_unchanged_one_goes_on() {
    let deferred = |after: Usec| {
        let mut world = World::new(units(DeferTrigger::Patient, Usec::from_secs(60)));
        world.hold.insert("conflict1.service".to_owned());
        world.start("u.socket");
        world.start("conflict1.service");
        world.connect("u.socket");
        assert_eq!(world.sub("u.socket"), "deferred");
        world.advance(Usec::from_secs(50));
        world.feed(Event::Loaded(units(DeferTrigger::Patient, after)));
        world
    };
    let mut world = deferred(Usec::from_secs(60));
    world.advance(Usec::from_secs(9));
    assert_eq!(world.sub("u.socket"), "deferred");
    world.advance(Usec::from_secs(1));
    assert_eq!(world.status("u.socket").result.as_deref(), Some("timeout"));

    let mut world = deferred(Usec::from_secs(30));
    world.advance(Usec::from_secs(29));
    world.reexec();
    assert_eq!(world.sub("u.socket"), "deferred");
    world.advance(Usec::from_secs(1));
    assert_eq!(world.sub("u.socket"), "failed");

    let mut world = deferred(Usec::INFINITY);
    world.advance(Usec::from_secs(1000));
    assert_eq!(world.sub("u.socket"), "deferred");
}

#[test]
fn only_a_reload_that_changes_the_ports_of_an_open_socket_asks_for_others() {
    use softboot_unit::{Address, Port, PortKind};
    let mut world = world(DeferTrigger::No);
    let asked = |world: &World| {
        world
            .trace
            .iter()
            .filter(|action| matches!(action, Action::ReconcileSockets { .. }))
            .count()
    };
    world.feed(Event::Loaded(units(DeferTrigger::Yes, Usec::INFINITY)));
    assert_eq!(asked(&world), 0);
    let mut changed = units(DeferTrigger::Yes, Usec::INFINITY);
    if let KindSection::Socket(section) = &mut changed[0].kind {
        section.ports.push(Port {
            kind: PortKind::Stream,
            address: Address::Path("/run/y".to_owned()),
        });
    }
    world.feed(Event::Loaded(changed.clone()));
    assert_eq!(asked(&world), 1);
    world.stop("u.socket");
    world.feed(Event::Loaded(units(DeferTrigger::Yes, Usec::INFINITY)));
    assert_eq!(asked(&world), 1, "a closed one opens its own at the next start");
}

/// Semantics 1.10: the end of the last job is a reason to try again, also if no unit stops.
#[test]
fn the_end_of_the_last_job_is_reason_enough() {
    let mut units = units(DeferTrigger::Patient, Usec::INFINITY);
    units.push(
        oneshot("slow.service")
            .before(&["conflict2.service"])
            .service(|s| s.remain_after_exit = true)
            .done(),
    );
    let mut world = World::new(units);
    world.start("u.socket");
    world.hold.insert("slow.service".to_owned());
    world.start("slow.service");
    // It waits for the slow one and has never run.
    world.request(JobKind::Start, "conflict2.service", JobMode::Replace);
    world.connect("u.socket");
    assert_eq!(world.sub("u.socket"), "deferred");
    let waiting = world.engine.jobs().into_iter().find(|job| !job.running);
    world.feed(Event::Cancel(waiting.map(|job| job.id)));
    assert_eq!(world.sub("u.socket"), "deferred", "another job is left");
    world.exit_main("slow.service", ExitStatus::Exited(0));
    assert_eq!(
        (
            world.sub("slow.service"),
            world.sub("u.socket"),
            world.sub("u.service")
        ),
        ("exited".into(), "running".into(), "running".into())
    );
}
