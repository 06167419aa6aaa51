//! The logs of units: capped, whole within the cap, and followed through re-exec and soft-reboot.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Child;

use super::check::{Output, wait_for};
use super::softctl::{self, softctl};
use super::units::UnitFile;
use super::{Options, control};
use crate::error::{Context, Error};

const CHATTY: &str = "chatty.service";
const LOG: &str = "/run/softboot/log/chatty.service.log";
/// Each of the two files of a log.
const CAP: u64 = 1024 * 1024;
/// Far more than fits.
const LINES: u64 = 300_000;

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    let text = format!(
        "[Service]\nType=oneshot\nExecStart=/bin/busybox sh -c 'busybox seq 1 {LINES} | busybox sed \"s/^/number /\"'\n"
    );
    let _chatty = UnitFile::install(CHATTY, &text)?;
    capped(output)?;
    followed_under_load(output)?;
    followed_through(output)
}

fn capped(output: &mut Output) -> Result<(), Error> {
    control::start(CHATTY)?;
    wait_for("the last line in the log", || {
        let last = softctl(&["logs", "-n", "1", CHATTY])?.stdout;
        Ok(last
            .trim_end()
            .ends_with(&format!("number {LINES}"))
            .then_some(()))
    })?;
    for file in [LOG.to_owned(), format!("{LOG}.1")] {
        let size = fs::metadata(&file).doing(format!("looking at {file}"))?.len();
        output.check(
            size > 0 && size <= CAP,
            format!("{file} has {size} bytes, at most {CAP}"),
        )?;
    }
    let log = softctl(&["logs", "-n", "1000000", CHATTY])?.stdout;
    let numbers: Vec<u64> = log.lines().filter_map(number).collect();
    without_gap(&numbers)?;
    output.check(
        numbers.last() == Some(&LINES) && numbers.len() > 10_000,
        format!(
            "the last {} of {LINES} lines are there, none lost or doubled",
            numbers.len()
        ),
    )
}

/// A follower that reads as fast as it can is not dropped, however fast the service writes.
fn followed_under_load(output: &mut Output) -> Result<(), Error> {
    let mut follower = Follower::start(CHATTY)?;
    let job = std::thread::spawn(|| control::start(CHATTY));
    let mut count = 0_u64;
    loop {
        let line = follower.line()?;
        count += 1;
        if number(&line) == Some(LINES) && count > 1 {
            break;
        }
    }
    job.join()
        .map_err(|_| Error::Check("the starting thread panicked".to_owned()))??;
    output.check(
        true,
        format!("a follower of a chatty service got {count} lines and the last of them"),
    )
}

fn followed_through(output: &mut Output) -> Result<(), Error> {
    let mut follower = Follower::start("survivor.service")?;
    let mut beats = vec![follower.beat()?];
    for handoff in [
        control::reexec as fn() -> Result<(), Error>,
        control::soft_reboot,
        control::reexec,
    ] {
        handoff()?;
        beats.extend([follower.beat()?, follower.beat()?]);
    }
    without_gap(&beats)?;
    output.check(
        true,
        format!("softctl logs -f goes on through re-exec and soft-reboot: {beats:?}"),
    )
}

/// A running `softctl logs -f`.
struct Follower {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Follower {
    /// Starts it, and waits until it has its first line: from then on it gets every line.
    fn start(unit: &str) -> Result<Follower, Error> {
        let mut child = softctl::start(&["logs", "-n", "1", "-f", unit])?;
        let stdout = child
            .stdout
            .take()
            .ok_or_else(|| Error::Check("softctl has no output".to_owned()))?;
        let mut follower = Follower {
            child,
            lines: BufReader::new(stdout).lines(),
        };
        follower.line()?;
        Ok(follower)
    }

    fn line(&mut self) -> Result<String, Error> {
        match self.lines.next() {
            Some(line) => line.doing("reading what softctl prints"),
            None => Err(Error::Check("softctl logs -f has ended".to_owned())),
        }
    }

    /// The number of the next heartbeat.
    fn beat(&mut self) -> Result<u64, Error> {
        loop {
            let line = self.line()?;
            let beat = || line.split_once("heartbeat ")?.1.split_once(':')?.0.parse().ok();
            if let Some(beat) = beat() {
                return Ok(beat);
            }
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        // It may have ended, which its reader has noticed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn number(line: &str) -> Option<u64> {
    line.rsplit_once("number ")?.1.parse().ok()
}

fn without_gap(numbers: &[u64]) -> Result<(), Error> {
    match numbers
        .windows(2)
        .find(|pair| !matches!(pair, [a, b] if a + 1 == *b))
    {
        None => Ok(()),
        Some(pair) => Err(Error::Check(format!(
            "lines are lost or doubled between {pair:?}"
        ))),
    }
}
