//! Semantics 2.7: how jobs end, and whom that reaches.

use super::common::build::{command, oneshot, service, socket, target};
use super::*;
use JobKind as K;
use softboot_unit::{Condition, Usec};

#[test]
fn beginning_in_each_state() {
    // kind, state of the unit, result
    let rows = [
        (K::Start, "inactive", "done"),
        (K::Start, "active", "done"),
        (K::VerifyActive, "active", "done"),
        (K::VerifyActive, "inactive", "skipped"),
        (K::VerifyActive, "activating", "waits"),
        (K::Stop, "inactive", "done"),
        (K::Stop, "active", "done"),
        (K::Restart, "inactive", "done"),
        (K::Restart, "active", "done"),
        (K::Reload, "active", "done"),
        (K::Reload, "inactive", "invalid"),
    ];
    for (kind, state, expected) in rows {
        let mut world = World::new(vec![
            common::build::notify("a.service")
                .service(|s| s.exec_reload = vec![command("/bin/reload")])
                .done(),
        ]);
        match state {
            "active" => drop(world.start("a.service")),
            "activating" => {
                world.hold.insert("a.service".to_owned());
                world.start("a.service");
                world.feed(Event::Cancel(None));
            }
            _ => {}
        }
        assert_eq!(world.active("a.service").word(), state);
        assert_eq!(
            word(ask(&mut world, kind, "a.service", JobMode::Replace)),
            expected,
            "{kind:?}, {state}"
        );
    }
}

#[test]
fn a_start_waits_for_a_stop_that_nobody_asked_for() {
    let mut world = World::new(vec![
        service("a.service")
            .service(|s| s.exec_stop_post = vec![command("/bin/post")])
            .done(),
    ]);
    world.start("a.service");
    world.stuck.insert(("a.service".to_owned(), ExecList::StopPost));
    world.exit_main("a.service", ExitStatus::Exited(0));
    assert_eq!(world.active("a.service"), ActiveState::Deactivating);
    assert_eq!(world.start("a.service"), None);
    assert!(!job(&world, "a.service").unwrap().running);
    world.exit_main_or_control("a.service", ExitStatus::Exited(0));
    assert_eq!(world.sub("a.service"), "running");
}

#[test]
fn a_verification_ends_when_the_start_does() {
    for (code, expected) in [(0, JobResult::Done), (1, JobResult::Skipped)] {
        let mut world = World::new(vec![
            oneshot("a.service")
                .service(|s| s.remain_after_exit = true)
                .done(),
        ]);
        world.hold.insert("a.service".to_owned());
        world.start("a.service");
        world.feed(Event::Cancel(None));
        let request = world.request(K::VerifyActive, "a.service", JobMode::Replace);
        world.exit_main("a.service", ExitStatus::Exited(code));
        assert_eq!(world.done.get(&request), Some(&Ok(expected)));
    }
}

#[test]
fn conditions_are_like_success_and_asserts_are_not() {
    let condition = || Condition {
        trigger: false,
        negate: false,
        test: "PathExists".to_owned(),
        argument: "/nothing".to_owned(),
    };
    let mut world = World::new(vec![
        service("a.service")
            .unit(|u| u.conditions = vec![condition()])
            .done(),
        service("needs.service")
            .requires(&["a.service"])
            .after(&["a.service"])
            .done(),
        service("verifies.service")
            .dep(D::Requisite, "a.service")
            .after(&["a.service"])
            .done(),
        target("t.target")
            .wants(&["needs.service", "verifies.service"])
            .done(),
    ]);
    world.unmet.insert("a.service".to_owned());
    assert_eq!(world.start("a.service"), Some(Ok(JobResult::Done)));
    assert_eq!(world.sub("a.service"), "dead");
    assert_eq!(
        world.start("needs.service"),
        Some(Ok(JobResult::Done)),
        "Requires= goes on"
    );
    world.stop("needs.service");
    let request = world.request(K::Start, "t.target", JobMode::Replace);
    assert_eq!(world.done.get(&request), Some(&Ok(JobResult::Done)));
    assert_eq!(world.sub("needs.service"), "running");
    assert_eq!(world.sub("verifies.service"), "dead", "Requisite= does not");
}

#[test]
fn a_failed_start_fails_those_that_need_it() {
    let rows = [
        (D::Requires, true),
        (D::BindsTo, true),
        (D::Wants, false),
        (D::Upholds, false),
        (D::PartOf, false),
    ];
    for (relation, fails) in rows {
        let mut world = World::new(vec![
            oneshot("a.service").done(),
            service("b.service")
                .dep(relation, "a.service")
                .after(&["a.service"])
                .done(),
            service("c.service")
                .requires(&["b.service"])
                .after(&["b.service"])
                .done(),
        ]);
        world.crash.insert("a.service".to_owned(), 1);
        world.start("a.service");
        let expected = if fails {
            JobResult::Dependency
        } else {
            JobResult::Done
        };
        assert_eq!(world.start("c.service"), Some(Ok(expected)), "{relation:?}");
    }
}

#[test]
fn a_failed_stop_fails_the_start_that_needed_it() {
    let mut world = World::new(vec![
        service("old.service").done(),
        service("new.service")
            .conflicts(&["old.service"])
            .after(&["old.service"])
            .done(),
    ]);
    world.start("old.service");
    world.stubborn.insert("old.service".to_owned());
    let request = world.request(K::Start, "new.service", JobMode::Replace);
    let stop = job(&world, "old.service").unwrap();
    world.feed(Event::Cancel(Some(stop.id)));
    assert_eq!(world.done.get(&request), Some(&Ok(JobResult::Dependency)));
}

#[test]
fn bound_and_ordered_after_something_inactive_is_not_started() {
    let mut world = World::new(vec![
        oneshot("a.service").done(),
        service("b.service")
            .dep(D::BindsTo, "a.service")
            .after(&["a.service"])
            .done(),
    ]);
    // a.service ends at once and is inactive again.
    assert_eq!(world.start("b.service"), Some(Ok(JobResult::Dependency)));
    assert_eq!(world.starts, ["a.service"]);
}

#[test]
fn a_job_that_takes_too_long_times_out_and_starts_the_helper() {
    for running_limit in [false, true] {
        let mut world = World::new(vec![
            oneshot("a.service")
                .unit(|u| {
                    if running_limit {
                        u.job_running_timeout = Usec::from_secs(5);
                    } else {
                        u.job_timeout = Usec::from_secs(5);
                    }
                })
                .dep(D::OnFailure, "help.service")
                .done(),
            service("b.service")
                .requires(&["a.service"])
                .after(&["a.service"])
                .done(),
            service("help.service").done(),
        ]);
        world.hold.insert("a.service".to_owned());
        let request = world.request(K::Start, "b.service", JobMode::Replace);
        world.advance(Usec::from_secs(6));
        assert_eq!(world.done.get(&request), Some(&Ok(JobResult::Dependency)));
        assert_eq!(world.sub("help.service"), "running");
        assert_eq!(
            world.active("a.service"),
            ActiveState::Activating,
            "the unit is not touched"
        );
    }
}

#[test]
fn cancelling_reaches_those_that_wait() {
    let mut world = World::new(vec![
        oneshot("a.service").done(),
        service("b.service")
            .requires(&["a.service"])
            .after(&["a.service"])
            .done(),
    ]);
    world.hold.insert("a.service".to_owned());
    let request = world.request(K::Start, "b.service", JobMode::Replace);
    let a = job(&world, "a.service").unwrap();
    world.feed(Event::Cancel(Some(a.id)));
    assert_eq!(world.done.get(&request), Some(&Ok(JobResult::Dependency)));
    assert!(world.engine.jobs().is_empty());
}

#[test]
fn a_unit_type_that_cannot_be_started_says_so() {
    let mut definition = target("x.timer").done();
    definition.kind = softboot_unit::KindSection::Other;
    let mut world = World::new(vec![
        definition,
        socket("s.socket", "s.service").done(),
        service("s.service").done(),
    ]);
    assert_eq!(world.start("x.timer"), Some(Ok(JobResult::Unsupported)));
}

/// Settings that were kept as text, and are none of this version's.
#[test]
fn a_unit_whose_settings_cannot_be_read_late_does_not_start_with_the_usual_ones() {
    let whole = service("a.service").service(|s| s.exec.nice = Some(3)).done();
    let text = serde_json::to_string(&whole).unwrap();
    let broken = text.replace(r#""nice":3"#, r#""nice":"three""#);
    assert_ne!(text, broken);
    let said = |world: &World, what: &str| {
        let says = |action: &Action| matches!(action, Action::Log { level: Level::Error, message, .. } if message.contains(what));
        world.trace.iter().any(says)
    };
    let mut world = World::new(vec![Definition::read_late(text.as_bytes()).unwrap()]);
    assert_eq!(world.start("a.service"), Some(Ok(JobResult::Done)));
    assert!(!said(&world, "cannot be read"));
    let mut world = World::new(vec![Definition::read_late(broken.as_bytes()).unwrap()]);
    assert_eq!(world.start("a.service"), Some(Ok(JobResult::Failed)));
    assert_eq!(world.active("a.service"), ActiveState::Inactive);
    assert!(said(&world, "cannot be read") && said(&world, "three"));
    assert!(
        !world
            .trace
            .iter()
            .any(|action| matches!(action, Action::Spawn(_)))
    );
}
