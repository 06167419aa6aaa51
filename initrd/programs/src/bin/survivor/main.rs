//! A service that keeps running through a soft-reboot and notices everything that happens to its connections.
//!
//! It holds two established TCP connections: `pair`, both of whose ends are its own, and `echo`, to echo-store.service,
//! whose end lives in an fd store while that service is away. Over each it sends a byte a millisecond and expects the
//! same bytes back in order. What it sees is in /run/softboot-demo/survivor.json, and a line a second with a running
//! number goes to standard output, so that a gap in the unit's log shows too.

mod link;

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use softboot_programs::clock::now_usec;
use softboot_programs::error::{Error, exit};
use softboot_programs::{report, signals};

use crate::link::{Link, Status};

const TICK_USEC: u64 = 1_000;
const REPORT_TICKS: u64 = 100;
const HEARTBEAT_TICKS: u64 = 1_000;

/// The status file.
#[derive(Debug, Serialize)]
struct Report<'a> {
    pid: u32,
    /// When this process began, CLOCK_MONOTONIC in microseconds.
    started_usec: u64,
    /// When this was written.
    now_usec: u64,
    /// The number of the last heartbeat line.
    heartbeat: u64,
    /// The longest time between two ticks: how long the process itself did not run.
    largest_pause_usec: u64,
    /// Lines that could not be written to standard output.
    log_errors: u64,
    pair: &'a Status,
    echo: &'a Status,
}

fn main() -> std::process::ExitCode {
    exit("survivor", run())
}

fn run() -> Result<(), Error> {
    let termination = signals::termination()?;
    let path = Path::new(report::DIRECTORY).join("survivor.json");
    let started_usec = now_usec();
    let mut pair = Link::with_own_peer()?;
    let mut echo = Link::to(([127, 0, 0, 1], 7000).into());
    let (mut heartbeat, mut log_errors, mut largest_pause_usec) = (0, 0, 0);
    let mut last = started_usec;
    for tick in 1_u64.. {
        sleep_until(started_usec + tick * TICK_USEC);
        let now = now_usec();
        largest_pause_usec = largest_pause_usec.max(now - last);
        last = now;
        pair.tick(now);
        echo.tick(now);
        if tick % HEARTBEAT_TICKS == 0 {
            heartbeat += 1;
            let line = format!(
                "heartbeat {heartbeat}: pair {}; echo {}\n",
                pair.status, echo.status
            );
            log_errors += u64::from(std::io::stdout().write_all(line.as_bytes()).is_err());
        }
        if tick % REPORT_TICKS == 0 {
            let state = Report {
                pid: std::process::id(),
                started_usec,
                now_usec: now,
                heartbeat,
                largest_pause_usec,
                log_errors,
                pair: &pair.status,
                echo: &echo.status,
            };
            report::write(&path, &state)?;
            if signals::has_come(&termination) {
                break;
            }
        }
    }
    Ok(())
}

fn sleep_until(due: u64) {
    let left = due.saturating_sub(now_usec());
    if left > 0 {
        std::thread::sleep(Duration::from_micros(left));
    }
}
