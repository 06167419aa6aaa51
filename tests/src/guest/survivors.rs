//! Every way to survive a soft-reboot, and what does not survive beside it.

use std::fs;
use std::process::Command;

use super::Options;
use super::check::{Output, wait_for};
use super::control::{self, Unit};
use super::units::UnitFile;
use crate::error::{Context, Error};

const SLEEP: &str = "/bin/busybox sleep 100000";
/// Enough not to be stopped by the transaction, and no more.
const LOOSE: &str = "[Unit]\nDefaultDependencies=no\nIgnoreOnIsolate=yes\n[Service]\n";

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    let _units = [
        UnitFile::write(
            "whole.service",
            &format!("[Unit]\nSurviveSoftReboot=yes\n[Service]\nExecStart={SLEEP}\n"),
        )?,
        UnitFile::write(
            "many@.service",
            &format!("[Unit]\nSurviveSoftReboot=yes\n[Service]\nExecStart={SLEEP}\n"),
        )?,
        UnitFile::write(
            "storage.service",
            &format!("{LOOSE}ExecStart=@/bin/busybox @/sleep 100000\n"),
        )?,
        UnitFile::write(
            "user.service",
            &format!("{LOOSE}User=nobody\nExecStart=@/bin/busybox @/sleep 100000\n"),
        )?,
        UnitFile::write("marked.service", &format!("{LOOSE}ExecStart={SLEEP}\n"))?,
        UnitFile::write(
            "delegating.service",
            &format!("[Unit]\nSurviveSoftReboot=yes\n[Service]\nDelegate=yes\nExecStart={SLEEP}\n"),
        )?,
        UnitFile::install("plain.service", &format!("{LOOSE}ExecStart={SLEEP}\n"))?,
    ];
    let all = [
        ("whole.service", true, "SurviveSoftReboot=yes is the whole recipe"),
        ("many@1.service", true, "for instances, too"),
        (
            "storage.service",
            true,
            "a main process of root whose name begins with @ survives",
        ),
        ("user.service", false, "one of another user does not"),
        (
            "marked.service",
            true,
            "a service with a mark on its cgroup survives",
        ),
        ("delegating.service", true, "a survivor that delegates survives"),
        ("plain.service", false, "a service without any of that does not"),
    ];
    for (unit, _, _) in all {
        control::start(unit)?;
    }
    mark(&group("marked.service")?)?;
    let payload = format!("{}/payload", group("delegating.service")?);
    fs::create_dir(&payload).doing("making a subgroup")?;
    let inner = inside(&payload)?;
    let before: Vec<i32> = all
        .iter()
        .map(|(unit, _, _)| Unit::get(unit).map(|unit| unit.main_pid()))
        .collect::<Result<_, _>>()?;
    control::soft_reboot()?;
    for ((unit, survives, what), pid) in all.into_iter().zip(before) {
        let now = Unit::get(unit)?;
        let lives = now.active() == "active" && now.main_pid() == pid;
        output.same(&lives, &survives, what)?;
    }
    output.check(
        fs::read_to_string(format!("{payload}/cgroup.procs"))
            .is_ok_and(|text| text.trim() == inner.to_string()),
        "what runs in a delegated subgroup survives without a mark of its own",
    )?;
    for (unit, _, _) in all {
        control::stop(unit)?;
    }
    wait_for("the processes to be gone", || {
        Ok((!fs::exists(format!("/proc/{inner}")).unwrap_or(true)).then_some(()))
    })?;
    output.check(true, "survivors can be stopped as ever")
}

fn group(unit: &str) -> Result<String, Error> {
    let pid = Unit::get(unit)?.main_pid();
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).doing("reading a cgroup")?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::"));
    let path = path.ok_or_else(|| Error::Check(format!("{unit} has no cgroup: {text}")))?;
    Ok(format!("/sys/fs/cgroup{path}"))
}

fn mark(group: &str) -> Result<(), Error> {
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(group, "user.survive_final_kill_signal", b"1", flags)
        .map_err(std::io::Error::from)
        .doing("marking a cgroup")
}

/// A process in a group that only its owner knows.
fn inside(group: &str) -> Result<u32, Error> {
    let child = Command::new("/bin/busybox")
        .args(["sleep", "100000"])
        .spawn()
        .doing("running busybox")?;
    fs::write(format!("{group}/cgroup.procs"), child.id().to_string()).doing("moving a process")?;
    let id = child.id();
    // Whoever is the parent at its end reaps it.
    std::thread::spawn(move || { child }.wait());
    Ok(id)
}
