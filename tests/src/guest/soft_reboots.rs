//! Scenario 3: soft-reboots in a row. What is kept is the very same, everything else is new, and nothing leaks.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use super::census::Census;
use super::check::{Output, wait_for};
use super::net::{ECHO, connect, echo};
use super::processes::{self, Process};
use super::programs::{number, report, survivor_after};
use super::{Options, control};
use crate::error::{Context, Error};

/// Units that keep running; the last is the one a container runs the scenario in.
const SURVIVORS: [&str; 3] = [
    "survivor.service",
    "softboot-vm-agent.service",
    "softboot-scenario.service",
];
/// Sockets whose units stay active through a soft-reboot.
const KEPT: [&str; 2] = ["lighttpd.socket", "echo-store.socket"];

pub(super) fn run(output: &mut Output, options: &Options) -> Result<(), Error> {
    control::wait_running()?;
    let mut client = connect(ECHO)?;
    echo(&mut client, "before\n")?;
    // The first one brings everything into the state that all the others must leave unchanged.
    control::soft_reboot()?;
    settle()?;
    let before = Census::take()?;
    for round in 1..=options.count {
        one(output, round, options.count)?;
        echo(&mut client, &format!("round {round}\n"))?;
        output.check(
            true,
            "a connection in an fd store goes on in the middle of its stream",
        )?;
    }
    let grown = wait_for("everything that was there for a moment to be gone", || {
        let grown = Census::take()?.grown_since(&before);
        Ok(grown.is_empty().then_some(grown))
    });
    if grown.is_err() {
        let grown = Census::take()?.grown_since(&before);
        output.same(
            &grown,
            &Vec::new(),
            "no descriptor, cgroup, mount or zombie is left over",
        )?;
    }
    output.check(true, "no descriptor, cgroup, mount or zombie is left over")?;
    let log = Command::new("softctl")
        .args(["logs", "survivor.service"])
        .output()
        .doing("running softctl logs")?;
    let beats = heartbeats(&String::from_utf8_lossy(&log.stdout));
    output.check(beats.len() > 1, "the survivor's log is there")?;
    let steps: BTreeSet<u64> = beats
        .iter()
        .zip(beats.iter().skip(1))
        .map(|(a, b)| b.saturating_sub(*a))
        .collect();
    output.same(
        &steps,
        &BTreeSet::from([1]),
        format!("its {} heartbeat lines have no gap", beats.len()),
    )
}

fn one(output: &mut Output, round: u32, rounds: u32) -> Result<(), Error> {
    output.note(format!("soft-reboot {round} of {rounds}"));
    let survivor = report("survivor")?;
    let memory = report("holdfds")?;
    let cookies = kept_cookies()?;
    let mains = survivors_main_pids()?;
    let old: BTreeSet<Process> = processes::all()?;

    control::soft_reboot()?;

    let now = processes::all()?;
    let stayed = old.iter().filter(|process| {
        let same = |other: &&Process| (other.pid, other.start) == (process.pid, process.start);
        process.pid != 1 && !is_survivor(process) && now.iter().any(|other| same(&other))
    });
    let stayed: Vec<String> = stayed
        .map(|process| format!("{} {}", process.pid, process.name))
        .collect();
    output.same(
        &stayed,
        &Vec::new(),
        "everyone who is no survivor is a new process",
    )?;
    output.same(
        &survivors_main_pids()?,
        &mains,
        "the survivors' main PIDs are the same",
    )?;
    output.same(
        &kept_cookies()?,
        &cookies,
        "the listening sockets are the same kernel objects",
    )?;

    let later = survivor_after(number(&survivor, "/now_usec").saturating_add(500_000))?;
    for link in ["pair", "echo"] {
        for key in ["drops", "corrupt", "connects"] {
            let pointer = format!("/{link}/{key}");
            let wanted = if key == "connects" { 1 } else { 0 };
            output.same(
                &number(&later, &pointer),
                &wanted,
                format!("the survivor's {link} connection: {key}"),
            )?;
        }
    }
    output.note(format!(
        "largest gap of its echo connection: {} us",
        number(&later, "/echo/largest_gap_usec")
    ));

    let held = wait_for("the report of holdfds", || {
        let found = report("holdfds")?;
        Ok((number(&found, "/pid") != number(&memory, "/pid")).then_some(found))
    })?;
    let count = number(&memory, "/stored").max(number(&memory, "/returned"));
    output.same(
        &number(&held, "/intact"),
        &count,
        format!("all {count} memory files are intact"),
    )?;
    output.same(
        &held.get("inodes"),
        &memory.get("inodes"),
        "and are the same kernel objects",
    )
}

/// Waits until what starts on its own has started.
fn settle() -> Result<(), Error> {
    survivor_after(0)?;
    let running = || {
        Ok(processes::all()?
            .iter()
            .any(|process| process.is_of("echo-store.service"))
            .then_some(()))
    };
    wait_for("echo-store.service", running)?;
    wait_for("the report of holdfds", || {
        report("holdfds").map(|found: Value| Some(found))
    })?;
    Ok(())
}

fn is_survivor(process: &Process) -> bool {
    SURVIVORS.iter().any(|unit| process.is_of(unit))
}

fn survivors_main_pids() -> Result<BTreeMap<String, i32>, Error> {
    let names = control::unit_names()?;
    let here = SURVIVORS
        .iter()
        .filter(|unit| names.iter().any(|name| name == *unit));
    here.map(|unit| Ok(((*unit).to_owned(), control::Unit::get(unit)?.main_pid())))
        .collect()
}

fn kept_cookies() -> Result<BTreeMap<String, Vec<u64>>, Error> {
    let mut cookies = control::all_cookies()?;
    cookies.retain(|name, _| KEPT.contains(&name.as_str()));
    if cookies.len() == KEPT.len() && cookies.values().all(|list| !list.is_empty()) {
        return Ok(cookies);
    }
    Err(Error::Check(format!(
        "not every socket that stays is listening: {cookies:?}"
    )))
}

/// The numbers of the heartbeat lines in a log.
fn heartbeats(log: &str) -> Vec<u64> {
    let number = |line: &str| line.split_once("heartbeat ")?.1.split_once(':')?.0.parse().ok();
    log.lines().filter_map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heartbeats_are_found_behind_any_time_stamp() {
        let log = "[ 1.0] heartbeat 1: pair\nother\n2026 x heartbeat 2: pair\n";
        assert_eq!(heartbeats(log), [1, 2]);
    }
}
