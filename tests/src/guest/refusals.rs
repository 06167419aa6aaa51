//! The question to the next program comes to nothing: the program hangs, it is killed, by the kernel for want of memory, too, or
//! there is no process, number or room for the question. Who asked is told why, and the running manager is as it was.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::{Value, json};

use super::asked::{goes_first, goes_on_after_its_end, outgrows_the_memory};
use super::check::{Output, PATIENCE, wait_for};
use super::control;
use super::crash::Held;
use super::net::{ECHO, connect, echo};
use super::next_root::in_root;
use super::refused_handoff::{Instead, Replaced};
use super::softctl::{self, softctl};
use super::{Options, processes};
use crate::error::{Context as _, Error};

/// The time that the next program has to answer, as a word of the command line.
pub(super) const WORDS: &[&str] = &["softboot.verify_sec=6"];
/// A root with all that it has to have.
const ROOT: &str = "/srv/refused";
/// The file system of /run, full.
const FILLER: &str = "/run/filler";

/// Every kind of handoff.
pub(super) const WAYS: [&[&str]; 3] = [&["daemon-reexec"], &["soft-reboot"], &["soft-reboot", ROOT]];

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    let program = fs::read_link("/proc/1/exe").doing("finding the manager's program")?;
    let mut client = connect(ECHO)?;
    echo(&mut client, "before\n")?;
    make_root(&program)?;
    // The first ones leave what is then kept for all that follow.
    control::reexec()?;
    for way in WAYS {
        let check = softctl(&[way, &["--check"]].concat())?;
        output.same(
            &check.code,
            &0,
            format!("{way:?} could be done: {}", check.stderr),
        )?;
    }
    hangs(output, &program, &mut client)?;
    no_process(output)?;
    no_numbers(output)?;
    no_room(output)?;
    let (_, before) = control::status()?;
    control::reexec()?;
    control::soft_reboot()?;
    output.same(
        &control::status()?.1,
        &(before + 1),
        "without all that a re-exec and a soft-reboot are done",
    )?;
    echo(&mut client, "after\n")?;
    output.check(true, "a connection in an fd store goes on")
}

fn make_root(program: &Path) -> Result<(), Error> {
    let program = program.display();
    let units = "/usr/lib/systemd/system";
    in_root(&format!(
        "set -e; mkdir -p {ROOT}/etc {ROOT}{units} $(dirname {ROOT}{program}); echo NAME=x > {ROOT}/etc/os-release; \
         cp {program} {ROOT}{program}; cp {units}/lighttpd.socket {ROOT}{units}/; \
         printf '[Unit]\\nAllowIsolate=yes\\n' > {ROOT}{units}/default.target"
    ))
}

/// What no refusal may change: services, sockets, stored descriptors, and all else that a snapshot has.
pub(super) struct Unchanged {
    held: Held,
    snapshot: Value,
}

impl Unchanged {
    pub(super) fn look() -> Result<Unchanged, Error> {
        Ok(Unchanged {
            held: Held::now()?,
            snapshot: snapshot()?,
        })
    }

    pub(super) fn check(&self, output: &mut Output, after: &str) -> Result<(), Error> {
        self.held.check(output, after)?;
        let now = snapshot()?;
        let parts: Vec<_> = self.snapshot.as_object().into_iter().flatten().collect();
        for (part, before) in parts {
            output.same(
                &now.get(part),
                &Some(before),
                format!("{after}: the same {part} in a snapshot"),
            )?;
        }
        Ok(())
    }
}

/// What a snapshot has of everything but the clients that look, the log, and the time.
fn snapshot() -> Result<Value, Error> {
    let ran = softctl(&["snapshot", "--json"])?;
    let whole: Value = serde_json::from_str(&ran.stdout)
        .map_err(|error| Error::Check(format!("softctl snapshot: {error}: {}", ran.stderr)))?;
    let mut payload = whole.pointer("/values/0/payload").cloned().unwrap_or_default();
    let manager = payload.get_mut("manager").and_then(Value::as_object_mut);
    let manager = manager.ok_or_else(|| Error::Check("a snapshot without a manager's part".to_owned()))?;
    for passing in ["clients", "logs", "next_token", "written", "cycles"] {
        manager.remove(passing);
    }
    Ok(payload)
}

/// The same refusal of every kind of handoff, and nothing has changed.
fn refused(output: &mut Output, what: &str, reason: &str) -> Result<(), Error> {
    let before = Unchanged::look()?;
    for way in WAYS {
        let ran = softctl(way)?;
        says_why(output, &ran, reason, &format!("{what}: {way:?}"))?;
    }
    before.check(output, what)
}

pub(super) fn says_why(
    output: &mut Output,
    ran: &softctl::Ran,
    reason: &str,
    what: &str,
) -> Result<(), Error> {
    output.same(
        &(
            ran.code,
            ran.stderr.contains(reason),
            ran.stderr.contains("The running manager is unchanged"),
        ),
        &(1, true, true),
        format!("{what} is refused with the reason ({})", ran.stderr.trim()),
    )
}

/// This program, in the place of softbootd, never answers.
fn hangs(output: &mut Output, program: &Path, client: &mut TcpStream) -> Result<(), Error> {
    let own = std::env::current_exe().doing("finding the own program")?;
    let _restored = Replaced::by(program, &Instead::Program(own.clone()))?;
    let inside = program.strip_prefix("/").unwrap_or(program);
    let in_next = Path::new("/proc/1/root")
        .join(ROOT.trim_start_matches('/'))
        .join(inside);
    let _restored_there = Replaced::by(&in_next, &Instead::Program(own))?;
    refused(output, "the next program hangs", "gave no answer in 6.000s")?;
    let before = Unchanged::look()?;
    for way in WAYS {
        let asking = softctl::start(way)?;
        let asked = wait_for("the next program to be asked", || {
            Ok(processes::all()?.into_iter().find(is_asked))
        })?;
        goes_first(output, asked.pid)?;
        let pid = Pid::from_raw(asked.pid).ok_or_else(|| Error::Check("no process".to_owned()))?;
        kill_process(pid, Signal::KILL).doing("killing the next program")?;
        let ran = softctl::finish(asking)?;
        says_why(
            output,
            &ran,
            "ended without an answer: signal 9",
            &format!("the next program is killed: {way:?}"),
        )?;
    }
    before.check(output, "the next program is killed")?;
    outgrows_the_memory(output, client)?;
    goes_on_after_its_end(output)?;
    let left = processes::all()?.into_iter().find(is_asked);
    output.same(&left, &None, "none of them is left")
}

/// Whether this is the next program, as a child that is asked.
pub(super) fn is_asked(process: &processes::Process) -> bool {
    let line = fs::read(format!("/proc/{}/cmdline", process.pid)).unwrap_or_default();
    process.parent == 1 && line.split(|byte| *byte == 0).any(|word| word == b"--verify")
}

/// The cgroup of PID 1 may have no process more.
fn no_process(output: &mut Output) -> Result<(), Error> {
    let group = fs::read_to_string("/proc/1/cgroup").doing("finding PID 1's cgroup")?;
    let group = group
        .lines()
        .find_map(|line| line.strip_prefix("0::/"))
        .unwrap_or_default();
    let limit = Path::new("/sys/fs/cgroup").join(group).join("pids.max");
    if !limit.exists() {
        output.note(format!("{} is not there: not looked at", limit.display()));
        return Ok(());
    }
    fs::write(&limit, "1").doing("limiting the processes of PID 1's cgroup")?;
    let result = refused(output, "no process more", "making a process");
    fs::write(&limit, "max").doing("taking the limit away")?;
    result
}

/// Not one number for a descriptor is free.
fn no_numbers(output: &mut Output) -> Result<(), Error> {
    let before = Unchanged::look()?;
    for (method, parameters) in [
        ("Reexecute", json!({})),
        ("SoftReboot", json!({})),
        ("SoftReboot", json!({ "root": ROOT })),
    ] {
        let stream = UnixStream::connect(control::SOCKET).doing("connecting")?;
        stream
            .set_read_timeout(Some(PATIENCE))
            .doing("setting a time-out")?;
        ask(&stream, "Ping", &json!({}))?;
        let answer = with_limit(lowest_free()?, || ask(&stream, method, &parameters))?;
        output.check(
            answer.contains("HandoffRefused") && answer.contains("open files"),
            format!(
                "no number for a descriptor: {method} {parameters} is refused with the reason ({answer})"
            ),
        )?;
    }
    before.check(output, "no number for a descriptor")
}

/// One call over a connection that is open already.
fn ask(stream: &UnixStream, method: &str, parameters: &Value) -> Result<String, Error> {
    let request = json!({ "method": format!("io.softboot.Manager.{method}"), "parameters": parameters });
    let mut writer = stream;
    writer
        .write_all(format!("{request}\0").as_bytes())
        .doing(format!("asking for {method}"))?;
    let mut answer = Vec::new();
    BufReader::new(stream)
        .read_until(0, &mut answer)
        .doing(format!("waiting for the answer to {method}"))?;
    Ok(String::from_utf8_lossy(&answer).trim_end_matches('\0').to_owned())
}

fn lowest_free() -> Result<u64, Error> {
    let open: Vec<u64> = fs::read_dir("/proc/1/fd")
        .doing("looking at PID 1's descriptors")?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    Ok((0..).find(|number| !open.contains(number)).unwrap_or(0))
}

/// Does something while PID 1 has no number from this one on. The hard limit stays: it may not be raised again.
fn with_limit<T>(numbers: u64, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let init = Pid::from_raw(1);
    let set = |current: Option<u64>, maximum: Option<u64>| {
        prlimit(init, Resource::Nofile, Rlimit { current, maximum }).doing("limiting PID 1")
    };
    let now = fs::read_to_string("/proc/1/limits").unwrap_or_default();
    let line = now.lines().find_map(|line| line.strip_prefix("Max open files"));
    let maximum = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    let old = set(Some(numbers), maximum)?;
    let result = work();
    set(old.current, old.maximum)?;
    result
}

/// Neither a byte nor an inode is free below /run. A handoff writes nothing there (see the scenario `hardship`), but a next
/// root needs a directory to be mounted at.
fn no_room(output: &mut Output) -> Result<(), Error> {
    // It writes below /run, and ends when it cannot.
    control::stop("survivor.service")?;
    in_root("rmdir /run/softboot/next-root 2>/dev/null; mount -o remount,size=24m /run")?;
    let before = Unchanged::look()?;
    let mut filler = fs::File::create(FILLER).doing("making a file")?;
    while filler.write_all(&[0_u8; 4096]).is_ok() {}
    while filler.write_all(&[0_u8; 1]).is_ok() {}
    let found = rustix::fs::statvfs("/run").doing("looking at the inodes of /run")?;
    let used = found.f_files.saturating_sub(found.f_ffree);
    in_root(&format!("mount -o remount,nr_inodes={used} /run"))?;
    let ran = softctl(&["soft-reboot", ROOT])?;
    in_root(&format!("mount -o remount,nr_inodes={} /run", found.f_files))?;
    drop(filler);
    fs::remove_file(FILLER).doing("removing the file")?;
    says_why(
        output,
        &ran,
        "No space left",
        "no room below /run: a soft-reboot into another root",
    )?;
    before.check(output, "no room below /run")?;
    in_root("mount -o remount,size=50% /run")?;
    control::start("survivor.service")
}
