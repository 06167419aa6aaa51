//! What a manager has in its head besides units and descriptors goes along: deadlines, limits, counters, identities,
//! credentials (semantics 6.4, 6.5, 7.8).

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::Options;
use super::check::{Output, PATIENCE, wait_for};
use super::control::{self, Unit, call};
use super::softctl::softctl;
use super::units::UnitFile;
use crate::error::{Context as _, Error};

const SLEEP: &str = "ExecStart=/bin/busybox sleep 100000\n";
/// Between two handoffs: so short that a deadline that began anew each time would never come.
const PAUSE: Duration = Duration::from_millis(300);

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    deadlines(output)?;
    survivors_deadlines(output)?;
    start_limit(output)?;
    identities_and_credentials(output)?;
    definitions(output)
}

/// A re-exec reads no unit file: what was read goes along, whatever has become of the files.
fn definitions(output: &mut Output) -> Result<(), Error> {
    let text = |word: &str| format!("[Unit]\nDescription={word}\n[Service]\n{SLEEP}");
    let _changed = UnitFile::write("reads-changed.service", &text("as it was"))?;
    let gone = UnitFile::install("reads-gone.service", &text("as it was"))?;
    for unit in ["reads-changed.service", "reads-gone.service"] {
        control::start(unit)?;
    }
    let _changed = UnitFile::write("reads-changed.service", &text("changed"))?;
    drop(gone);
    control::reexec()?;
    for unit in ["reads-changed.service", "reads-gone.service"] {
        let now = Unit::get(unit)?;
        output.same(
            &(now.load(), now.description(), now.active()),
            &("loaded", "as it was", "active"),
            format!("{unit}: a re-exec reads no unit file"),
        )?;
    }
    call("Reload", json!({}))?;
    output.same(
        &(
            Unit::get("reads-changed.service")?.description(),
            Unit::get("reads-gone.service")?.load(),
        ),
        &("changed", "not-found"),
        "a reload does",
    )?;
    control::stop("reads-changed.service")?;
    control::stop("reads-gone.service")
}

/// Each of these ends by a deadline of two seconds.
fn deadlines(output: &mut Output) -> Result<(), Error> {
    let _units = [
        UnitFile::write(
            "late-start.service",
            &format!("[Service]\nType=notify\nTimeoutStartSec=2\n{SLEEP}"),
        )?,
        UnitFile::write(
            "late-run.service",
            &format!("[Service]\nRuntimeMaxSec=2\n{SLEEP}"),
        )?,
        UnitFile::write(
            "late-watch.service",
            &format!("[Service]\nWatchdogSec=2\n{SLEEP}"),
        )?,
        UnitFile::write(
            "late-again.service",
            "[Service]\nExecStart=/bin/busybox false\nRestart=always\nRestartSec=2\n",
        )?,
        UnitFile::write(
            "late-stop.service",
            "[Service]\nTimeoutStopSec=2\n\
             ExecStart=/bin/busybox sh -c 'trap \"\" TERM; while :; do busybox sleep 1; done'\n",
        )?,
        UnitFile::write(
            "late-job.service",
            &format!(
                "[Unit]\nWants=dev-never.device\nAfter=dev-never.device\nJobTimeoutSec=2\n[Service]\n{SLEEP}"
            ),
        )?,
    ];
    call("Reload", json!({}))?;
    control::start("late-stop.service")?;
    // Its process has to have set its trap.
    std::thread::sleep(PAUSE);
    softctl(&["stop", "--no-block", "late-stop.service"])?;
    for unit in ["late-start", "late-run", "late-watch", "late-again", "late-job"] {
        softctl(&["start", "--no-block", &format!("{unit}.service")])?;
    }
    let ended = |name: &str, result: &'static str| -> Result<bool, Error> {
        let unit = Unit::get(name)?;
        Ok(unit.active() == "failed" && unit.result() == result)
    };
    let waits = |name: &str| -> Result<bool, Error> {
        let jobs = call("ListJobs", json!({}))?;
        let jobs = jobs.get("jobs").and_then(Value::as_array);
        Ok(jobs.is_some_and(|jobs| {
            jobs.iter()
                .any(|job| job.get("unit").and_then(Value::as_str) == Some(name))
        }))
    };
    output.check(waits("late-job.service")?, "a job waits for a device")?;
    let rounds = until(
        || {
            Ok(ended("late-start.service", "timeout")?
                && ended("late-run.service", "timeout")?
                && ended("late-watch.service", "watchdog")?
                && ended("late-stop.service", "timeout")?
                && restarts("late-again.service")? >= 1
                && !waits("late-job.service")?)
        },
        |round| {
            if round == 2 {
                return crash();
            }
            control::reexec()
        },
    )?;
    output.check(
        rounds >= 3,
        format!(
            "TimeoutStartSec=, RuntimeMaxSec=, WatchdogSec=, TimeoutStopSec=, RestartSec= and JobTimeoutSec= ran out \
             over {rounds} re-execs and a crash"
        ),
    )?;
    control::stop("late-again.service")?;
    // The job of the device.
    softctl(&["cancel"])?;
    call("ResetFailed", json!({})).map(drop)
}

/// Survivors have theirs as well.
fn survivors_deadlines(output: &mut Output) -> Result<(), Error> {
    let survives = "[Unit]\nSurviveSoftReboot=yes\n[Service]\n";
    let _units = [
        UnitFile::write("long-run.service", &format!("{survives}RuntimeMaxSec=3\n{SLEEP}"))?,
        UnitFile::write("long-watch.service", &format!("{survives}WatchdogSec=3\n{SLEEP}"))?,
    ];
    call("Reload", json!({}))?;
    for unit in ["long-run.service", "long-watch.service"] {
        control::start(unit)?;
    }
    let result = |name: &str| -> Result<String, Error> { Ok(Unit::get(name)?.result().to_owned()) };
    let rounds = until(
        || Ok(result("long-run.service")? == "timeout" && result("long-watch.service")? == "watchdog"),
        |_| control::soft_reboot(),
    )?;
    output.check(
        rounds >= 3,
        format!("RuntimeMaxSec= and WatchdogSec= of survivors ran out over {rounds} soft-reboots"),
    )?;
    call("ResetFailed", json!({})).map(drop)
}

/// Three starts in ten minutes of one userspace, whichever program is PID 1 meanwhile.
fn start_limit(output: &mut Output) -> Result<(), Error> {
    let _unit = UnitFile::install(
        "limited.service",
        "[Unit]\nStartLimitIntervalSec=600\nStartLimitBurst=3\n[Service]\nExecStart=/bin/busybox false\n",
    )?;
    let start = || -> Result<String, Error> {
        softctl(&["start", "limited.service"])?;
        let gone = || {
            let unit = Unit::get("limited.service")?;
            Ok((unit.active() == "failed").then(|| unit.result().to_owned()))
        };
        wait_for("a service to fail", gone)
    };
    let first = start()?;
    control::reexec()?;
    let second = start()?;
    crash()?;
    let third = start()?;
    let fourth = start()?;
    output.same(
        &[first, second, third, fourth],
        &["exit-code", "exit-code", "exit-code", "start-limit-hit"].map(str::to_owned),
        "starts are counted over a re-exec and a crash",
    )?;
    control::soft_reboot()?;
    output.same(
        &Unit::get("limited.service")?.active(),
        &"inactive",
        "in a new userspace nothing has failed yet",
    )?;
    output.same(&start()?.as_str(), &"exit-code", "and starts are counted anew")?;
    call("ResetFailed", json!({})).map(drop)
}

fn identities_and_credentials(output: &mut Output) -> Result<(), Error> {
    const SECRET: &str = "/run/handoff-secret";
    fs::write(SECRET, "old").doing("writing a credential")?;
    let credentials = format!("SetCredential=word:given\nLoadCredential=secret:{SECRET}\n{SLEEP}");
    let _units = [
        UnitFile::write(
            "keeps.service",
            &format!("[Unit]\nSurviveSoftReboot=yes\n[Service]\n{credentials}"),
        )?,
        UnitFile::write("renews.service", &format!("[Service]\n{credentials}"))?,
    ];
    call("Reload", json!({}))?;
    control::start("keeps.service")?;
    control::start("renews.service")?;
    let credential = |unit: &str, name: &str| {
        fs::read_to_string(format!("/run/credentials/{unit}/{name}")).unwrap_or_default()
    };
    let (keeps, renews) = (invocation("keeps.service")?, invocation("renews.service")?);
    control::reexec()?;
    crash()?;
    fs::write(SECRET, "new").doing("changing a credential")?;
    output.same(
        &(invocation("keeps.service")?, invocation("renews.service")?),
        &(keeps.clone(), renews.clone()),
        "a run has the same invocation id after a re-exec and a crash",
    )?;
    output.same(
        &(
            credential("keeps.service", "word"),
            credential("renews.service", "secret"),
        ),
        &("given".to_owned(), "old".to_owned()),
        "and the same credentials",
    )?;
    control::soft_reboot()?;
    control::start("renews.service")?;
    output.same(
        &invocation("keeps.service")?,
        &keeps,
        "a survivor's invocation id is the same after a soft-reboot",
    )?;
    output.check(
        invocation("renews.service")? != renews,
        "a new run has a new invocation id",
    )?;
    output.same(
        &(
            credential("keeps.service", "word"),
            credential("keeps.service", "secret"),
            credential("renews.service", "secret"),
        ),
        &("given".to_owned(), "old".to_owned(), "new".to_owned()),
        "a survivor keeps its credentials, a new run gets new ones",
    )?;
    control::stop("keeps.service")?;
    control::stop("renews.service")?;
    output.check(
        !fs::exists("/run/credentials/keeps.service").doing("looking for credentials")?,
        "they are gone when it has stopped",
    )?;
    fs::remove_file(SECRET).doing("removing a credential")
}

/// Hands over again and again until it holds; the number of times.
fn until(
    holds: impl Fn() -> Result<bool, Error>,
    hand_over: impl Fn(u32) -> Result<(), Error>,
) -> Result<u32, Error> {
    let begun = Instant::now();
    for round in 0.. {
        if holds()? {
            return Ok(round);
        }
        if begun.elapsed() > PATIENCE {
            break;
        }
        hand_over(round)?;
        std::thread::sleep(PAUSE);
    }
    Err(Error::Check(format!(
        "a deadline did not come: {}",
        call("ListUnits", json!({}))?
    )))
}

fn crash() -> Result<(), Error> {
    let init = Pid::from_raw(1).ok_or_else(|| Error::Check("there is no PID 1".to_owned()))?;
    kill_process(init, Signal::SEGV).doing("sending SIGSEGV to PID 1")?;
    control::wait_running().map(drop)
}

fn property(unit: &str, name: &str) -> Result<Value, Error> {
    let reply = call("GetProperties", json!({ "name": unit }))?;
    let value = reply.get("properties").and_then(|all| all.get(name)).cloned();
    value.ok_or_else(|| Error::Check(format!("{unit} has no property {name}")))
}

fn restarts(unit: &str) -> Result<u64, Error> {
    Ok(property(unit, "NRestarts")?.as_u64().unwrap_or_default())
}

fn invocation(unit: &str) -> Result<Value, Error> {
    property(unit, "InvocationID")
}
