//! PID 1 crashes again and again over the same journal: each program believes less of it, until the state is given up, and
//! what runs goes on all the same. A build of softbootd that breaks as it is told.

use std::fs;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::json;

use super::Options;
use super::check::{Output, wait_for};
use super::control::{self, Unit, call};
use super::crash::{Held, described};
use super::faults::{faulty, order};
use super::net::{ECHO, HTTP, ask_for_page, connect, echo, is_page, read_page};
use super::pid1_signals::signal;
use super::refused_handoff::{Instead, Replaced};
use super::softctl::softctl;
use super::units::UnitFile;
use crate::error::{Context as _, Error};

const ORDER: &str = "/run/softboot/fault";
const SIGABRT: i32 = 6;
/// As many as two threads share.
const UNITS: usize = 250;
const MANY: &str = "crash-many.target";
const STARTED_ONCE: [&str; 2] = ["loop-listening.service", "loop-background.service"];
const RUNS: &str = "/run/loop-runs";
const EAR: &str = "/run/loop-ear";

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    let program = fs::read_link("/proc/1/exe").doing("finding the manager's program")?;
    let _restored = Replaced::by(&program, &Instead::Program(faulty()))?;
    let _many = many_units()?;
    let _started = started_once()?;
    control::reexec()?;
    control::start(MANY)?;
    for unit in STARTED_ONCE {
        control::start(unit)?;
    }
    let mut client = connect(ECHO)?;
    echo(&mut client, "before\n")?;
    let mut page = connect(HTTP)?;
    ask_for_page(&mut page)?;
    output.check(is_page(&read_page(&mut page)?), "the page is served")?;
    let held = Held::now()?;
    threads(output, &held)?;
    believes_less(output, &held)?;
    handoffs(output, &held)?;
    begins_anew(output, &held)?;
    echo(&mut client, "after\n")?;
    output.check(
        true,
        "a connection in an fd store goes on in the middle of its stream",
    )
}

/// More units than one thread reads.
fn many_units() -> Result<Vec<UnitFile>, Error> {
    let names = (0..UNITS).map(|number| format!("crash-many-{number}.target"));
    let names: Vec<String> = names.collect();
    let wanting = format!("[Unit]\nWants={}\n", names.join(" "));
    let mut files = vec![UnitFile::write(MANY, &wanting)?];
    for name in names {
        files.push(UnitFile::write(&name, "[Unit]\nDescription=One of many\n")?);
    }
    Ok(files)
}

/// A service with commands around its main one, which writes what it hears, and one that goes into the background.
fn started_once() -> Result<[UnitFile; 2], Error> {
    mknodat(CWD, EAR, FileType::Fifo, Mode::from_raw_mode(0o600), 0).doing("making an ear")?;
    let [listening, background] = STARTED_ONCE;
    Ok([
        UnitFile::write(
            listening,
            &format!(
                "[Service]\nExecStartPre=/bin/busybox sh -c 'echo before >> {RUNS}'\n\
                 ExecStart=/bin/busybox sh -c 'while true; do read heard < {EAR} && echo heard $heard; done'\n\
                 ExecStartPost=/bin/busybox sh -c 'echo after >> {RUNS}'\n"
            ),
        )?,
        UnitFile::write(
            background,
            "[Service]\nType=forking\nExecStart=/bin/busybox sh -c 'busybox sleep 100000 &'\n",
        )?,
    ])
}

/// Its output arrives.
fn is_heard(output: &mut Output, word: &str) -> Result<(), Error> {
    fs::write(EAR, format!("{word}\n")).doing("speaking")?;
    let [listening, _] = STARTED_ONCE;
    wait_for("the output of a service", || {
        let last = softctl(&["logs", "-n", "1", listening])?.stdout;
        Ok(last.trim_end().ends_with(&format!("heard {word}")).then_some(()))
    })?;
    let runs = fs::read_to_string(RUNS).unwrap_or_default();
    output.same(
        &runs.as_str(),
        &"before\nafter\n",
        format!("{word}: the output of a service arrives, and it was started once"),
    )
}

/// PID 1 gets a signal, and so many programs after it break as `place` and `fault` say.
fn crash(place: &str, fault: &str, programs: usize) -> Result<(), Error> {
    crash_by(&format!("{place} 1 {fault} {programs}\n"))
}

/// The same by these orders.
fn crash_by(orders: &str) -> Result<(), Error> {
    order(orders)?;
    signal(SIGABRT)?;
    wait_for("the order to be obeyed", || {
        Ok((!Path::new(ORDER).exists()).then_some(()))
    })?;
    wait_for("PID 1 to answer", || Ok(call("Ping", json!({})).ok())).map(drop)
}

/// Threads that read for the program that goes on or takes over crash once each.
fn threads(output: &mut Output, held: &Held) -> Result<(), Error> {
    for fault in ["wild-write", "panic", "allocation"] {
        // The journal of a program that does not believe all of the one before begins with an image.
        crash("share", fault, 1)?;
        crash("image", fault, 1)?;
        control::wait_running()?;
        output.check(
            true,
            format!("{fault} in the threads that read the image, and in their parent: PID 1 goes on"),
        )?;
        held.check(output, fault)?;
        control::reexec()?;
    }
    Ok(())
}

/// What crashes while it reads the journal twice is believed for the third, without its last step and its queue.
fn believes_less(output: &mut Output, held: &Held) -> Result<(), Error> {
    for programs in 1..=2 {
        crash("share", "abort", programs)?;
        control::wait_running()?;
        held.check(
            output,
            &format!("{programs} programs in a row crash over the journal"),
        )?;
        output.same(
            &Unit::get(MANY)?.active(),
            &"active",
            "and the state is what it was",
        )?;
        control::reexec()?;
    }
    Ok(())
}

/// The state is given up. What runs and what is open is found all the same.
fn begins_anew(output: &mut Output, held: &Held) -> Result<(), Error> {
    control::reexec()?;
    for (orders, programs, believed) in [
        ("share 1 abort 3\n", 3, "what it says about descriptors"),
        ("share 1 abort 4\n", 4, "which descriptors it began with"),
        // The boot that does so crashes as well.
        (
            "share 1 abort 3\nboot 1 panic\n",
            4,
            "which descriptors it began with",
        ),
        ("starting 1 abort 5\n", 5, "nothing"),
    ] {
        let before = described("crashes")?.as_u64().unwrap_or(0);
        crash_by(orders)?;
        let crashes = before + programs + 1;
        let safe_mode = crashes > 5;
        output.same(
            &(described("crashes")?, described("safeMode")?),
            &(json!(crashes), json!(safe_mode)),
            format!(
                "{programs} programs in a row crash over the journal, of which the next believes {believed}"
            ),
        )?;
        let after = format!("after {crashes} crashes");
        // Nothing shows that a target was up.
        output.same(
            &Unit::get(MANY)?.active(),
            &"inactive",
            format!("{after}: the state is gone"),
        )?;
        is_heard(output, &format!("{crashes}"))?;
        if safe_mode {
            settle()?;
            // Without any list nobody knows whose a stored descriptor was.
            held.check_running(output, &after)?;
        } else {
            control::wait_running()?;
            held.check(output, &after)?;
        }
        control::reexec()?;
        control::start(MANY)?;
    }
    control::start("multi-user.target")?;
    let state = control::wait_running()?;
    output.same(&state.as_str(), &"running", "what was left out can be started")
}

/// The next program and the one before crash in a row while they take over; or cannot, for want of memory.
fn handoffs(output: &mut Output, held: &Held) -> Result<(), Error> {
    for (place, fault, programs, anew) in [
        ("taken-over", "abort", 2, false),
        ("taken-over", "panic", 3, false),
        ("taken-over", "abort", 4, true),
        ("assemble", "no-memory", 1, false),
        ("assemble", "no-memory", 2, true),
    ] {
        order(&format!("{place} 1 {fault} {programs}\n"))?;
        let reexecs = control::reexecs()?;
        let ran = softctl(&["daemon-reexec"])?;
        let after = format!("{place}, {fault}, {programs} programs in a row");
        output.check(
            !Path::new(ORDER).exists(),
            format!("{after}: {}", ran.stderr.trim()),
        )?;
        control::wait_running()?;
        if !anew {
            output.same(
                &(ran.code, ran.stderr.contains("taken back"), control::reexecs()?),
                &(1, true, reexecs),
                format!("{after}: the one before goes on and says so"),
            )?;
        }
        let active = if anew { "inactive" } else { "active" };
        output.same(&Unit::get(MANY)?.active(), &active, format!("{after}: the state"))?;
        held.check(output, &after)?;
        is_heard(output, &format!("{place}-{programs}"))?;
        control::reexec()?;
        control::start(MANY)?;
    }
    Ok(())
}

/// No job is left.
fn settle() -> Result<(), Error> {
    wait_for("the end of all jobs", || {
        let jobs = call("ListJobs", json!({}))?;
        let none = jobs.get("jobs").and_then(serde_json::Value::as_array);
        Ok(none.is_some_and(Vec::is_empty).then_some(()))
    })
}
