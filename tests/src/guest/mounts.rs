//! Mount units: mounted, seen, remounted, unmounted, and gone at the end.

use std::fs;
use std::process::Command;

use super::Options;
use super::check::{Output, wait_for};
use super::control::{self, Unit};
use super::softctl::softctl;
use super::units::UnitFile;
use crate::error::{Context as _, Error};

const UNIT: &str = "run-m-data.mount";
const PLACE: &str = "/run/m/data";

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    let _mount = UnitFile::write(
        UNIT,
        "[Mount]\nWhat=tmpfs\nWhere=/run/m/data\nType=tmpfs\nOptions=size=1m\n",
    )?;
    let _user = UnitFile::write(
        "user.service",
        "[Unit]\nRequiresMountsFor=/run/m/data/deep\n[Service]\nExecStart=/bin/busybox sleep 100000\n",
    )?;
    let _broken = UnitFile::install(
        "run-m-broken.mount",
        "[Mount]\nWhat=tmpfs\nWhere=/run/m/broken\nType=no-such-type\n",
    )?;
    control::start("user.service")?;
    output.same(
        &(Unit::get(UNIT)?.sub(), options()?.contains("size=1024k")),
        &("mounted", true),
        "a service that needs a path has it mounted",
    )?;

    let _mount = UnitFile::install(
        UNIT,
        "[Mount]\nWhat=tmpfs\nWhere=/run/m/data\nType=tmpfs\nOptions=size=2m\n",
    )?;
    output.same(&softctl(&["reload", UNIT])?.code, &0, "a mount can be reloaded")?;
    output.check(
        options()?.contains("size=2048k"),
        "and is mounted again with its new options",
    )?;
    control::reexec()?;
    output.same(&Unit::get(UNIT)?.sub(), &"mounted", "it stays over a re-exec")?;

    busybox(&["umount", PLACE])?;
    wait_for("the unmounting to be noticed", || {
        Ok((Unit::get(UNIT)?.active() == "inactive").then_some(()))
    })?;
    output.check(true, "that somebody unmounts it is noticed")?;
    fs::create_dir_all(PLACE).doing("making the place")?;
    busybox(&["mount", "-t", "tmpfs", "tmpfs", PLACE])?;
    wait_for("the mounting to be noticed", || {
        Ok((Unit::get(UNIT)?.sub() == "mounted").then_some(()))
    })?;
    output.check(true, "that somebody mounts it, too")?;

    busybox(&["mount", "-t", "tmpfs", "tmpfs", PLACE])?;
    control::stop(UNIT)?;
    output.same(
        &(Unit::get(UNIT)?.active(), options()?.is_empty()),
        &("inactive", true),
        "a stop unmounts what is on top and what is below",
    )?;

    let started = softctl(&["start", "run-m-broken.mount"])?;
    let status = softctl(&["status", "run-m-broken.mount"])?.stdout;
    output.same(
        &(started.code, Unit::get("run-m-broken.mount")?.sub()),
        &(1, "failed"),
        format!("what cannot be mounted fails, and says why:\n{status}"),
    )?;
    output.check(
        status.contains("no-such-type") || status.contains("mount:"),
        "in its log",
    )?;

    control::start(UNIT)?;
    control::soft_reboot()?;
    wait_for("the mount to be gone", || Ok(options()?.is_empty().then_some(())))?;
    output.check(true, "a soft-reboot unmounts it, as the end of userspace does")
}

/// The line of the mount table; empty when nothing is mounted there.
fn options() -> Result<String, Error> {
    let table = fs::read_to_string("/proc/self/mounts").doing("reading the mount table")?;
    let mut lines = table.lines().filter(|line| line.contains(&format!(" {PLACE} ")));
    Ok(lines.next_back().unwrap_or_default().to_owned())
}

fn busybox(words: &[&str]) -> Result<(), Error> {
    let status = Command::new("/bin/busybox")
        .args(words)
        .status()
        .doing("running busybox")?;
    if status.success() {
        Ok(())
    } else {
        Err(Error::Check(format!("busybox {}: {status}", words.join(" "))))
    }
}
