//! An end of userspace is under way, and a signal asks for another: nobody can be answered, so one of them holds, by a rule.
//! This program outlives exit.target, which its recipe of a survivor does not name; the ends that it does not outlive are in
//! `crates/engine/tests/ends.rs`.

use std::fs;
use std::io::Read as _;
use std::thread::{self, JoinHandle};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};

use super::check::{Output, wait_for};
use super::control::{self, Unit};
use super::net::{HELLO, connect};
use super::pid1_signals::{SIGRTMIN, signal};
use super::softctl::softctl;
use super::units::UnitFile;
use super::{Options, processes};
use crate::error::{Context as _, Error};

const GATE: &str = "/run/two-ends-gate";
const HELD: &str = "two-held.service";
const SIGINT: i32 = 2;
const SIGSEGV: i32 = 11;
/// The final kill waits for who is not let go.
pub(super) const WORDS: &[&str] = &["softboot.final_kill_sec=1min"];
/// What Ctrl-Alt-Del starts.
const KEYS: &str = "/run/systemd/system/ctrl-alt-del.target";

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    mknodat(CWD, GATE, FileType::Fifo, Mode::from_raw_mode(0o600), 0).doing("making a gate")?;
    let _held = UnitFile::install(
        HELD,
        &format!("[Service]\nExecStart=/bin/busybox sleep 100000\nExecStop=/bin/busybox cat {GATE}\n"),
    )?;
    lesser(output)?;
    greater(output)?;
    cancelled_after_a_crash(output)?;
    in_the_final_kill(output)?;
    fs::remove_file(GATE).doing("removing the gate")
}

/// Names of the targets that have a job.
fn ends_under_way() -> Result<Vec<String>, Error> {
    let answer = control::call("ListJobs", json!({}))?;
    let jobs = answer.get("jobs").and_then(Value::as_array);
    let names = jobs.into_iter().flatten().filter_map(|job| {
        let unit = job.get("unit")?.as_str()?;
        let ends = ["exit", "soft-reboot", "poweroff", "reboot", "halt", "kexec"];
        ends.iter()
            .any(|end| unit == format!("{end}.target"))
            .then(|| unit.to_owned())
    });
    Ok(names.collect())
}

fn stop_is_held() -> Result<(), Error> {
    wait_for("the stop that is held up", || {
        Ok((Unit::get(HELD)?.active() == "deactivating").then_some(()))
    })
}

/// The end that is under way is cancelled, and the system runs again.
fn call_off(output: &mut Output) -> Result<(), Error> {
    softctl(&["cancel"])?;
    fs::File::options()
        .write(true)
        .open(GATE)
        .doing("opening the gate")?;
    wait_for("the end of the stop", || {
        Ok((Unit::get(HELD)?.active() == "inactive").then_some(()))
    })?;
    control::start("multi-user.target")?;
    let state = control::wait_running()?;
    output.same(&state.as_str(), &"running", "called off, the system runs")
}

fn lesser(output: &mut Output) -> Result<(), Error> {
    let (_, before) = control::status()?;
    control::start(HELD)?;
    softctl(&[
        "start",
        "--no-block",
        "--job-mode=replace-irreversibly",
        "exit.target",
    ])?;
    stop_is_held()?;
    for (name, number) in [("SIGRTMIN+5", SIGRTMIN + 5), ("SIGRTMIN+7", SIGRTMIN + 7)] {
        signal(number)?;
        // It has been read when the next call is answered: signals come first.
        control::call("Ping", json!({}))?;
        output.same(
            &ends_under_way()?,
            &vec!["exit.target".to_owned()],
            format!("during exit, {name} asks for what goes less far and is ignored"),
        )?;
    }
    call_off(output)?;
    output.same(&control::status()?.1, &before, "and nothing was soft-rebooted")
}

fn greater(output: &mut Output) -> Result<(), Error> {
    let (_, before) = control::status()?;
    // Written out, so that there is a file for the link.
    let _exit = UnitFile::write(
        "exit.target",
        "[Unit]\nDefaultDependencies=no\nRequires=systemd-exit.service\nAfter=systemd-exit.service\nAllowIsolate=yes\n",
    )?;
    std::os::unix::fs::symlink("exit.target", KEYS).doing(format!("making {KEYS}"))?;
    control::call("Reload", json!({}))?;
    control::start(HELD)?;
    let reboot = thread::spawn(|| control::call("SoftReboot", json!({ "wait": true })));
    stop_is_held()?;
    for words in [
        &["start", "exit.target"][..],
        &["isolate", "exit.target"],
        &["poweroff"],
    ] {
        let ran = softctl(words)?;
        output.same(
            &(ran.code, ran.stderr.contains("soft-reboot is under way")),
            &(1, true),
            format!(
                "during a soft-reboot, softctl {words:?} is refused: {}",
                ran.stderr.trim()
            ),
        )?;
    }
    signal(SIGINT)?;
    let answer = join(reboot)?.map(drop).map_err(|error| error.to_string());
    output.check(
        answer.as_ref().is_err_and(|error| error.contains("cancelled")),
        format!("Ctrl-Alt-Del takes the place of a soft-reboot, and who asked for that is told: {answer:?}"),
    )?;
    output.same(
        &ends_under_way()?,
        &vec!["exit.target".to_owned()],
        "what Ctrl-Alt-Del stands for is under way, and nothing else",
    )?;
    call_off(output)?;
    output.same(&control::status()?.1, &before, "and nothing was soft-rebooted")?;
    fs::remove_file(KEYS).doing(format!("removing {KEYS}"))
}

/// After a crash only the engine knows of the soft-reboot, whether somebody waits for it or not.
fn cancelled_after_a_crash(output: &mut Output) -> Result<(), Error> {
    let (_, before) = control::status()?;
    for waits in [true, false] {
        // What was called off before has stopped it.
        control::start("hello.socket")?;
        control::start(HELD)?;
        let reboot = thread::spawn(move || control::call("SoftReboot", json!({ "wait": waits })));
        stop_is_held()?;
        crash()?;
        call_off(output)?;
        let answer = join(reboot)?.map(drop).map_err(|error| error.to_string());
        if waits {
            output.check(
                answer.as_ref().is_err_and(|error| error.contains("cancelled")),
                format!("who waits for a soft-reboot that is cancelled after a crash is told so: {answer:?}"),
            )?;
        }
        let mut greeting = [0; 1];
        connect(HELLO)?
            .read_exact(&mut greeting)
            .doing("waiting for a greeting")?;
        output.check(
            true,
            format!("a socket that was to stay open serves each connection again (waited for: {waits})"),
        )?;
    }
    output.same(&control::status()?.1, &before, "and nothing was soft-rebooted")
}

/// A signal that comes when all is stopped but what does not end: it is obeyed in the next userspace.
fn in_the_final_kill(output: &mut Output) -> Result<(), Error> {
    let marker = "two-marker.service";
    let _units = [
        UnitFile::write(
            "two-stubborn.service",
            "[Unit]\nDefaultDependencies=no\nIgnoreOnIsolate=yes\n\
             [Service]\nExecStart=/bin/busybox sh -c \"trap '' TERM; /bin/busybox touch /run/two-deaf; \
             while [ ! -e /run/two-release ]; do /bin/busybox sleep 1; done\"\n",
        )?,
        UnitFile::write("ctrl-alt-del.target", &format!("[Unit]\nRequires={marker}\n"))?,
        UnitFile::install(
            marker,
            "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/busybox true\n",
        )?,
    ];
    for (reexecutes, crashes) in [(false, false), (true, false), (false, true), (true, true)] {
        if reexecutes {
            let program = fs::read_link("/proc/1/exe").doing("finding the manager's program")?;
            super::fallbacks::another_file(&program)?;
        }
        control::start("two-stubborn.service")?;
        wait_for("a process that ignores SIGTERM", || {
            Ok(fs::remove_file("/run/two-deaf").is_ok().then_some(()))
        })?;
        let (_, before) = control::status()?;
        let echo = Unit::get("echo-store.service")?.main_pid();
        let reboot = thread::spawn(|| control::call("SoftReboot", json!({ "wait": true })));
        wait_for("the final kill", || {
            Ok((Unit::get("two-stubborn.service")?.sub() == "final-sigterm").then_some(()))
        })?;
        for words in [
            &["poweroff"][..],
            &["poweroff", "--force"],
            &["start", "poweroff.target"],
        ] {
            let ran = softctl(words)?;
            output.same(
                &(ran.code, ran.stderr.is_empty()),
                &(1, false),
                format!(
                    "in the final kill, softctl {words:?} is refused: {}",
                    ran.stderr.trim()
                ),
            )?;
        }
        signal(SIGINT)?;
        control::call("Ping", json!({}))?;
        if crashes {
            crash()?;
        }
        fs::write("/run/two-release", "").doing("letting it end")?;
        join(reboot)??;
        fs::remove_file("/run/two-release").doing("removing a file")?;
        wait_for("what the signal asked for", || {
            Ok((Unit::get(marker)?.active() == "active").then_some(()))
        })?;
        control::wait_running()?;
        output.same(
            &(control::status()?.1, processes::process(echo)),
            &(before + 1, None),
            format!(
                "a signal in the final kill of a soft-reboot is obeyed after it (exec: {reexecutes}, PID 1 crashed: {crashes})"
            ),
        )?;
        control::stop(marker)?;
    }
    Ok(())
}

/// PID 1 crashes and goes on.
fn crash() -> Result<(), Error> {
    let crashes = || -> Result<Option<u64>, Error> {
        let answer = control::call("Describe", json!({}))?;
        Ok(answer.get("crashes").and_then(Value::as_u64))
    };
    let before = crashes()?;
    super::pid1_signals::signal(SIGSEGV)?;
    wait_for("PID 1 to go on", || Ok((crashes()? != before).then_some(())))
}

fn join<T>(thread: JoinHandle<T>) -> Result<T, Error> {
    thread
        .join()
        .map_err(|_| Error::Check("a thread panicked".to_owned()))
}
