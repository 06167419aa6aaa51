//! What a service's settings promise: restarts and their limit, exit codes, users, lists of commands, time-outs.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::check::{Output, wait_for};
use super::softctl::softctl;
use super::units::UnitFile;
use super::{Options, control};
use crate::error::{Context, Error};

const UNIT: &str = "promise.service";
const CGROUP: &str = "/sys/fs/cgroup/system.slice/promise.service";
const TRACE: &str = "/run/softboot-trace";

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    start_limit(output)?;
    of_its_cgroup(output)?;
    super::told::run(output)?;
    for (setting, code, what) in [
        ("ExecStart=/no/such/program", 203, "a missing program"),
        (
            "ExecStart=/bin/busybox true\nUser=nosuchuser",
            217,
            "an unknown user",
        ),
        (
            "ExecStart=/bin/busybox true\nWorkingDirectory=/no/such/place",
            200,
            "a missing directory",
        ),
    ] {
        let _unit = fresh(&format!("Type=oneshot\n{setting}"))?;
        let started = softctl(&["start", UNIT])?;
        let status = softctl(&["status", UNIT])?.stdout;
        output.same(
            &(started.code, status.contains(&code.to_string())),
            &(1, true),
            format!("{what} fails the start, and status shows {code}"),
        )?;
        expect(output, "failed", "exit-code", what)?;
    }

    let _unit = fresh("ExecStart=/bin/busybox false\nRestart=always\nRestartSec=1h")?;
    control::start(UNIT)?;
    wait_for("the time between two runs", || {
        Ok((control::Unit::get(UNIT)?.sub() == "auto-restart").then_some(()))
    })?;
    control::stop(UNIT)?;
    expect(output, "inactive", "exit-code", "a stop between two runs")?;

    let _unit = fresh(&format!(
        "Type=oneshot\nUser=nobody\nExecStart={}",
        shell("busybox id -u; busybox id -g")
    ))?;
    control::start(UNIT)?;
    output.same(
        &trace(),
        &"65534 65534".to_owned(),
        "User=nobody runs as nobody, with nobody's group",
    )?;

    let _unit = fresh(&format!(
        "ExecStartPre=/bin/busybox false\nExecStart={}\nExecStopPost={}",
        shell("echo ran"),
        shell("echo $$SERVICE_RESULT")
    ))?;
    output.same(
        &softctl(&["start", UNIT])?.code,
        &1,
        "a failing ExecStartPre= fails the start",
    )?;
    expect(output, "failed", "exit-code", "a failing ExecStartPre=")?;
    output.same(
        &trace(),
        &"exit-code".to_owned(),
        "ExecStart= was not run, ExecStopPost= was",
    )?;

    let _unit = fresh("Type=notify\nTimeoutStartSec=200ms\nExecStart=/bin/busybox sleep 1000")?;
    output.same(
        &softctl(&["start", UNIT])?.code,
        &1,
        "a start that takes too long fails",
    )?;
    expect(output, "failed", "timeout", "TimeoutStartSec=")?;

    let list = ["echo one", "echo two; exit 3", "echo three"].map(shell);
    let _unit = fresh(&format!(
        "Type=oneshot\nRemainAfterExit=yes\nExecStart={}\nExecStart=-{}\nExecStart={}",
        list[0], list[1], list[2]
    ))?;
    control::start(UNIT)?;
    control::start(UNIT)?;
    output.same(
        &trace(),
        &"one two three".to_owned(),
        "a list of commands runs once, in order, past one with \"-\"",
    )?;
    expect(output, "active", "success", "RemainAfterExit=yes")?;
    control::stop(UNIT)?;
    expect(output, "inactive", "success", "a stop after it")?;

    let _unit = fresh(&format!(
        "Type=oneshot\nExecStart={}\nExecStart={}\nExecStart={}",
        list[0], list[1], list[2]
    ))?;
    output.same(
        &softctl(&["start", UNIT])?.code,
        &1,
        "a failing command of a list fails the start",
    )?;
    output.same(
        &trace(),
        &"one two".to_owned(),
        "and what comes after it is not run",
    )
}

/// A service that is more than its main process.
fn of_its_cgroup(output: &mut Output) -> Result<(), Error> {
    let _unit = fresh(&format!(
        "ExitType=cgroup\nExecStart={}",
        shell("/bin/busybox sleep 0.5 & exit 0")
    ))?;
    control::start(UNIT)?;
    wait_for("the main process to end", || {
        Ok((control::Unit::get(UNIT)?.main_pid() == 0).then_some(()))
    })?;
    output.same(
        &control::Unit::get(UNIT)?.sub(),
        &"running",
        "ExitType=cgroup outlives its main process",
    )?;
    wait_for("its last process to end", || {
        Ok((control::Unit::get(UNIT)?.active() == "inactive").then_some(()))
    })?;
    expect(output, "inactive", "success", "its last process")
}

fn start_limit(output: &mut Output) -> Result<(), Error> {
    let _unit = fresh(&format!(
        "ExecStart={}\nRestart=on-failure\nRestartSec=0\n[Unit]\nStartLimitBurst=3\nStartLimitIntervalSec=1h",
        shell("echo run; exit 7")
    ))?;
    control::start(UNIT)?;
    wait_for("the start limit", || {
        Ok((control::Unit::get(UNIT)?.active() == "failed").then_some(()))
    })?;
    output.same(
        &trace(),
        &"run run run".to_owned(),
        "StartLimitBurst=3 allows three starts",
    )?;
    let status = softctl(&["status", UNIT])?.stdout;
    output.check(
        status.contains("start-limit-hit") && status.contains("exited 7"),
        format!("status says that the limit was hit and what the last run ended with:\n{status}"),
    )?;
    expect(output, "failed", "start-limit-hit", "too many starts")?;
    output.same(&softctl(&["start", UNIT])?.code, &1, "another start is refused")?;
    output.same(&trace(), &"run run run".to_owned(), "and runs nothing")?;
    output.same(
        &softctl(&["reset-failed", UNIT])?.code,
        &0,
        "reset-failed forgets the limit",
    )?;
    control::start(UNIT)?;
    wait_for("another run", || {
        Ok(trace().starts_with("run run run run").then_some(()))
    })?;
    output.check(true, "and the service starts again")?;
    wait_for("the start limit", || {
        Ok((control::Unit::get(UNIT)?.active() == "failed").then_some(()))
    })
}

/// A new unit of the same name, with nothing left of the one before.
fn fresh(section: &str) -> Result<UnitFile, Error> {
    let unit = UnitFile::install(UNIT, &format!("[Service]\n{section}\n"))?;
    control::call("ResetFailed", json!({}))?;
    fs::write(TRACE, "").doing("emptying the trace")?;
    let open = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666);
    fs::set_permissions(TRACE, open).doing("opening the trace to all")?;
    Ok(unit)
}

/// A command that adds what it prints to the trace.
fn shell(script: &str) -> String {
    format!("/bin/busybox sh -c 'exec >>{TRACE}; {script}'")
}

/// The lines of the trace, in one.
fn trace() -> String {
    let text = fs::read_to_string(TRACE).unwrap_or_default();
    text.lines().collect::<Vec<_>>().join(" ")
}

fn expect(output: &mut Output, active: &str, result: &str, after: &str) -> Result<(), Error> {
    let unit = control::Unit::get(UNIT)?;
    if active != "active" {
        wait_for(format!("the cgroup of {UNIT} to be gone after {after}"), || {
            Ok((!Path::new(CGROUP).exists()).then_some(()))
        })?;
    }
    output.same(
        &(unit.active(), unit.result()),
        &(active, result),
        format!("state and result after {after}"),
    )
}
