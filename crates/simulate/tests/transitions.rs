//! The table of transitions takes what is listed, and nothing else.

#![allow(
    clippy::unwrap_used,
    reason = "in a test program a panic is how a failure shows"
)]

use softboot_simulate::transitions::{States, broken};
use softboot_unit::UnitName;

fn goes(unit: &str, from: &str, to: &str) -> bool {
    let states = |sub: &str| States::from([(UnitName::new(unit).unwrap(), sub.to_owned())]);
    broken(&states(from), &states(to), false).is_none()
}

#[test]
fn ways_go_along_the_rows() {
    for (from, to) in [
        ("dead", "start"),
        ("start", "running"),
        ("running", "dead"),
        ("running", "running"),
        ("stop-sigterm", "auto-restart"),
        ("stop-sigterm", "start-pre"),
        ("auto-restart", "start"),
        ("dead", "stop-sigterm"),
        ("dead", "cleaning"),
        ("cleaning", "dead"),
        ("cleaning", "start"),
        ("cleaning", "final-sigkill"),
    ] {
        assert!(goes("a.service", from, to), "{from} to {to}");
    }
    for (from, to) in [
        ("listening", "failed"),
        ("running", "start-open"),
        ("deferred", "running"),
    ] {
        assert!(goes("a.socket", from, to), "{from} to {to}");
    }
    assert!(
        goes("a.target", "dead", "sideways"),
        "there is no table for targets"
    );
}

#[test]
fn nothing_runs_unstarted_and_nothing_turns_round() {
    for (from, to) in [
        ("dead", "running"),
        ("dead", "reload"),
        ("auto-restart", "running"),
        ("condition", "start-post"),
        ("stop", "start-post"),
        ("stop-post", "running"),
        ("stop-sigterm", "reload"),
        ("final-sigterm", "exited"),
        ("running", "start-post"),
        ("final-sigterm", "stop-post"),
        ("dead", "auto-restart"),
        ("start", "nowhere"),
        ("cleaning", "running"),
        ("cleaning", "reload"),
    ] {
        assert!(!goes("a.service", from, to), "{from} to {to}");
    }
    for (from, to) in [
        ("dead", "listening"),
        ("dead", "deferred"),
        ("stop-pre", "listening"),
    ] {
        assert!(!goes("a.socket", from, to), "{from} to {to}");
    }
}

/// Semantics 7.5: what is not spared has to go, wherever it is.
#[test]
fn a_final_kill_reaches_every_state() {
    let states = |sub: &str| States::from([(UnitName::new("a.service").unwrap(), sub.to_owned())]);
    let (before, after) = (states("final-sigkill"), states("final-sigterm"));
    assert!(broken(&before, &after, true).is_none());
    assert_eq!(
        broken(&before, &after, false).as_deref(),
        Some("a.service went from final-sigkill to final-sigterm")
    );
}
