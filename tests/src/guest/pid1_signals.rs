//! What signals mean to PID 1 (semantics 6.1).

use std::process::Command;

use super::check::{Output, wait_for};
use super::units::UnitFile;
use super::{Options, control, processes};
use crate::error::{Context, Error};

const UNIT: &str = "described.service";
/// Of the C library that PID 1 is built with.
pub(super) const SIGRTMIN: i32 = 34;

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    let init = processes::process(1).map(|process| process.start);

    let service =
        |word: &str| format!("[Unit]\nDescription={word}\n[Service]\nExecStart=/bin/busybox true\n");
    let _first = UnitFile::install(UNIT, &service("old"))?;
    output.same(
        &control::Unit::get(UNIT)?.description(),
        &"old",
        "a unit file is read",
    )?;
    let _second = UnitFile::write(UNIT, &service("new"))?;
    output.same(
        &control::Unit::get(UNIT)?.description(),
        &"old",
        "and is not read again without being asked",
    )?;
    signal(1)?;
    wait_for("the new description after SIGHUP", || {
        Ok((control::Unit::get(UNIT)?.description() == "new").then_some(()))
    })?;
    output.check(true, "SIGHUP reloads")?;

    for (name, number) in [("SIGTERM", 15), ("SIGRTMIN+25", SIGRTMIN + 25)] {
        let before = control::reexecs()?;
        signal(number)?;
        wait_for(format!("a re-exec after {name}"), || {
            Ok((control::reexecs()? == before + 1).then_some(()))
        })?;
        output.check(true, format!("{name} re-executes"))?;
    }

    let before = (control::reexecs()?, control::status()?);
    // SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH, SIGSYS, and real-time signals without a meaning.
    let harmless = [13, 10, 12, 14, 28, 31, SIGRTMIN + 8, SIGRTMIN + 19, SIGRTMIN + 30];
    for number in harmless {
        signal(number)?;
    }
    output.same(
        &(control::reexecs()?, control::status()?),
        &before,
        format!("signals {harmless:?} change nothing"),
    )?;

    for (name, number) in [("SIGRTMIN+7", SIGRTMIN + 7), ("SIGRTMIN+17", SIGRTMIN + 17)] {
        let (_, before) = control::status()?;
        signal(number)?;
        wait_for(format!("a soft-reboot after {name}"), || {
            let (state, count) = control::status()?;
            Ok((count == before + 1 && state == "running").then_some(()))
        })?;
        output.check(true, format!("{name} soft-reboots, once"))?;
    }
    output.same(
        &processes::process(1).map(|process| process.start),
        &init,
        "PID 1 is the same process",
    )
}

pub(super) fn signal(number: i32) -> Result<(), Error> {
    let status = Command::new("/bin/busybox")
        .args(["kill", &format!("-{number}"), "1"])
        .status()
        .doing("running kill")?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Check(format!("kill -{number} 1 ended with {status}")))
}
