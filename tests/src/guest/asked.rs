//! This program in the place of the next softbootd, as the child that is asked whether it can take over: what it does then, and
//! what PID 1 makes of it.

use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::check::{Output, PATIENCE, wait_for};
use super::net::echo;
use super::refusals::{Unchanged, WAYS, is_asked, says_why};
use super::softctl::softctl;
use super::{control, processes};
use crate::error::{Context as _, Error};

/// What it is to do; without this file it never answers.
const ORDER: &str = "/run/asked-order";
/// Takes memory until there is none.
const EAT: &str = "eat";
/// Says yes, and ends when it may.
const YES: &str = "yes";
/// It has answered, and has closed the pipe.
const TOLD: &str = "/run/asked-told";
/// It may end.
const RELEASE: &str = "/run/asked-release";

const MIB: usize = 1 << 20;
/// What the cgroup of PID 1 may take more than it has.
const ROOM: u64 = 16 << 20;
/// More than that, and less than a test machine has.
const MOST: usize = 128;

/// The child's side.
///
/// # Errors
/// [`Error::Io`] if it cannot answer.
pub fn asked() -> Result<(), Error> {
    match fs::read_to_string(ORDER).as_deref() {
        Ok(EAT) => {
            let eaten: Vec<Vec<u8>> = (0..MOST).map(|_| vec![1; MIB]).collect();
            std::hint::black_box(&eaten);
        }
        Ok(YES) => return say_yes(),
        _ => {}
    }
    loop {
        std::thread::park();
    }
}

fn say_yes() -> Result<(), Error> {
    let number = std::env::var("SOFTBOOT_ANSWER_FD")
        .ok()
        .and_then(|number| number.parse().ok());
    let number: i32 = number.ok_or_else(|| Error::Check("no pipe to answer on".to_owned()))?;
    let mut taken = softboot_sys::inherited::take([number]).doing("taking the pipe")?;
    let pipe = taken
        .remove(&number)
        .ok_or_else(|| Error::Check("the pipe is not open".to_owned()))?;
    fs::File::from(pipe)
        .write_all(b"{\"answer\":\"yes\",\"plan\":{}}")
        .doing("answering")?;
    fs::write(TOLD, "").doing(format!("making {TOLD}"))?;
    while !Path::new(RELEASE).exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// An order, for as long as this is there.
struct Order;

impl Order {
    fn give(word: &str) -> Result<Order, Error> {
        fs::write(ORDER, word).doing(format!("writing {ORDER}"))?;
        Ok(Order)
    }
}

impl Drop for Order {
    fn drop(&mut self) {
        for file in [ORDER, TOLD, RELEASE] {
            let _ = fs::remove_file(file);
        }
    }
}

/// The next program outgrows the memory of PID 1's cgroup. The kernel kills it and nobody else, and who asked is told.
pub(super) fn outgrows_the_memory(output: &mut Output, client: &mut TcpStream) -> Result<(), Error> {
    let group = own_group()?;
    let limit = group.join("memory.max");
    if !limit.exists() {
        output.note(format!("{} is not there: not looked at", limit.display()));
        return Ok(());
    }
    let number = |file: &str, line: &str| -> Result<u64, Error> {
        let text = fs::read_to_string(group.join(file)).doing(format!("reading {file}"))?;
        let found = text.lines().find_map(|one| one.strip_prefix(line));
        found
            .and_then(|number| number.trim().parse().ok())
            .ok_or_else(|| Error::Check(format!("no number in {file}: {text}")))
    };
    let _order = Order::give(EAT)?;
    let before = Unchanged::look()?;
    let killed = number("memory.events", "oom_kill ")?;
    fs::write(&limit, (number("memory.current", "")? + ROOM).to_string())
        .doing("limiting the memory of PID 1's cgroup")?;
    let ran: Result<Vec<_>, Error> = WAYS.iter().map(|way| Ok((way, softctl(way)?))).collect();
    fs::write(&limit, "max").doing("taking the limit away")?;
    for (way, ran) in &ran? {
        says_why(
            output,
            ran,
            "ended without an answer: the kernel killed it for want of memory",
            &format!("the next program outgrows the memory of PID 1's cgroup: {way:?}"),
        )?;
    }
    output.same(
        &number("memory.events", "oom_kill ")?,
        &(killed + WAYS.len() as u64),
        "the kernel has killed these and no other process of PID 1's cgroup",
    )?;
    before.check(output, "the next program was killed for want of memory")?;
    echo(client, "after the kill\n")?;
    output.check(true, "and a service answers over the connection that it had")
}

fn own_group() -> Result<PathBuf, Error> {
    let group = fs::read_to_string("/proc/1/cgroup").doing("finding PID 1's cgroup")?;
    let group = group.lines().find_map(|line| line.strip_prefix("0::/"));
    Ok(Path::new("/sys/fs/cgroup").join(group.unwrap_or_default()))
}

/// Whoever is asked goes first when memory is short: nothing but a question is lost.
pub(super) fn goes_first(output: &mut Output, pid: i32) -> Result<(), Error> {
    let score = |pid: i32| {
        let text = fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).doing("reading a score")?;
        text.trim()
            .parse::<i32>()
            .map_err(|error| Error::Check(error.to_string()))
    };
    output.check(
        score(pid)? == 1000 && score(1)? < 1000,
        "the kernel would take the next program before PID 1 when memory is short",
    )
}

/// Nothing goes on before the child that said yes has ended: until then it holds every descriptor open, and a port that is
/// closed and opened again would not be free.
pub(super) fn goes_on_after_its_end(output: &mut Output) -> Result<(), Error> {
    for method in ["Reexecute", "SoftReboot"] {
        let _order = Order::give(YES)?;
        let mut stream = UnixStream::connect(control::SOCKET).doing("connecting")?;
        let call =
            json!({ "method": format!("io.softboot.Manager.{method}"), "parameters": { "check": true } });
        stream
            .write_all(format!("{call}\0").as_bytes())
            .doing("asking for a check")?;
        wait_for("the answer of the child", || {
            Ok(Path::new(TOLD).exists().then_some(()))
        })?;
        // It was readable before these calls were, so it has been read.
        for _ in 0..2 {
            control::call("Ping", json!({}))?;
        }
        let is_there = processes::all()?.iter().any(is_asked);
        stream.set_nonblocking(true).doing("not waiting")?;
        let early = stream.read(&mut [0; 1]).map_err(|error| error.kind());
        output.same(
            &(is_there, early),
            &(true, Err(ErrorKind::WouldBlock)),
            format!("{method}: nobody is told of a yes while who said it has not ended"),
        )?;
        fs::write(RELEASE, "").doing(format!("making {RELEASE}"))?;
        stream.set_nonblocking(false).doing("waiting")?;
        stream
            .set_read_timeout(Some(PATIENCE))
            .doing("setting a time-out")?;
        let mut answer = Vec::new();
        BufReader::new(&stream)
            .read_until(0, &mut answer)
            .doing("waiting for the answer")?;
        let answer: Value = serde_json::from_slice(answer.strip_suffix(b"\0").unwrap_or(&answer))
            .map_err(|error| Error::Check(error.to_string()))?;
        output.check(
            answer.get("error").is_none() && !processes::all()?.iter().any(is_asked),
            format!("{method}: and then it is ({answer})"),
        )?;
    }
    Ok(())
}
