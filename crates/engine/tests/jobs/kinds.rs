//! Semantics 2.1 (collapsing), 2.2 (merging into an installed job), 2.4 (install rule).

use super::common::build::{command, notify, oneshot, service, target};
use super::*;
use JobKind as K;
use softboot_unit::{RestartMode, RestartPolicy, Usec};

/// a.service waits for a start that does not end, with this job and state.
fn waiting(first: K, active: bool) -> World {
    let mut world = World::new(vec![
        oneshot("slow.service").done(),
        service("a.service")
            .after(&["slow.service"])
            .service(|s| s.exec_reload = vec![command("/bin/reload")])
            .done(),
    ]);
    if active {
        world.start("a.service");
    }
    world.hold.insert("slow.service".to_owned());
    world.start("slow.service");
    world.request(first, "a.service", JobMode::Replace);
    world
}

#[test]
fn collapsing_by_state() {
    // requested, inactive, activating, active
    let rows = [
        (K::TryRestart, None, Some(K::Restart), Some(K::Restart)),
        (K::TryReload, None, None, Some(K::Reload)),
        (K::ReloadOrStart, Some(K::Start), Some(K::Start), Some(K::Reload)),
    ];
    for (requested, inactive, activating, active) in rows {
        for (state, expected) in [
            ("inactive", inactive),
            ("activating", activating),
            ("active", active),
        ] {
            let mut world = World::new(vec![
                oneshot("a.service")
                    .service(|s| {
                        s.remain_after_exit = true;
                        s.exec_reload = vec![command("/bin/reload")];
                    })
                    .done(),
            ]);
            if state == "active" {
                world.start("a.service");
            }
            world.hold.insert("a.service".to_owned());
            if state == "activating" {
                world.start("a.service");
                world.feed(Event::Cancel(None));
            }
            assert_eq!(world.active("a.service").word(), state);
            world.trace.clear();
            world.queue_request(requested, "a.service", JobMode::Replace);
            let new = world.trace.iter().find_map(|action| match action {
                Action::JobNew { kind, .. } => Some(*kind),
                _ => None,
            });
            let new = new.filter(|kind| *kind != K::Nop);
            assert_eq!(new, expected, "{requested:?} of a unit that is {state}");
        }
    }
}

/// What a request says of its job is true of the job that it becomes part of.
#[test]
fn a_merge_takes_over_the_marks_of_the_request() {
    let mut world = waiting(K::Start, false);
    world.request(K::Start, "a.service", JobMode::ReplaceIrreversibly);
    let outcome = word(ask(&mut world, K::Stop, "a.service", JobMode::Replace));
    assert_eq!(outcome, "transaction-is-destructive");

    let mut world = waiting(K::Start, false);
    assert!(!world.active("a.service").is_active_ish());
    world.request(K::Start, "a.service", JobMode::IgnoreDependencies);
    assert!(
        world.active("a.service").is_active_ish(),
        "it waits for nobody now"
    );
}

/// The job of an automatic restart begins a running start anew: the one that runs has started what has failed.
#[test]
fn an_automatic_restart_is_not_taken_in_by_a_start_that_runs() {
    let mut world = World::new(vec![
        notify("a.service")
            .service(|s| {
                s.restart = RestartPolicy::Always;
                s.restart_settings.mode = RestartMode::Direct;
            })
            .done(),
    ]);
    world.hold.insert("a.service".to_owned());
    world.start("a.service");
    world.exit_main("a.service", ExitStatus::Exited(1));
    world.advance(Usec::from_secs(1));
    assert_eq!(world.starts, ["a.service", "a.service"]);
    assert_eq!(
        kind(&world, "a.service"),
        Some(K::Start),
        "who waits for it waits on"
    );
}

#[test]
fn a_request_merges_into_a_waiting_job_and_keeps_its_id() {
    // What is installed, what is asked for, the sum while inactive, the sum while active. A restart of an inactive
    // unit goes before the slow start, has nothing to stop, and is a waiting start by the time we look.
    let rows = [
        (K::Start, K::Start, K::Start, K::Start),
        (K::Start, K::VerifyActive, K::Start, K::Start),
        (K::Start, K::Reload, K::Start, K::Reload),
        (K::Start, K::Restart, K::Start, K::Restart),
        (K::VerifyActive, K::Start, K::Start, K::Start),
        (K::VerifyActive, K::Reload, K::Reload, K::Reload),
        (K::Reload, K::Start, K::Start, K::Reload),
        (K::Reload, K::VerifyActive, K::Reload, K::Reload),
        (K::Reload, K::Restart, K::Start, K::Restart),
    ];
    for (first, second, inactive, active) in rows {
        for (up, sum) in [(false, inactive), (true, active)] {
            let mut world = waiting(first, up);
            world.stubborn.insert("a.service".to_owned());
            let before = job(&world, "a.service").unwrap();
            world.request(second, "a.service", JobMode::Fail);
            let after = job(&world, "a.service").unwrap();
            assert_eq!(after.id, before.id);
            assert_eq!(after.kind, sum, "{first:?} and {second:?}, active: {up}");
        }
    }
}

#[test]
fn a_contrary_job_cancels_the_installed_one_without_its_dependents() {
    for (first, second) in [
        (K::Start, K::Stop),
        (K::VerifyActive, K::Stop),
        (K::Reload, K::Stop),
    ] {
        let mut world = waiting(first, true);
        let before = job(&world, "a.service").unwrap();
        let request = world.request(second, "a.service", JobMode::Replace);
        assert_eq!(world.done.get(&request), Some(&Ok(JobResult::Done)));
        assert!(world.trace.contains(&Action::JobDone {
            job: before.id,
            unit: before.unit,
            kind: first,
            result: JobResult::Canceled
        }));
    }
    let mut world = World::new(vec![
        oneshot("a.service").done(),
        oneshot("b.service")
            .requires(&["a.service"])
            .after(&["a.service"])
            .done(),
    ]);
    world.hold.insert("a.service".to_owned());
    world.hold.insert("b.service".to_owned());
    let b = world.request(K::Start, "b.service", JobMode::Replace);
    assert_eq!(
        word(ask(&mut world, K::Stop, "a.service", JobMode::IgnoreRequirements)),
        "done"
    );
    assert_eq!(
        world.done.get(&b),
        None,
        "b.service was not failed by the cancelled start"
    );
}

#[test]
fn a_running_job_takes_in_what_it_covers_and_begins_anew_for_what_it_does_not() {
    let mut world = World::new(vec![
        service("a.service")
            .service(|s| s.exec_reload = vec![command("/bin/reload")])
            .done(),
    ]);
    world.start("a.service");
    world.stuck.insert(("a.service".to_owned(), ExecList::Reload));
    world.request(K::Reload, "a.service", JobMode::Replace);
    let first = job(&world, "a.service").unwrap();
    assert!(first.running);
    world.request(K::VerifyActive, "a.service", JobMode::Replace);
    assert!(
        job(&world, "a.service").unwrap().running,
        "a reload covers a check"
    );
    world.request(K::Reload, "a.service", JobMode::Replace);
    let second = job(&world, "a.service").unwrap();
    assert_eq!(second.id, first.id);
    assert!(!second.running, "a running reload may have read the old files");
}

#[test]
fn a_nop_has_a_slot_of_its_own() {
    let mut world = World::new(vec![target("t.target").done(), oneshot("a.service").done()]);
    world.hold.insert("a.service".to_owned());
    world.start("a.service");
    let nop = ask(&mut world, K::TryReload, "a.service", JobMode::Fail);
    assert_eq!(nop, Some(Ok(JobResult::Done)));
    assert_eq!(
        kind(&world, "a.service"),
        Some(K::Start),
        "its start is as before"
    );
}

#[test]
fn a_restart_becomes_a_waiting_start_under_the_same_id() {
    let mut world = World::new(vec![service("a.service").done()]);
    world.start("a.service");
    world.stubborn.insert("a.service".to_owned());
    world.request(K::Restart, "a.service", JobMode::Replace);
    let restart = job(&world, "a.service").unwrap();
    assert_eq!(restart.kind, K::Restart);
    world.trace.clear();
    world.exit_main("a.service", ExitStatus::Exited(0));
    assert!(world.trace.contains(&Action::JobDone {
        job: restart.id,
        unit: restart.unit,
        kind: K::Start,
        result: JobResult::Done
    }));
    assert_eq!(world.sub("a.service"), "running");
}
