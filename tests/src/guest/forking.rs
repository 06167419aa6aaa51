//! Type=forking: daemons that leave their start command, with and without a PID file.

use std::fs;
use std::thread;

use serde_json::json;

use super::check::{Output, wait_for};
use super::control::Unit;
use super::softctl::softctl;
use super::units::UnitFile;
use super::{Options, control};
use crate::error::{Context as _, Error};

const UNIT: &str = "daemon.service";
const PID_FILE: &str = "/run/daemon/daemon.pid";
/// A daemon, and the number of its process in `$!`.
const DAEMON: &str = "/bin/busybox sleep 1000 >/dev/null 2>&1 &";

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    written_late(output)?;
    over_a_reexec(output)?;
    not_to_be_trusted(output)?;
    guessed(output)?;
    never_written(output)
}

fn unit(script: &str, settings: &str) -> Result<UnitFile, Error> {
    let _ = fs::remove_file(PID_FILE);
    control::call("ResetFailed", json!({}))?;
    UnitFile::install(
        UNIT,
        &format!(
            "[Service]\nType=forking\nRuntimeDirectory=daemon\nRuntimeDirectoryPreserve=yes\n{settings}\n\
             ExecStart=/bin/busybox sh -c '{script}'\n"
        ),
    )
}

fn written_late(output: &mut Output) -> Result<(), Error> {
    // The directory comes last: what is watched before is the one above it.
    let _ = fs::remove_dir_all("/run/daemon");
    let script = format!("{DAEMON} (sleep 0.3; echo $$! >{PID_FILE}) & exit 0");
    let _unit = unit(&script, &format!("PIDFile={PID_FILE}"))?;
    control::start(UNIT)?;
    let written: i32 = number()?;
    output.same(
        &Unit::get(UNIT)?.main_pid(),
        &written,
        "the start ends when the PID file is there, and main is who it names",
    )?;
    let daemon = rustix::process::Pid::from_raw(written)
        .ok_or_else(|| Error::Check("the PID file has 0".to_owned()))?;
    rustix::process::kill_process(daemon, rustix::process::Signal::KILL).doing("killing the daemon")?;
    wait_for("the daemon's death to be noticed", || {
        Ok((Unit::get(UNIT)?.active() == "failed").then_some(()))
    })?;
    output.same(
        &Unit::get(UNIT)?.result(),
        &"signal",
        "its death is the death of the service",
    )
}

fn over_a_reexec(output: &mut Output) -> Result<(), Error> {
    let script = format!("{DAEMON} echo $$! >{PID_FILE}.new; exit 0");
    let _unit = unit(&script, &format!("PIDFile={PID_FILE}"))?;
    let starting = thread::spawn(|| softctl(&["start", UNIT]));
    wait_for("the start command to end", || {
        Ok(fs::exists(format!("{PID_FILE}.new"))
            .unwrap_or(false)
            .then_some(()))
    })?;
    control::reexec()?;
    output.same(
        &Unit::get(UNIT)?.sub(),
        &"start",
        "it still waits after a re-exec",
    )?;
    fs::rename(format!("{PID_FILE}.new"), PID_FILE).doing("renaming the PID file")?;
    let started = starting
        .join()
        .map_err(|_| Error::Check("softctl panicked".to_owned()))??;
    output.same(
        &(started.code, Unit::get(UNIT)?.main_pid()),
        &(0, number()?),
        "the new program sees the PID file that the old one waited for",
    )?;
    control::stop(UNIT)
}

fn not_to_be_trusted(output: &mut Output) -> Result<(), Error> {
    let script = format!("{DAEMON} echo 1 >{PID_FILE}; sleep 0.2; echo $$! >{PID_FILE}; exit 0");
    let _unit = unit(&script, &format!("PIDFile={PID_FILE}"))?;
    fs::create_dir_all("/run/daemon").doing("making the directory")?;
    fs::write(PID_FILE, "1\n").doing("writing the PID file")?;
    control::start(UNIT)?;
    output.same(
        &Unit::get(UNIT)?.main_pid(),
        &number()?,
        "a PID file that names PID 1 is waited past",
    )?;
    control::stop(UNIT)?;

    // The scenario's own process is in another unit.
    let own = std::process::id();
    let script = format!("{DAEMON} chmod 666 {PID_FILE}; exit 0");
    let _unit = unit(&script, &format!("PIDFile={PID_FILE}\nTimeoutStartSec=300ms"))?;
    fs::write(PID_FILE, own.to_string()).doing("writing the PID file")?;
    output.same(
        &(softctl(&["start", UNIT])?.code, Unit::get(UNIT)?.result()),
        &(1, "timeout"),
        "a file that anyone could write names no process of another unit",
    )
}

fn guessed(output: &mut Output) -> Result<(), Error> {
    let _unit = unit(&format!("{DAEMON} exit 0"), "")?;
    control::start(UNIT)?;
    let main = Unit::get(UNIT)?.main_pid();
    wait_for("the process that was left, sleep, to be main", || {
        let name = fs::read_to_string(format!("/proc/{main}/cmdline")).unwrap_or_default();
        Ok((name == "/bin/busybox\0sleep\x001000\0").then_some(()))
    })?;
    output.check(true, "without a PID file the only process left is main")?;
    control::stop(UNIT)?;

    let _unit = unit(&format!("{DAEMON} {DAEMON} exit 0"), "")?;
    control::start(UNIT)?;
    let unit = Unit::get(UNIT)?;
    output.same(
        &(unit.active(), unit.main_pid()),
        &("active", 0),
        "of two nobody knows which is main, and the service runs",
    )?;
    control::stop(UNIT)?;
    output.same(&Unit::get(UNIT)?.active(), &"inactive", "and stops as a whole")
}

fn never_written(output: &mut Output) -> Result<(), Error> {
    let _unit = unit("exit 0", &format!("PIDFile={PID_FILE}"))?;
    output.same(
        &(softctl(&["start", UNIT])?.code, Unit::get(UNIT)?.result()),
        &(1, "protocol"),
        "nothing left and no PID file is a broken promise",
    )
}

fn number() -> Result<i32, Error> {
    let text = fs::read_to_string(PID_FILE).doing("reading the PID file")?;
    text.trim()
        .parse()
        .map_err(|_| Error::Check(format!("the PID file has {text:?}")))
}
