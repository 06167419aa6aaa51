//! Output of services with a journal, and without one. The journal here is the scenario: a socket that journald would have,
//! and what journald would read from it.

use std::fs;
use std::io::Read as _;
use std::os::unix::net::UnixListener;

use super::check::Output;
use super::inside::{UNIT, install};
use super::softctl::softctl;
use super::{Options, control};
use crate::error::{Context, Error};

const SOCKET: &str = "/run/systemd/journal/stdout";

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    fs::create_dir_all("/run/systemd/journal").doing("making the journal's directory")?;
    without_one(output)?;
    let listener = UnixListener::bind(SOCKET).doing("listening as journald does")?;
    with_one(output, &listener)?;
    listener.set_nonblocking(true).doing("looking without waiting")?;
    not_asked(output, &listener)?;
    full(output, &listener)?;
    drop(listener);
    run_service("StandardOutput=journal", "echo nobody listens")?;
    output.check(
        log()?.contains("nobody listens"),
        "with a socket of a journal that is gone, output is in the unit's log",
    )
}

fn without_one(output: &mut Output) -> Result<(), Error> {
    run_service(
        "StandardOutput=journal\nStandardError=kmsg\nLogLevelMax=notice\nSyslogLevel=warning",
        "echo \"<3>bad ${JOURNAL_STREAM-none}\"; echo \"<7>chatter\"; echo plain >&2",
    )?;
    let log = log()?;
    let ends = |text: &str| {
        log.lines()
            .any(|line| line.ends_with(text) && !line.contains('<'))
    };
    output.check(
        ends("bad none") && ends("plain") && !log.contains("chatter"),
        format!("without a journal the unit's log has what is important enough, without prefixes:\n{log}"),
    )
}

fn with_one(output: &mut Output, listener: &UnixListener) -> Result<(), Error> {
    let script = "echo first line; echo second line >&2; \
         busybox test $(busybox stat -L -c %d:%i /proc/$$/fd/2) = $JOURNAL_STREAM && echo same";
    for (settings, beginning) in [
        (
            "StandardOutput=journal",
            "busybox\ninside.service\n30\n1\n0\n0\n0\n",
        ),
        (
            "StandardOutput=kmsg+console\nStandardError=kmsg+console\nSyslogIdentifier=me\nSyslogFacility=local0\n\
             SyslogLevel=err\nSyslogLevelPrefix=no",
            "me\ninside.service\n131\n0\n0\n1\n1\n",
        ),
    ] {
        run_service(settings, script)?;
        // It ends with the service: PID 1 has kept nothing of it.
        let (mut stream, _) = listener.accept().doing("taking the stream")?;
        let mut found = String::new();
        stream.read_to_string(&mut found).doing("reading the stream")?;
        output.same(
            &found.as_str(),
            &format!("{beginning}first line\nsecond line\nsame\n").as_str(),
            format!("with {settings:?} both streams are one to the journal"),
        )?;
        output.check(
            !log()?.contains("first line"),
            "and the unit's log has no copy of it",
        )?;
    }
    Ok(())
}

/// Who did not ask for the journal keeps the unit's log.
fn not_asked(output: &mut Output, listener: &UnixListener) -> Result<(), Error> {
    run_service("", "echo kept here")?;
    let log = log()?;
    output.check(
        log.contains("kept here") && listener.accept().is_err(),
        format!("without a word about it, output is in the unit's log:\n{log}"),
    )
}

/// Connections that nobody takes fill the backlog; what comes then is not waited for.
fn full(output: &mut Output, listener: &UnixListener) -> Result<(), Error> {
    const BACKLOG: i32 = 2;
    rustix::net::listen(listener, BACKLOG).doing("making the backlog short")?;
    let mut logged = Vec::new();
    for number in 0..6 {
        run_service("StandardOutput=journal", &format!("echo number {number}"))?;
        logged.push(log()?.contains(&format!("number {number}")));
    }
    let waiting = logged.iter().filter(|logged| !**logged).count();
    output.check(
        waiting > 0 && logged.ends_with(&[true]),
        format!("a journal that takes nothing got {waiting} streams of 6; the others went to the unit's log"),
    )
}

/// Runs the script as a oneshot service whose output goes where its settings say.
fn run_service(settings: &str, script: &str) -> Result<(), Error> {
    let script = script.replace('%', "%%").replace('$', "$$");
    let _unit = install(settings, &format!("/bin/busybox sh -c '{script}'"))?;
    control::start(UNIT)
}

fn log() -> Result<String, Error> {
    Ok(softctl(&["logs", "-n", "1000", UNIT])?.stdout)
}
