//! Which state of a service or a socket may follow which (semantics 4.3 to 4.7, 1.7 to 1.10).
//!
//! One event may take a unit through several states; only the last one is seen. So between two that were seen there
//! must be a way along the rows below, on which every state between is one that can be left at once: it had nothing to
//! wait for, or something that followed in the same step ended it. The tests of the engine use this file, too.

use std::collections::{BTreeMap, BTreeSet};

use softboot_engine::Engine;
use softboot_unit::{UnitKind, UnitName};

/// What is listed for one kind of unit.
struct Table {
    /// A state, and those that may follow it.
    rows: &'static [(&'static str, &'static str)],
    /// Those that can be left in the step that entered them.
    passed: &'static str,
    /// What a stop job makes of a state that waits, where its row has it: such a job may follow in the same step.
    stopped: &'static str,
}

/// Semantics 4.3 (up), 4.4 and 4.6 (while it runs), 4.5 (down), 4.7 (between two runs), 3.7 (pinned).
const SERVICE: Table = Table {
    rows: &[
        (
            "dead",
            "condition start-pre start failed dead-resources-pinned cleaning",
        ),
        (
            "dead-resources-pinned",
            "condition start-pre start failed dead cleaning",
        ),
        // Semantics 3.8 and 8.2; the last one: a stop, or it took too long.
        ("cleaning", "dead dead-resources-pinned final-sigkill"),
        // The last two: reset-failed.
        ("failed", "condition start-pre start dead dead-resources-pinned"),
        (
            "condition",
            "start-pre start stop-sigterm stop-watchdog stop-sigkill stop-post",
        ),
        (
            "start-pre",
            "start stop-sigterm stop-watchdog stop-sigkill stop-post",
        ),
        (
            "start",
            "start-post running exited stop stop-sigterm stop-watchdog stop-sigkill stop-post",
        ),
        (
            "start-post",
            "running exited stop stop-sigterm stop-watchdog stop-sigkill stop-post",
        ),
        (
            "running",
            "exited reload reload-signal reload-notify reload-post stop stop-sigterm stop-watchdog stop-sigkill",
        ),
        ("exited", "reload reload-post stop stop-sigterm"),
        (
            "reload",
            "reload-signal reload-notify reload-post running exited stop stop-sigterm stop-watchdog stop-sigkill",
        ),
        (
            "reload-signal",
            "reload-notify running exited stop stop-sigterm stop-watchdog stop-sigkill",
        ),
        (
            "reload-notify",
            "reload-post running exited stop stop-sigterm stop-watchdog stop-sigkill",
        ),
        (
            "reload-post",
            "running exited stop stop-sigterm stop-watchdog stop-sigkill",
        ),
        ("stop", "stop-sigterm stop-watchdog stop-sigkill stop-post"),
        ("stop-watchdog", "stop-sigterm stop-sigkill stop-post"),
        ("stop-sigterm", "stop-watchdog stop-sigkill stop-post"),
        ("stop-sigkill", "stop-post"),
        ("stop-post", "final-sigterm final-watchdog final-sigkill"),
        ("final-watchdog", "final-sigkill over"),
        ("final-sigterm", "final-watchdog final-sigkill over"),
        ("final-sigkill", "over"),
        // No state of its own: the end of a run.
        (
            "over",
            "dead dead-resources-pinned failed dead-before-auto-restart failed-before-auto-restart auto-restart",
        ),
        ("dead-before-auto-restart", "auto-restart"),
        ("failed-before-auto-restart", "auto-restart"),
        (
            "auto-restart",
            "auto-restart-queued dead dead-resources-pinned failed",
        ),
        (
            "auto-restart-queued",
            "condition start-pre start dead dead-resources-pinned failed",
        ),
    ],
    passed: "start-post running exited reload-post stop-sigterm stop-watchdog stop-sigkill stop-post final-watchdog \
             final-sigterm final-sigkill over dead dead-resources-pinned failed dead-before-auto-restart \
             failed-before-auto-restart auto-restart-queued",
    stopped: "stop-sigterm",
};

/// Semantics 1.7, with the triggers of 1.8, the service's fate of 1.9 and the deferral of 1.10.
const SOCKET: Table = Table {
    rows: &[
        ("dead", "start-pre start-open"),
        ("failed", "start-pre start-open dead"),
        ("start-pre", "start-open stop-pre-sigterm final-sigterm"),
        ("start-open", "start-post listening stop-pre stop-pre-sigterm"),
        ("start-post", "listening stop-pre stop-pre-sigterm"),
        ("listening", "deferred running stop-pre"),
        ("deferred", "listening running stop-pre"),
        ("running", "listening stop-pre"),
        ("stop-pre", "stop-pre-sigterm"),
        ("stop-pre-sigterm", "stop-pre-sigkill stop-post"),
        ("stop-pre-sigkill", "stop-post"),
        ("stop-post", "final-sigterm"),
        ("final-sigterm", "final-sigkill dead failed"),
        ("final-sigkill", "dead failed"),
    ],
    passed: "listening running stop-pre stop-pre-sigterm stop-pre-sigkill stop-post final-sigterm final-sigkill dead \
             failed",
    stopped: "stop-pre-sigterm",
};

/// The SubState of each unit that has a table.
pub type States = BTreeMap<UnitName, String>;

/// What the units are in now.
pub fn states(engine: &Engine) -> States {
    engine
        .ids()
        .filter(|unit| {
            engine
                .name(*unit)
                .is_some_and(|name| table(name.kind()).is_some())
        })
        .filter_map(|unit| engine.status(unit))
        .map(|status| (status.name, status.sub))
        .collect()
}

/// A unit that went a way that is not listed. Units that came or went meanwhile have no way. When a final kill begins,
/// what is not spared is in final-sigterm wherever it was (semantics 7.5).
pub fn broken(before: &States, after: &States, final_kill: bool) -> Option<String> {
    after.iter().find_map(|(name, to)| {
        let from = before.get(name).filter(|from| *from != to)?;
        let known = table(name.kind())?;
        let given_up = final_kill && to == "final-sigterm";
        (!given_up && !leads(known, from, to)).then(|| format!("{name} went from {from} to {to}"))
    })
}

fn table(kind: UnitKind) -> Option<&'static Table> {
    match kind {
        UnitKind::Service => Some(&SERVICE),
        UnitKind::Socket => Some(&SOCKET),
        _ => None,
    }
}

/// Whether a way leads from one state to another in one step.
fn leads(table: &Table, from: &str, to: &str) -> bool {
    let next = |state: &str| {
        let row = table.rows.iter().find(|(name, _)| *name == state);
        row.map_or("", |(_, list)| list).split_whitespace()
    };
    let passed: BTreeSet<&str> = table.passed.split_whitespace().collect();
    let mut open = vec![from];
    let mut seen = BTreeSet::new();
    while let Some(state) = open.pop() {
        for following in next(state) {
            let passes = passed.contains(following);
            // What was just begun is there to be waited for, so a stop leads no further.
            let stopped = !passes && to == table.stopped && next(following).any(|state| state == to);
            if following == to || stopped {
                return true;
            }
            if passes && seen.insert(following) {
                open.push(following);
            }
        }
    }
    false
}
