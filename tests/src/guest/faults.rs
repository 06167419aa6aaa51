//! PID 1 breaks on purpose: a build of softbootd that does so at a place, at a time and in a way it is told.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::Options;
use super::check::{Output, wait_for};
use super::control::{self, Unit, call};
use super::crash::{Held, described};
use super::net::{ECHO, HTTP, ask_for_page, connect, echo, is_page, read_page};
use super::refused_handoff::{Instead, Replaced};
use super::softctl::softctl;
use super::units::UnitFile;
use crate::error::{Context as _, Error};

/// The build that breaks when it is told, in a container.
const FAULTY: &str = "/run/host/softbootd-faulty";
/// And in the virtual machine.
pub const FAULTY_IN_VM: &str = "/usr/lib/softboot/softbootd-faulty";
/// Where it is told.
const ORDER: &str = "/run/softboot/fault";

/// Ways in which a program ends by itself, or does not go on.
const FAULTS: [&str; 7] = [
    "wild-write",
    "division",
    "overflow",
    "illegal",
    "abort",
    "panic",
    "allocation",
];
/// Places of the running manager.
const PLACES: [&str; 10] = [
    "dispatch", "feed", "fed", "step", "act", "acted", "append", "spawned", "reap", "call",
];

pub(super) fn run(output: &mut Output, options: &Options) -> Result<(), Error> {
    control::wait_running()?;
    let program = fs::read_link("/proc/1/exe").doing("finding the manager's program")?;
    let _restored = Replaced::by(&program, &Instead::Program(faulty()))?;
    control::reexec()?;
    let _unit = UnitFile::install(
        "fault-work.service",
        "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStartPre=/bin/busybox true\n\
         ExecStart=/bin/busybox sh -c 'echo run >> /run/fault-runs'\nExecStop=/bin/busybox true\n",
    )?;
    let mut client = connect(ECHO)?;
    echo(&mut client, "before\n")?;
    let held = Held::now()?;
    for (round, place) in PLACES.iter().enumerate() {
        for fault in [0, 1].map(|next| FAULTS.get((round * 2 + next) % FAULTS.len()).copied()) {
            let fault = fault.unwrap_or("abort");
            breaks(place, 1, fault)?;
        }
        output.check(true, format!("a crash at {place}: the job is done, once"))?;
        calm()?;
    }
    held.check(output, "after a crash at every place")?;
    let times = u64::from(options.count) * 4;
    for number in 1..=times {
        let fault = FAULTS
            .get(usize::try_from(number).unwrap_or(0) % FAULTS.len())
            .copied();
        breaks("any", number, fault.unwrap_or("abort"))?;
        if number.is_multiple_of(4) {
            calm()?;
        }
    }
    output.check(
        true,
        format!("a crash at each of the first {times} moments of a job: it is done, once"),
    )?;
    held.check(output, "after those")?;
    echo(&mut client, "after\n")?;
    output.check(
        true,
        "a connection in an fd store goes on in the middle of its stream",
    )?;
    while_going_on(output)?;
    held.check(output, "after crashes while going on")?;
    while_reading(output)?;
    held.check(output, "after crashes of threads that read the journal")?;
    falls_back(output, &program)?;
    held.check(output, "after handoffs that were taken back")?;
    page(output)
}

/// The build that breaks when it is told.
pub(super) fn faulty() -> PathBuf {
    let places = [FAULTY, FAULTY_IN_VM].map(PathBuf::from);
    let found = places.iter().find(|place| place.exists());
    found.unwrap_or(&places[0]).clone()
}

/// Ends safe mode and forgets the crashes.
fn calm() -> Result<(), Error> {
    control::reexec()
}

pub(super) fn order(text: &str) -> Result<(), Error> {
    let beside = Path::new(ORDER).with_extension("new");
    fs::write(&beside, text).doing("writing an order")?;
    fs::rename(&beside, ORDER).doing("giving an order")
}

/// Starts and stops a unit while PID 1 breaks, and looks whether its command ran once.
fn breaks(place: &str, count: u64, fault: &str) -> Result<(), Error> {
    let failed =
        |what: &str, error: Error| Error::Check(format!("{fault} at {place} {count}: {what}: {error}"));
    // What is there by then is not this crash's.
    let _ = fs::remove_file("/run/fault-runs");
    order(&format!("{place} {count} {fault}\n"))?;
    asked(|| control::start("fault-work.service")).map_err(|error| failed("start", error))?;
    wait_for("the unit to be up", || {
        let unit = asked(|| Unit::get("fault-work.service"))?;
        Ok((unit.active() == "active").then_some(()))
    })
    .map_err(|error| failed("up", error))?;
    asked(|| control::stop("fault-work.service")).map_err(|error| failed("stop", error))?;
    // Not every count is reached.
    let _ = fs::remove_file(ORDER);
    let runs = fs::read_to_string("/run/fault-runs").unwrap_or_default();
    if runs != "run\n" {
        return Err(Error::Check(format!(
            "{fault} at {place} {count}: the command ran {} times",
            runs.lines().count()
        )));
    }
    Ok(())
}

/// A client whose connection broke asks once more.
fn asked<T>(ask: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
    ask().or_else(|_| ask())
}

/// PID 1 crashes and goes on.
fn crash() -> Result<(), Error> {
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(1).ok_or_else(|| Error::Check("no PID 1".to_owned()))?,
        rustix::process::Signal::ABORT,
    )
    .doing("sending SIGABRT to PID 1")?;
    control::wait_running().map(drop)
}

/// The program that goes on after a crash crashes as well.
fn while_going_on(output: &mut Output) -> Result<(), Error> {
    for place in ["go-on", "gone-on"] {
        order("dispatch 1 abort\n")?;
        // The order that follows is for the next program; this one passes the place only then.
        let asking = std::thread::spawn(|| asked(|| call("Ping", json!({}))));
        wait_for("the first order to be taken", || {
            Ok((!Path::new(ORDER).exists()).then_some(()))
        })?;
        asking
            .join()
            .map_err(|_| Error::Check("the asking thread panicked".to_owned()))??;
        order(&format!("{place} 1 wild-write\n"))?;
        crash()?;
        output.check(
            !Path::new(ORDER).exists(),
            format!("a crash at {place}, after a crash: PID 1 goes on"),
        )?;
        calm()?;
    }
    Ok(())
}

/// After a crash the journal is read by several threads, if it is long, and one of them crashes as well.
fn while_reading(output: &mut Output) -> Result<(), Error> {
    for fault in FAULTS {
        let mut taken = false;
        // As long as it has to be, whatever a record is.
        for _ in 0..20 {
            for _ in 0..20 {
                control::start("fault-work.service")?;
                control::stop("fault-work.service")?;
            }
            order(&format!("records 1 {fault}\n"))?;
            crash()?;
            taken = !Path::new(ORDER).exists();
            if taken {
                break;
            }
            fs::remove_file(ORDER).doing("taking an order back")?;
            calm()?;
        }
        output.check(
            taken,
            format!("{fault} in a thread that reads the journal after a crash: PID 1 goes on"),
        )?;
        calm()?;
    }
    Ok(())
}

/// The next program says yes, and then does not get as far as being in charge.
fn falls_back(output: &mut Output, program: &Path) -> Result<(), Error> {
    let reexecs = control::reexecs()?;
    for fault in FAULTS.iter().chain(&["exit", "loop", "hang"]) {
        order(&format!("taken-over 1 {fault}\n"))?;
        let ran = softctl(&["daemon-reexec"])?;
        output.same(
            &(ran.code, ran.stderr.contains("taken back")),
            &(1, true),
            format!(
                "the next program breaks ({fault}): the one before goes on and says so ({})",
                ran.stderr.trim()
            ),
        )?;
    }
    output.same(
        &control::reexecs()?,
        &reexecs,
        "none of these counts as a re-exec",
    )?;
    order("take-over 1 abort\n")?;
    let ran = softctl(&["daemon-reexec"])?;
    output.same(
        &(ran.code, ran.stderr.contains("without an answer")),
        &(1, true),
        format!(
            "the next program breaks while it is asked: it has said no ({})",
            ran.stderr.trim()
        ),
    )?;
    order("in-charge 1 abort\n")?;
    control::reexec()?;
    output.same(
        &described("crashes")?,
        &json!(1),
        "the next program breaks in charge: it goes on itself",
    )?;
    control::reexec()?;
    output.check(program.exists(), "the program is where it was")
}

fn page(output: &mut Output) -> Result<(), Error> {
    let mut stream = connect(HTTP)?;
    ask_for_page(&mut stream)?;
    output.check(is_page(&read_page(&mut stream)?), "the page is served")
}
