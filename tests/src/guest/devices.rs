//! Units that wait for a device, and go with it.

use std::process::Command;

use super::Options;
use super::check::{Output, wait_for};
use super::control::{self, Unit};
use super::softctl::softctl;
use super::units::UnitFile;
use crate::error::{Context as _, Error};

/// A network interface is a device that a scenario can make.
const DEVICE: &str = "sys-subsystem-net-devices-sb0.device";
const UNIT: &str = "bound.service";

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    let _unit = UnitFile::install(
        UNIT,
        &format!(
            "[Unit]\nBindsTo={DEVICE}\nAfter={DEVICE}\n[Service]\nExecStart=/bin/busybox sleep 100000\n"
        ),
    )?;
    output.same(
        &softctl(&["start", "--no-block", UNIT])?.code,
        &0,
        "a unit that waits for a device can be asked for",
    )?;
    output.same(
        &(Unit::get(UNIT)?.active(), Unit::get(DEVICE)?.sub()),
        &("inactive", "dead"),
        "it does not start before the device is there",
    )?;
    interface("add")?;
    wait_for("the unit to start", || {
        Ok((Unit::get(UNIT)?.active() == "active").then_some(()))
    })?;
    output.same(
        &Unit::get(DEVICE)?.sub(),
        &"plugged",
        "it starts when the device pops up",
    )?;
    control::reexec()?;
    output.same(
        &(Unit::get(UNIT)?.active(), Unit::get(DEVICE)?.sub()),
        &("active", "plugged"),
        "both stay over a re-exec",
    )?;
    output.same(
        &softctl(&["stop", DEVICE])?.code,
        &0,
        "a stop of the device is nothing to do",
    )?;
    output.same(&Unit::get(DEVICE)?.sub(), &"plugged", "and does nothing")?;
    interface("del")?;
    wait_for("the unit to stop", || {
        Ok((Unit::get(UNIT)?.active() == "inactive").then_some(()))
    })?;
    output.same(
        &Unit::get(DEVICE)?.sub(),
        &"dead",
        "what is bound to a device goes with it",
    )?;

    let _unit = UnitFile::install("dev-sb\\x2dnone.device", "[Unit]\nJobRunningTimeoutSec=300ms\n")?;
    let started = softctl(&["start", "dev-sb\\x2dnone.device"])?;
    output.same(
        &started.code,
        &1,
        "a device that never comes is waited for no longer than its limit",
    )
}

fn interface(verb: &str) -> Result<(), Error> {
    let kind: &[&str] = if verb == "add" { &["type", "bridge"] } else { &[] };
    let status = Command::new("/bin/busybox")
        .args(["ip", "link", verb, "sb0"])
        .args(kind)
        .status()
        .doing("running ip")?;
    if status.success() {
        Ok(())
    } else {
        Err(Error::Check(format!("ip link {verb} sb0: {status}")))
    }
}
