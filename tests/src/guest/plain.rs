//! The plain settings of a process: numbers, directory, condition, and where its standard streams lead.

use std::fs;
use std::io::Write as _;

use super::check::{Output, wait_for};
use super::control;
use super::inside::{SEEN, UNIT, attempt, inside, refused, seen_lines, shell};
use super::softctl::softctl;
use super::units::UnitFile;
use crate::error::{Context, Error};

pub(super) fn run(output: &mut Output) -> Result<(), Error> {
    numbers(output)?;
    directory(output)?;
    condition(output)?;
    files(output)?;
    descriptor(output)
}

fn numbers(output: &mut Output) -> Result<(), Error> {
    let seen = inside(
        "UMask=0027\nNice=7\nOOMScoreAdjust=321\nLimitNOFILE=77:88\nLimitCORE=0",
        "umask; busybox cut -d\" \" -f19 /proc/self/stat; busybox cat /proc/self/oom_score_adj; ulimit -n; ulimit -Hn; ulimit -c",
    )?;
    output.same(
        &seen.as_str(),
        &"0027\n7\n321\n77\n88\n0\n",
        "mask, nice value, OOM score and limits are the unit's",
    )?;
    for (settings, ignored) in [("", true), ("IgnoreSIGPIPE=no", false)] {
        let seen = inside(settings, "busybox grep ^SigIgn /proc/self/status")?;
        let set = seen.trim().rsplit('\t').next().unwrap_or_default();
        // Bit 12 is signal 13; a shell has others of its own.
        let found = u64::from_str_radix(set, 16).is_ok_and(|set| set & 0x1000 != 0);
        output.same(
            &found,
            &ignored,
            format!("with {settings:?} SIGPIPE is ignored, or kills: {seen}"),
        )?;
    }
    Ok(())
}

fn directory(output: &mut Output) -> Result<(), Error> {
    for (settings, expected) in [
        ("", "/\n"),
        ("WorkingDirectory=/run/softboot", "/run/softboot\n"),
        ("WorkingDirectory=-/no/such/place", "/\n"),
    ] {
        let seen = inside(settings, "busybox pwd")?;
        output.same(
            &seen.as_str(),
            &expected,
            format!("with {settings:?} the working directory is {expected:?}"),
        )?;
    }
    refused(
        output,
        "WorkingDirectory=/no/such/place",
        200,
        "the working directory",
    )
}

/// Semantics 4.3: 0 goes on, 1 to 254 skip the service, 255 fails it.
fn condition(output: &mut Output) -> Result<(), Error> {
    for (exit, code, ran, state) in [
        (0, 0, true, "inactive"),
        (3, 0, false, "inactive"),
        (255, 1, false, "failed"),
    ] {
        let settings = format!("ExecCondition=/bin/busybox sh -c 'exit {exit}'");
        let started = attempt(&settings, &shell("echo ran"))?;
        let active = softctl(&["is-active", UNIT])?.stdout;
        output.same(
            &(started, seen_lines()? == "ran\n", active.trim()),
            &(code, ran, state),
            format!("an ExecCondition= that ends with {exit}"),
        )?;
    }
    let settings = "ExecCondition=/bin/busybox false\nExecStartPre=/bin/busybox touch /run/softboot-not-run";
    attempt(settings, &shell("echo ran"))?;
    output.check(
        !std::path::Path::new("/run/softboot-not-run").exists(),
        "what a condition held back has not run its ExecStartPre= either",
    )
}

fn files(output: &mut Output) -> Result<(), Error> {
    let place = "/run/softboot-stream";
    for (word, before, after) in [
        ("file:", "0123456789\n", "out\nerr\n89\n"),
        ("truncate:", "0123456789\n", "out\nerr\n"),
        ("append:", "0123\n", "0123\nout\nerr\n"),
    ] {
        fs::write(place, before).doing("writing what was there")?;
        let started = attempt(
            &format!("StandardOutput={word}{place}"),
            "/bin/busybox sh -c 'echo out; echo err >&2'",
        )?;
        let found = fs::read_to_string(place).doing("reading what was written")?;
        output.same(
            &(started, found.as_str()),
            &(0, after),
            format!("both streams with StandardOutput={word}"),
        )?;
    }
    let started = attempt(
        &format!("StandardInput=file:{place}\nStandardOutput=append:{SEEN}\nStandardError=null"),
        "/bin/busybox sh -c 'busybox cat; echo lost >&2'",
    )?;
    output.same(
        &(started, seen_lines()?.as_str()),
        &(0, "0123\nout\nerr\n"),
        "input comes from a file, and what goes to null is gone",
    )?;
    let log = softctl(&["logs", "-n", "100", UNIT])?.stdout;
    output.check(!log.contains("lost"), "it is not in the log either")?;
    refused(
        output,
        "StandardOutput=file:/no/such/place",
        209,
        "/no/such/place",
    )
}

/// A descriptor of a socket unit, by its name.
fn descriptor(output: &mut Output) -> Result<(), Error> {
    let fifo = "/run/softboot-named.fifo";
    fs::write(SEEN, "").doing("emptying what was seen")?;
    let _service = UnitFile::write(
        "named.service",
        &format!(
            "[Service]\nStandardInput=fd:words\nStandardOutput=append:{SEEN}\nExecStart=/bin/busybox head -n 1\n"
        ),
    )?;
    let _socket = UnitFile::install(
        "named.socket",
        &format!("[Socket]\nListenFIFO={fifo}\nFileDescriptorName=words\nRemoveOnStop=yes\n"),
    )?;
    control::start("named.socket")?;
    let mut writer = fs::OpenOptions::new()
        .write(true)
        .open(fifo)
        .doing("opening the FIFO")?;
    writer.write_all(b"a word\n").doing("writing into the FIFO")?;
    wait_for("the service has read it", || {
        Ok((seen_lines()? == "a word\n").then_some(()))
    })?;
    output.check(true, "a service reads from a named descriptor of its socket")?;
    control::stop("named.socket")
}
