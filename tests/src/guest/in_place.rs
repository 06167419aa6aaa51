//! A soft-reboot without an exec: the same program goes on, and the next userspace is the one that its files say.

use std::fs;
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::Options;
use super::check::{Output, wait_for};
use super::control::{self, Unit, call};
use super::crash::described;
use super::faults::{faulty, order};
use super::net::{ECHO, connect, echo};
use super::refused_handoff::{Instead, Replaced};
use super::softctl::softctl;
use super::units::UnitFile;
use crate::error::{Context as _, Error};

const WANTS: &str = "/run/systemd/system/multi-user.target.wants";

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    let mut client = connect(ECHO)?;
    echo(&mut client, "before\n")?;
    as_it_was(output)?;
    other_files(output)?;
    changed_by_a_stop(output)?;
    survivor_without_file(output)?;
    crashes(output)?;
    echo(&mut client, "after\n")?;
    output.check(
        true,
        "a connection in an fd store goes on in the middle of its stream",
    )
}

/// Where the kernel has put PID 1's stack: somewhere else after each exec, if addresses are random.
fn stack() -> Result<String, Error> {
    let maps = fs::read_to_string("/proc/1/maps").doing("reading the memory map of PID 1")?;
    let line = maps.lines().find(|line| line.ends_with("[stack]"));
    let end = line.and_then(|line| line.split([' ', '-']).nth(1));
    end.map(str::to_owned)
        .ok_or_else(|| Error::Check("PID 1 has no stack in its memory map".to_owned()))
}

/// Whether this soft-reboot executed a program.
pub(super) fn executes(reboot: impl FnOnce() -> Result<(), Error>) -> Result<bool, Error> {
    let before = stack()?;
    reboot()?;
    Ok(stack()? != before)
}

fn as_it_was(output: &mut Output) -> Result<(), Error> {
    let before = stack()?;
    control::reexec()?;
    output.check(
        stack()? != before,
        "an exec can be told by the address of the stack",
    )?;
    for _ in 0..3 {
        let state = Unit::get("lighttpd.socket")?.active().to_owned();
        output.same(
            &executes(control::soft_reboot)?,
            &false,
            "a soft-reboot into the same program and root executes nothing",
        )?;
        output.same(
            &Unit::get("lighttpd.socket")?.active().to_owned(),
            &state,
            "a kept socket is up as before",
        )?;
    }
    output.same(&control::reexecs()?, &0, "a userspace begins without re-execs")?;
    control::reexec()?;
    output.same(
        &control::reexecs()?,
        &1,
        "a re-exec of a userspace that began in place",
    )
}

/// A unit of the boot.
fn wanted(name: &str) -> Result<Wanted, Error> {
    fs::create_dir_all(WANTS).doing(format!("making {WANTS}"))?;
    let link = PathBuf::from(WANTS).join(name);
    std::os::unix::fs::symlink(format!("../{name}"), &link).doing(format!("making {}", link.display()))?;
    Ok(Wanted(link))
}

/// Until it is dropped.
struct Wanted(PathBuf);

impl Drop for Wanted {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

const SLEEPS: &str = "[Service]\nExecStart=/bin/busybox sleep 100000\n";

fn other_files(output: &mut Output) -> Result<(), Error> {
    let gone = (
        UnitFile::install("place-gone.service", SLEEPS)?,
        wanted("place-gone.service")?,
    );
    let _kept = (
        UnitFile::install("place-other.service", SLEEPS)?,
        wanted("place-other.service")?,
    );
    control::start("place-gone.service")?;
    control::start("place-other.service")?;
    let old = Unit::get("place-other.service")?.main_pid();
    drop(gone);
    let _new = (
        UnitFile::write("place-new.service", SLEEPS)?,
        wanted("place-new.service")?,
        UnitFile::write(
            "place-other.service",
            "[Unit]\nDescription=Changed\n[Service]\nExecStart=/bin/busybox sleep 200000\n",
        )?,
    );
    output.same(
        &executes(control::soft_reboot)?,
        &false,
        "changed unit files need no exec",
    )?;
    output.same(
        &Unit::get("place-new.service")?.active().to_owned(),
        &"active".to_owned(),
        "a unit that is new is started",
    )?;
    let other = Unit::get("place-other.service")?.main_pid();
    let command = fs::read(format!("/proc/{other}/cmdline")).doing("reading a command line")?;
    output.check(
        other != old && String::from_utf8_lossy(&command).contains("200000"),
        "a unit that has changed runs as its new file says",
    )?;
    let names = control::unit_names()?;
    output.check(
        !names.iter().any(|name| name == "place-gone.service"),
        "a unit that has no file any more is forgotten",
    )
}

/// Files that change after the next userspace was read: the program is executed, and reads them.
fn changed_by_a_stop(output: &mut Output) -> Result<(), Error> {
    let late = "/run/systemd/system/place-late.service";
    let _writer = UnitFile::install(
        "place-writer.service",
        &format!(
            "[Service]\nExecStart=/bin/busybox sleep 100000\n\
             ExecStop=/bin/busybox sed -i s/100000/300000/ {late}\n"
        ),
    )?;
    let _late = (
        UnitFile::install("place-late.service", SLEEPS)?,
        wanted("place-late.service")?,
    );
    control::start("place-late.service")?;
    control::start("place-writer.service")?;
    output.same(
        &executes(control::soft_reboot)?,
        &true,
        "a unit file that changes while units stop is read by a new program",
    )?;
    let pid = Unit::get("place-late.service")?.main_pid();
    let command = fs::read(format!("/proc/{pid}/cmdline")).doing("reading a command line")?;
    output.check(
        String::from_utf8_lossy(&command).contains("300000"),
        "and the unit runs as its new file says",
    )
}

fn survivor_without_file(output: &mut Output) -> Result<(), Error> {
    let unit = "place-survivor.service";
    let file = UnitFile::install(
        unit,
        "[Unit]\nDescription=Survives without a file\nSurviveSoftReboot=yes\n\
         [Service]\nExecStart=/bin/busybox sleep 100000\nExecStop=/bin/busybox touch /run/place-stopped\n",
    )?;
    control::start(unit)?;
    let pid = Unit::get(unit)?.main_pid();
    drop(file);
    output.same(
        &executes(control::soft_reboot)?,
        &false,
        "a survivor that has lost its file needs no exec",
    )?;
    output.same(&Unit::get(unit)?.main_pid(), &pid, "it runs on")?;
    control::reexec()?;
    control::soft_reboot()?;
    output.same(
        &Unit::get(unit)?.main_pid(),
        &pid,
        "through a re-exec and another soft-reboot, too",
    )?;
    control::stop(unit)?;
    output.check(
        fs::remove_file("/run/place-stopped").is_ok(),
        "and it is stopped by the command that it was started with",
    )
}

/// A crash before, in and after the step between two userspaces.
fn crashes(output: &mut Output) -> Result<(), Error> {
    let program = fs::read_link("/proc/1/exe").doing("finding the manager's program")?;
    let _restored = Replaced::by(&program, &Instead::Program(faulty()))?;
    for (place, fault) in [
        ("turn-over", "panic"),
        ("turned-over", "wild-write"),
        ("next-userspace", "abort"),
    ] {
        // A program that has crashed executes the next one.
        control::reexec()?;
        output.same(
            &executes(control::soft_reboot)?,
            &false,
            "without a fault nothing is executed",
        )?;
        let survivor = Unit::get("survivor.service")?.main_pid();
        let (_, before) = control::status()?;
        order(&format!("{place} 1 {fault}\n"))?;
        let ran = softctl(&["soft-reboot", "--wait"])?;
        control::wait_running()?;
        output.same(
            &(control::status()?.1, Unit::get("survivor.service")?.main_pid()),
            &(before + 1, survivor),
            format!(
                "a crash at {place}: one soft-reboot, and the survivor runs on ({})",
                ran.code
            ),
        )?;
        output.same(
            &described("crashes")?,
            &json!(crashes_after(place)),
            "and it was a crash",
        )?;
        wait_for("the services of the boot", || {
            let unit = Unit::get("echo-store.service")?;
            Ok((unit.active() == "active").then_some(()))
        })?;
    }
    control::reexec()?;
    // Between the end of a userspace and whatever comes next nobody asks for anything: a signal does, after it.
    let init = Pid::from_raw(1).ok_or_else(|| Error::Check("there is no PID 1".to_owned()))?;
    control::soft_reboot()?;
    kill_process(init, Signal::SEGV).doing("sending SIGSEGV to PID 1")?;
    control::wait_running()?;
    output.same(
        &described("crashes")?,
        &json!(1),
        "a crash after a soft-reboot in place goes on from its journal",
    )?;
    call("Reload", json!({}))?;
    control::reexec()
}

/// Before the engine has been told, the objective is still the soft-reboot, and that ends in an exec, which forgets crashes.
fn crashes_after(place: &str) -> u32 {
    u32::from(place != "turn-over")
}
