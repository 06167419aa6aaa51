//! Figures of PID 1 as only a process inside can take them. What it prints is JSON for `softboot-bench`; nothing here
//! judges a time.

mod soft_reboot;

pub use soft_reboot::hold;

use std::fs;
use std::io::Read as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::error::{Context as _, Error};
use crate::guest::control::{self, call};
use crate::guest::net::{HELLO, connect};

/// What can be measured.
const SUBJECTS: [&str; 4] = ["idle", "reexec", "crash", "soft-reboot"];

/// How long a quiet period is, beside which an event stands.
const QUIET: Duration = Duration::from_millis(200);

/// Measures it `count` times; a soft-reboot with `stored` descriptors of a service in the fd store.
///
/// # Errors
/// [`Error::Usage`] for an unknown subject, and whatever keeps PID 1 from being measured.
pub fn measure(subject: &str, count: u32, stored: usize) -> Result<Value, Error> {
    control::wait_running()?;
    match subject {
        "idle" => idle(),
        "reexec" => events(count, control::reexec),
        "crash" => events(count, || {
            let init = Pid::from_raw(1).ok_or_else(|| Error::Check("there is no PID 1".to_owned()))?;
            kill_process(init, Signal::SEGV).doing("sending SIGSEGV to PID 1")?;
            control::wait_running().map(drop)
        }),
        "soft-reboot" => soft_reboot::soft_reboots(count, stored),
        other => Err(Error::Usage(format!(
            "{other:?} cannot be measured; one of {} can",
            SUBJECTS.join(", ")
        ))),
    }
}

/// What PID 1 takes when nothing happens, and how long its boot took.
fn idle() -> Result<Value, Error> {
    // What the boot left to do is done by then.
    std::thread::sleep(Duration::from_secs(1));
    let described = call("Describe", json!({}))?;
    let time = |field: &str| described.get(field).and_then(Value::as_u64);
    let boot = time("bootFinishedUsec")
        .zip(time("startedUsec"))
        .map(|(end, begin)| end.saturating_sub(begin))
        .ok_or_else(|| Error::Check(format!("no times in {described}")))?;
    let status = fs::read_to_string("/proc/1/status").doing("reading PID 1's status")?;
    let rollup = fs::read_to_string("/proc/1/smaps_rollup").doing("reading PID 1's mappings")?;
    Ok(json!({
        "boot_us": boot,
        "rss_kib": kib(&status, "VmRSS:"),
        "pss_kib": kib(&rollup, "Pss:"),
        "descriptors": descriptors()?,
        "units": described.get("units"),
    }))
}

fn kib(text: &str, label: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(label))?;
    line.split_whitespace().next()?.parse().ok()
}

fn descriptors() -> Result<usize, Error> {
    Ok(fs::read_dir("/proc/1/fd")
        .doing("looking at PID 1's descriptors")?
        .count())
}

/// Bytes in the memory files that the next program reads.
fn state_bytes() -> Result<u64, Error> {
    let mut bytes = 0;
    for entry in fs::read_dir("/proc/1/fd")
        .doing("looking at PID 1's descriptors")?
        .flatten()
    {
        let Ok(target) = fs::read_link(entry.path()) else {
            continue;
        };
        let name = target.to_string_lossy().into_owned();
        if ["snapshot", "definitions", "image", "journal"]
            .map(|name| format!("memfd:softboot-{name}"))
            .iter()
            .any(|memory| name.contains(memory.as_str()))
        {
            bytes += fs::metadata(entry.path()).map_or(0, |file| file.len());
        }
    }
    Ok(bytes)
}

/// The longest time between two answers while an event happens, and in a quiet time as long, each `count` times.
fn events(count: u32, event: impl Fn() -> Result<(), Error>) -> Result<Value, Error> {
    // The first brings everything into the state that all others find.
    event()?;
    let (mut control_gaps, mut accept_gaps, mut totals) = (Vec::new(), Vec::new(), Vec::new());
    let (mut quiet_control, mut quiet_accept) = (Vec::new(), Vec::new());
    let mut phases = Vec::new();
    for _ in 0..count {
        let quiet = gaps(|| {
            std::thread::sleep(QUIET);
            Ok(())
        })?;
        quiet_control.push(quiet.control);
        quiet_accept.push(quiet.accept);
        let gaps = gaps(&event)?;
        control_gaps.push(gaps.control);
        accept_gaps.push(gaps.accept);
        totals.push(gaps.total);
        let described = call("Describe", json!({}))?;
        phases.push(described.get("takenOver").cloned().unwrap_or_default());
    }
    Ok(json!({
        "control_us": control_gaps,
        "accept_us": accept_gaps,
        "quiet_control_us": quiet_control,
        "quiet_accept_us": quiet_accept,
        "total_us": totals,
        "taken_over": phases,
        "descriptors": descriptors()?,
        "state_bytes": state_bytes()?,
    }))
}

struct Gaps {
    control: f64,
    accept: f64,
    total: f64,
}

/// Asks without a pause while `event` happens.
fn gaps(event: impl Fn() -> Result<(), Error>) -> Result<Gaps, Error> {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let control = scope.spawn(|| {
            longest(&done, Duration::ZERO, || {
                // A crash may cost a client its connection, and then it asks again.
                call("Ping", json!({}))
                    .or_else(|_| call("Ping", json!({})))
                    .map(drop)
            })
        });
        let accept = scope.spawn(|| {
            // Not so often that the limits of hello.socket are what is measured.
            longest(&done, Duration::from_millis(15), || {
                let mut text = String::new();
                connect(HELLO)?
                    .read_to_string(&mut text)
                    .doing("reading a greeting")?;
                Ok(())
            })
        });
        std::thread::sleep(QUIET / 4);
        let begun = Instant::now();
        let result = event();
        let total = begun.elapsed();
        std::thread::sleep(QUIET / 4);
        done.store(true, Ordering::Relaxed);
        let gone = || Error::Check("a client thread panicked".to_owned());
        let control = control.join().map_err(|_| gone())??;
        let accept = accept.join().map_err(|_| gone())??;
        result.map(|()| Gaps {
            control,
            accept,
            total: micros(total),
        })
    })
}

/// The longest time that `ask` took, counted from when it was due.
fn longest(done: &AtomicBool, pause: Duration, ask: impl Fn() -> Result<(), Error>) -> Result<f64, Error> {
    let mut longest = Duration::ZERO;
    while !done.load(Ordering::Relaxed) {
        let due = Instant::now();
        ask()?;
        longest = longest.max(due.elapsed());
        std::thread::sleep(pause);
    }
    Ok(micros(longest))
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
