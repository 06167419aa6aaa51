//! Traps of semantics chapter 9 that no other test of the engine holds.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test program a panic is how a failure shows"
)]

mod common;

use common::build::{command, oneshot, service, socket, target};
use common::{World, name};
use softboot_engine::*;
use softboot_unit::{DeferTrigger, EmergencyAction, JobMode};

#[test]
fn trap_5_a_conflict_inside_the_transaction_does_not_defer() {
    let mut world = World::new(vec![
        socket("u.socket", "u.service")
            .socket(|s| s.defer_trigger = DeferTrigger::Patient)
            .done(),
        service("u.service")
            .requires(&["other.service"])
            .conflicts(&["other.service"])
            .done(),
        service("other.service").done(),
        oneshot("forever.service").done(),
    ]);
    world.hold.insert("forever.service".to_owned());
    world.start("forever.service");
    world.start("u.socket");
    world.connect("u.socket");
    assert_eq!(world.sub("u.socket"), "failed", "it could wait for ever");
}

#[test]
fn trap_26_an_action_in_order_is_ignored_while_a_shutdown_is_under_way_and_one_by_force_is_not() {
    for (action, expected) in [
        (EmergencyAction::Reboot, None),
        (EmergencyAction::RebootForce, Some(Objective::Reboot)),
    ] {
        let mut world = World::new(vec![
            service("a.service").unit(|u| u.failure_action = action).done(),
            oneshot("slow.service").before(&["shutdown.target"]).done(),
            target("shutdown.target").requires(&["slow.service"]).done(),
            target("reboot.target").unit(|u| u.allow_isolate = true).done(),
        ]);
        world.hold.insert("slow.service".to_owned());
        world.start("a.service");
        world.queue_request(JobKind::Start, "shutdown.target", JobMode::Replace);
        world.settle();
        world.exit_main("a.service", ExitStatus::Exited(1));
        assert_eq!(world.objective, expected, "{action:?}");
        assert_eq!(world.active("reboot.target"), ActiveState::Inactive, "{action:?}");
    }
}

/// A reload makes one name an alias of another unit while both run.
#[test]
fn trap_38_two_running_units_that_become_one_stay_two_until_they_have_ended() {
    let both = || vec![service("a.service").done(), service("b.service").done()];
    let mut world = World::new(both());
    world.start("a.service");
    world.start("b.service");
    let (a, b) = (world.id("a.service"), world.id("b.service"));
    let mut one = service("a.service").done();
    one.aliases.push(name("b.service"));
    world.feed(Event::Loaded(vec![one]));
    let running = |world: &World, unit| world.engine.status(unit).unwrap().sub;
    assert_eq!(
        (running(&world, a), running(&world, b)),
        ("running".into(), "running".into())
    );
    // Each end reaches the one whose process it was.
    world.exit_main("a.service", ExitStatus::Exited(3));
    assert_eq!(
        (running(&world, a), running(&world, b)),
        ("failed".into(), "running".into())
    );
    // And back again: the name is its own once more.
    world.feed(Event::Loaded(both()));
    assert_eq!(world.sub("b.service"), "running");
    world.stop("b.service");
    assert_eq!(world.sub("b.service"), "dead");
}

/// The place in a list is a number: what a reload puts there is what is run next, and a list that became shorter is
/// over.
#[test]
fn trap_39_a_list_that_is_changed_while_it_runs_goes_on_at_its_place() {
    for (list, runs) in [(&["/x", "/y", "/z"][..], 3), (&["/x"][..], 2)] {
        let with = |commands: &[&str]| {
            let commands = commands.iter().map(|path| command(path)).collect();
            oneshot("a.service").service(|s| s.exec_start = commands).done()
        };
        let mut world = World::new(vec![with(&["/1", "/2", "/3"])]);
        world.hold.insert("a.service".to_owned());
        let request = world.queue_request(JobKind::Start, "a.service", JobMode::Replace);
        world.settle();
        world.exit_main("a.service", ExitStatus::Exited(0));
        world.feed(Event::Loaded(vec![with(list)]));
        world.reexec();
        world.exit_main("a.service", ExitStatus::Exited(0));
        if runs == 3 {
            assert_eq!(world.sub("a.service"), "start");
            world.exit_main("a.service", ExitStatus::Exited(0));
        }
        assert_eq!(world.done.get(&request), Some(&Ok(JobResult::Done)), "{list:?}");
        assert_eq!(world.sub("a.service"), "dead");
    }
}
