//! Handoffs when something has run out: room below /run, numbers for descriptors; and with very many descriptors.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::{Value, json};

use super::Options;
use super::check::Output;
use super::control::{self, Unit, call};
use super::net::{ECHO, connect, echo, fetch, is_page};
use super::next_root::in_root;
use super::softctl::softctl;
use super::units::UnitFile;
use crate::error::{Context as _, Error};

const MANY: usize = 10_000;
/// The demo's own writes below /run, and ends when it cannot.
const SURVIVOR: &str = "patient.service";

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    very_many_descriptors(output)?;
    let _unit = UnitFile::install(
        SURVIVOR,
        "[Unit]\nSurviveSoftReboot=yes\n[Service]\nExecStart=/bin/busybox sleep 100000\n",
    )?;
    control::start(SURVIVOR)?;
    full_run(output)?;
    no_numbers(output)?;
    control::stop(SURVIVOR)
}

/// What must be as it was, whatever was refused meanwhile.
#[derive(Debug, PartialEq)]
struct Running {
    cookies: BTreeMap<String, Vec<u64>>,
    survivor: i32,
}

impl Running {
    fn look() -> Result<Running, Error> {
        let mut cookies = control::all_cookies()?;
        cookies.retain(|name, _| ["lighttpd.socket", "echo-store.socket"].contains(&name.as_str()));
        Ok(Running {
            cookies,
            survivor: Unit::get(SURVIVOR)?.main_pid(),
        })
    }

    fn still(&self, output: &mut Output, when: &str) -> Result<(), Error> {
        output.same(
            &Running::look()?,
            self,
            format!("{when}: sockets and survivor are the same"),
        )?;
        output.check(is_page(&fetch()?), format!("{when}: a service answers"))
    }
}

fn very_many_descriptors(output: &mut Output) -> Result<(), Error> {
    let program = std::env::current_exe().doing("finding this program")?;
    let _unit = UnitFile::install(
        "very-many.service",
        &format!(
            "[Service]\nType=notify\nExecStart={} --hold {MANY}\nFileDescriptorStoreMax={MANY}\n\
             FileDescriptorStorePreserve=yes\nLimitNOFILE=infinity\n",
            program.display()
        ),
    )?;
    control::start("very-many.service")?;
    let stored = inodes()?;
    output.same(&stored.len(), &MANY, "so many descriptors are stored")?;
    control::reexec()?;
    output.check(inodes()? == stored, "and the same after a re-exec")?;
    kill_init(Signal::SEGV)?;
    control::wait_running()?;
    output.check(inodes()? == stored, "after a crash")?;
    control::soft_reboot()?;
    output.check(inodes()? == stored, "and after a soft-reboot")?;
    control::start("very-many.service")?;
    output.check(inodes()? == stored, "their service gets all of them back")?;
    control::stop("very-many.service")?;
    softctl(&["clean", "--what=fdstore", "very-many.service"])?;
    output.check(inodes()?.is_empty(), "and they go when they are not wanted")
}

/// Inodes of what is stored, in order.
fn inodes() -> Result<Vec<u64>, Error> {
    let reply = call("GetUnit", json!({ "name": "very-many.service" }))?;
    let fds = reply.pointer("/detail/fds").and_then(Value::as_array);
    let inode = |fd: &Value| fd.get("inode").and_then(Value::as_u64);
    Ok(fds.into_iter().flatten().filter_map(inode).collect())
}

fn full_run(output: &mut Output) -> Result<(), Error> {
    const FILLER: &str = "/run/filler";
    let before = Running::look()?;
    let size = "mount -o remount,size=24m /run";
    in_root(size)?;
    let mut filler = File::create(FILLER).doing("making a file")?;
    // Until there is no room for another byte.
    while filler.write_all(&[0_u8; 4096]).is_ok() {}
    while filler.write_all(&[0_u8; 1]).is_ok() {}
    output.check(
        fs::write("/run/one-more", "x").is_err(),
        "there is no room left below /run",
    )?;
    let mut client = connect(ECHO)?;
    echo(&mut client, "before\n")?;
    control::reexec()?;
    before.still(output, "re-executed without room")?;
    // Whether it is done or refused: the one is whole, the other changes nothing.
    let (_, count) = control::status()?;
    let ran = softctl(&["soft-reboot", "--wait"])?;
    let (_, after) = control::status()?;
    output.same(
        &(ran.code == 0, after),
        &(ran.code == 0, count + u64::from(ran.code == 0)),
        format!(
            "a soft-reboot without room is done or refused: {}",
            ran.stderr.trim()
        ),
    )?;
    drop(filler);
    fs::remove_file(FILLER).doing("removing the file")?;
    let _ = fs::remove_file("/run/one-more");
    echo(&mut client, "after\n")?;
    output.check(true, "a connection in an fd store goes on")?;
    control::wait_running()?;
    before.still(output, "with room again")?;
    control::soft_reboot()?;
    before.still(output, "soft-rebooted with room")
}

fn no_numbers(output: &mut Output) -> Result<(), Error> {
    let before = Running::look()?;
    let reexecs = control::reexecs()?;
    let init = Pid::from_raw(1);
    let open = fs::read_dir("/proc/1/fd").doing("looking at PID 1's descriptors")?;
    // The numbers in use end about there.
    let highest = open
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u64>().ok())
        .max()
        .unwrap_or(0);
    let old = limit_softly(init, highest).doing("limiting PID 1")?;
    let waiting: Vec<UnixStream> = (0..64)
        .filter_map(|_| UnixStream::connect(control::SOCKET).ok())
        .collect();
    let cpu = cpu_ticks()?;
    kill_init(Signal::TERM)?;
    std::thread::sleep(Duration::from_secs(1));
    let used = cpu_ticks()?.saturating_sub(cpu);
    drop(waiting);
    prlimit(init, Resource::Nofile, old).doing("giving PID 1 its limit back")?;
    // A tick is a hundredth of a second: half of the time would be turning in circles.
    output.check(
        used < 50,
        format!("without a number for a client PID 1 waits ({used} of 100 ticks)"),
    )?;
    control::wait_running()?;
    before.still(output, "asked to re-execute without numbers")?;
    let now = control::reexecs()?;
    output.check(
        now == reexecs || now == reexecs + 1,
        "the re-exec was done or refused",
    )?;
    control::reexec()?;
    before.still(output, "re-executed with numbers")
}

/// The hard limit stays: it may not be raised again.
fn limit_softly(init: Option<Pid>, highest: u64) -> rustix::io::Result<Rlimit> {
    let now = fs::read_to_string("/proc/1/limits").unwrap_or_default();
    let line = now.lines().find_map(|line| line.strip_prefix("Max open files"));
    let maximum = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    prlimit(
        init,
        Resource::Nofile,
        Rlimit {
            current: Some(highest.saturating_add(1)),
            maximum,
        },
    )
}

/// What PID 1 has used of a processor (proc_pid_stat(5), fields 14 and 15).
fn cpu_ticks() -> Result<u64, Error> {
    let text = fs::read_to_string("/proc/1/stat").doing("reading /proc/1/stat")?;
    let fields = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let number = |place: usize| -> u64 {
        let field = fields.split_whitespace().nth(place);
        field.and_then(|field| field.parse().ok()).unwrap_or(0)
    };
    Ok(number(11).saturating_add(number(12)))
}

fn kill_init(signal: Signal) -> Result<(), Error> {
    let init = Pid::from_raw(1).ok_or_else(|| Error::Check("there is no PID 1".to_owned()))?;
    kill_process(init, signal).doing("sending PID 1 a signal")
}
