//! Requests that meet: each has a clear answer, and each ends in a running system.

use std::fs;
use std::thread::{self, JoinHandle};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::json;

use super::check::{Output, wait_for};
use super::softctl::softctl;
use super::units::UnitFile;
use super::{Options, control};
use crate::error::{Context, Error};

const GATE: &str = "/run/softboot-gate";
const GATED: &str = "gated.service";
const HELD: &str = "held.service";
const WANTS: &str = "/run/systemd/system/multi-user.target.wants";

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    two_at_once(output)?;

    let (_, before) = control::status()?;
    let reloads = thread::spawn(|| (0..20).try_for_each(|_| control::call("Reload", json!({})).map(drop)));
    control::soft_reboot()?;
    join(reloads)??;
    output.same(
        &control::status()?.1,
        &(before + 1),
        "a soft-reboot among reloads is one",
    )?;

    let restarts = thread::spawn(|| (0..10).try_for_each(|_| control::restart("echo-store.service")));
    for _ in 0..10 {
        control::reexec()?;
    }
    join(restarts)??;
    output.same(
        &control::Unit::get("echo-store.service")?.active(),
        &"active",
        "ten restarts of a service among ten re-execs are all done",
    )?;

    mknodat(CWD, GATE, FileType::Fifo, Mode::from_raw_mode(0o600), 0).doing("making a gate")?;
    let _unit = UnitFile::install(
        GATED,
        &format!("[Service]\nType=oneshot\nExecStart=/bin/busybox cat {GATE}\n"),
    )?;
    let job = thread::spawn(|| control::start(GATED));
    wait_for("the job to run", || {
        Ok((control::Unit::get(GATED)?.active() == "activating").then_some(()))
    })?;
    control::reexec()?;
    open_gate()?;
    join(job)??;
    output.check(
        true,
        "who waits for a job is answered although PID 1 was re-executed meanwhile",
    )?;
    during_boot(output)?;
    beside_another_end(output)?;
    fs::remove_file(GATE).doing("removing the gate")
}

/// Each request that succeeds is one soft-reboot; one that cannot be granted says why.
fn two_at_once(output: &mut Output) -> Result<(), Error> {
    let (_, before) = control::status()?;
    let requests: Vec<_> = (0..4)
        .map(|_| thread::spawn(|| control::call("SoftReboot", json!({ "wait": true }))))
        .collect();
    let mut done = 0;
    for request in requests {
        match join(request)? {
            Ok(_) => done += 1,
            Err(error) => output.check(
                error.to_string().contains("another handoff is under way"),
                format!("a soft-reboot that meets another one is refused with the reason: {error}"),
            )?,
        }
    }
    let state = control::wait_running()?;
    output.check(done > 0, "one of four soft-reboots at once is granted")?;
    output.same(
        &(state.as_str(), control::status()?.1),
        &("running", before + done),
        "and counted",
    )
}

/// A soft-reboot whose boot does not end is followed by another one.
fn during_boot(output: &mut Output) -> Result<(), Error> {
    let (_, before) = control::status()?;
    fs::create_dir_all(WANTS).doing(format!("making {WANTS}"))?;
    let link = format!("{WANTS}/{GATED}");
    std::os::unix::fs::symlink(format!("../{GATED}"), &link).doing(format!("making {link}"))?;
    let first = thread::spawn(|| control::call("SoftReboot", json!({ "wait": true })));
    wait_for("the boot that waits at the gate", || {
        let (state, count) = control::status()?;
        let waits = count == before + 1 && control::Unit::get(GATED)?.active() == "activating";
        Ok((waits && state == "starting").then_some(()))
    })?;
    output.check(true, "a boot waits, and PID 1 says starting")?;
    fs::remove_file(&link).doing(format!("removing {link}"))?;
    control::call("SoftReboot", json!({ "wait": true }))?;
    join(first)??;
    let state = control::wait_running()?;
    output.same(
        &(state.as_str(), control::status()?.1),
        &("running", before + 2),
        "a soft-reboot during a boot is done, and both who asked are answered",
    )
}

/// Two ends at once: the second is refused, and the first goes on. The recipe of a survivor, which this program is, names no
/// exit.target, so it outlives that one.
fn beside_another_end(output: &mut Output) -> Result<(), Error> {
    let _unit = UnitFile::install(
        HELD,
        &format!("[Service]\nExecStart=/bin/busybox sleep 100000\nExecStop=/bin/busybox cat {GATE}\n"),
    )?;
    let refused = |output: &mut Output, words: &[&str], other: &str| {
        let ran = softctl(words)?;
        output.same(
            &(ran.code, ran.stderr.contains(&format!("{other} is under way"))),
            &(1, true),
            format!(
                "during {other}, softctl {words:?} is refused: {}",
                ran.stderr.trim()
            ),
        )
    };
    let held = || {
        wait_for("the stop that is held up", || {
            Ok((control::Unit::get(HELD)?.active() == "deactivating").then_some(()))
        })
    };
    control::start(HELD)?;
    softctl(&[
        "start",
        "--no-block",
        "--job-mode=replace-irreversibly",
        "exit.target",
    ])?;
    held()?;
    for words in [&["soft-reboot"][..], &["poweroff"], &["reboot"], &["halt"]] {
        refused(output, words, "exit")?;
    }
    softctl(&["cancel"])?;
    open_gate()?;
    wait_for("the end of the stop", || {
        Ok((control::Unit::get(HELD)?.active() == "inactive").then_some(()))
    })?;
    control::start("multi-user.target")?;
    let state = control::wait_running()?;
    output.same(
        &state.as_str(),
        &"running",
        "an end that is cancelled leaves a system that runs",
    )?;

    let (_, before) = control::status()?;
    control::start(HELD)?;
    let reboot = thread::spawn(|| control::call("SoftReboot", json!({ "wait": true })));
    held()?;
    for words in [&["poweroff"][..], &["reboot"], &["halt"]] {
        refused(output, words, "soft-reboot")?;
    }
    open_gate()?;
    join(reboot)??;
    control::wait_running()?;
    output.same(
        &control::status()?.1,
        &(before + 1),
        "and the soft-reboot that was under way is done",
    )
}

/// Lets whoever reads from the gate go on.
fn open_gate() -> Result<(), Error> {
    fs::File::options()
        .write(true)
        .open(GATE)
        .doing("opening the gate")
        .map(drop)
}

fn join<T>(thread: JoinHandle<T>) -> Result<T, Error> {
    thread
        .join()
        .map_err(|_| Error::Check("a thread panicked".to_owned()))
}
