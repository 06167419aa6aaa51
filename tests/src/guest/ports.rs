//! Sockets beyond the plain one: kinds of ports, limits, owners, and files that change under an open socket
//! (semantics 1.1 to 1.5, 1.12).

use std::fs;
use std::io::Read as _;
use std::net::TcpStream;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixStream};
use std::time::{Duration, Instant};

use serde_json::json;

use super::Options;
use super::check::{Output, wait_for};
use super::control::{self, Unit, call};
use super::softctl::softctl;
use super::units::UnitFile;
use crate::container::init::LEFT_OPEN_COOKIE;
use crate::error::{Context as _, Error};

const SOCKET: &str = "p.socket";
const NOISY: &str = "noisy.socket";
const TRACE: &str = "/run/ports/trace";

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    fs::create_dir_all("/run/ports").doing("making a directory")?;
    left_open(output)?;
    kinds(output)?;
    commands(output)?;
    changed_under_way(output)?;
    most_of_one_source(output)?;
    noisy(output)?;
    never_taken(output)?;
    failure_is_told_each_time(output)
}

/// What whoever started PID 1 had open is taken over by the unit that would have opened it.
fn left_open(output: &mut Output) -> Result<(), Error> {
    let cookie = fs::read_to_string(LEFT_OPEN_COOKIE).doing("reading the cookie of what was left open")?;
    let cookie: u64 = cookie
        .trim()
        .parse()
        .map_err(|_| Error::Check(format!("{cookie:?} is no cookie")))?;
    output.check(
        Unit::get("hello.socket")?.cookies().contains(&cookie),
        "a port that was open before PID 1 began is that socket still",
    )
}

/// What a service is told about what it gets.
fn service(settings: &str) -> Result<UnitFile, Error> {
    UnitFile::write(
        "p.service",
        &format!(
            "[Service]\nExecStart=/bin/busybox sh -c 'echo $$LISTEN_FDS $$LISTEN_FDNAMES >{TRACE}; exec /bin/busybox \
             sleep 100000'\n{settings}"
        ),
    )
}

fn trace() -> Result<String, Error> {
    wait_for("the service to say what it got", || {
        let text = fs::read_to_string(TRACE).unwrap_or_default();
        Ok(text.ends_with('\n').then(|| text.trim().to_owned()))
    })
}

fn kinds(output: &mut Output) -> Result<(), Error> {
    let _service = service("")?;
    let _socket = UnitFile::install(
        SOCKET,
        "[Socket]\nListenStream=/run/ports/deep/s\nListenDatagram=@ports-abstract\nListenSequentialPacket=/run/ports/q\n\
         ListenStream=127.0.0.1:7101\nListenFIFO=/run/ports/f\nListenNetlink=kobject-uevent 0\nSocketMode=0640\n\
         SocketUser=nobody\nRemoveOnStop=yes\nFileDescriptorName=mine\n",
    )?;
    let refused = softctl(&["start", SOCKET])?;
    output.same(&refused.code, &0, "six kinds of ports can be open at once")?;
    for path in ["/run/ports/deep/s", "/run/ports/q", "/run/ports/f"] {
        let about = fs::metadata(path).doing(format!("looking at {path}"))?;
        let kind = about.file_type();
        output.check(
            (kind.is_socket() || kind.is_fifo()) && about.uid() == 65534 && about.mode() & 0o777 == 0o640,
            format!("{path} has its owner and mode"),
        )?;
    }
    let _ = fs::remove_file(TRACE);
    // The descriptor of an abstract datagram socket is enough to start the service.
    let sender = UnixDatagram::unbound().doing("making a socket")?;
    let address = SocketAddr::from_abstract_name(b"ports-abstract").doing("naming the abstract socket")?;
    sender.connect_addr(&address).doing("connecting")?;
    sender.send(b"x").doing("sending")?;
    output.same(
        &trace()?,
        &"6 mine:mine:mine:mine:mine:mine".to_owned(),
        "the service gets all of them, in their order",
    )?;
    control::stop(SOCKET)?;
    control::stop("p.service")?;
    output.check(
        !fs::exists("/run/ports/q").unwrap_or(true) && !fs::exists("/run/ports/f").unwrap_or(true),
        "RemoveOnStop= removes the nodes",
    )
}

/// ExecStartPre= to ExecStopPost=, and who of them gets the ports.
fn commands(output: &mut Output) -> Result<(), Error> {
    let _service = service("")?;
    let say =
        |what: &str| format!("/bin/busybox sh -c 'echo {what} $$LISTEN_FDS $$LISTEN_FDNAMES >>{TRACE}'");
    let _socket = UnitFile::install(
        SOCKET,
        &format!(
            "[Socket]\nListenStream=/run/ports/s\nListenFIFO=/run/ports/f\nPassFileDescriptorsToExec=yes\n\
             FileDescriptorName=p\nExecStartPre={}\nExecStartPost={}\nExecStopPre={}\nExecStopPost={}\n",
            say("pre"),
            say("post"),
            say("stop"),
            say("end")
        ),
    )?;
    fs::write(TRACE, "").doing("emptying the trace")?;
    control::start(SOCKET)?;
    control::reexec()?;
    control::stop(SOCKET)?;
    let text = fs::read_to_string(TRACE).doing("reading the trace")?;
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    output.same(
        &lines,
        &vec!["pre", "post 2 p:p", "stop 2 p:p", "end"],
        "a socket's commands run around its ports, and get them while they are open",
    )
}

/// The file of an open socket changes: what stays is the same socket, what is new is open, what is gone is closed.
fn changed_under_way(output: &mut Output) -> Result<(), Error> {
    let _service = service("")?;
    let _socket = UnitFile::install(
        SOCKET,
        "[Socket]\nListenStream=127.0.0.1:7101\nListenStream=127.0.0.1:7102\nFlushPending=yes\n",
    )?;
    control::start(SOCKET)?;
    let before = Unit::get(SOCKET)?.cookies();
    let _socket = UnitFile::install(
        SOCKET,
        "[Socket]\nListenStream=127.0.0.1:7103\nListenStream=127.0.0.1:7102\nFlushPending=yes\n",
    )?;
    let after = Unit::get(SOCKET)?.cookies();
    output.same(
        &(
            after.len(),
            after.get(1) == before.get(1),
            after.first() == before.first(),
        ),
        &(2, true, false),
        "after a reload the port that stayed is the same socket, at its new place",
    )?;
    output.check(
        TcpStream::connect("127.0.0.1:7103").is_ok() && TcpStream::connect("127.0.0.1:7101").is_err(),
        "the new port is open and the old one closed",
    )?;
    wait_for("the service to run", || {
        Ok((Unit::get("p.service")?.active() == "active").then_some(()))
    })?;
    control::stop("p.service")?;

    let taken = std::net::TcpListener::bind("127.0.0.1:7104").doing("taking a port")?;
    let _socket = UnitFile::install(
        SOCKET,
        "[Socket]\nListenStream=127.0.0.1:7104\nListenStream=127.0.0.1:7102\nFlushPending=yes\n",
    )?;
    let logs = softctl(&["logs", SOCKET])?.stdout;
    output.check(
        logs.contains("127.0.0.1:7104") && logs.contains("keeps the old ones"),
        format!("a port that cannot be opened is reported:\n{logs}"),
    )?;
    output.same(
        &(Unit::get(SOCKET)?.cookies(), Unit::get(SOCKET)?.sub()),
        &(after, "listening"),
        "and everything stays as it was",
    )?;
    drop(taken);
    control::stop(SOCKET)
}

fn most_of_one_source(output: &mut Output) -> Result<(), Error> {
    let _service = UnitFile::write(
        "p@.service",
        "[Service]\nStandardInput=socket\nExecStart=/bin/busybox cat\n",
    )?;
    let _socket = UnitFile::install(
        SOCKET,
        "[Socket]\nListenStream=/run/ports/s\nAccept=yes\nMaxConnectionsPerSource=2\n",
    )?;
    control::start(SOCKET)?;
    let connect = || UnixStream::connect("/run/ports/s").doing("connecting");
    let (_first, _second) = (connect()?, connect()?);
    wait_for("two instances", || {
        let names = control::unit_names()?;
        Ok((names.iter().filter(|name| name.starts_with("p@")).count() == 2).then_some(()))
    })?;
    let mut third = connect()?;
    output.same(
        &third.read(&mut [0]).doing("reading")?,
        &0,
        "a third connection of one user is closed at once",
    )?;
    control::stop(SOCKET)
}

/// A datagram socket whose service never reads wakes PID 1 no more often than its limit allows.
fn noisy(output: &mut Output) -> Result<(), Error> {
    let _service = UnitFile::write("noisy@.service", "[Service]\nExecStart=/bin/busybox true\n")?;
    let _socket = UnitFile::install(
        NOISY,
        "[Socket]\nListenStream=/run/ports/s\nAccept=yes\nPollLimitIntervalSec=10s\nPollLimitBurst=5\nMaxConnections=1000\n",
    )?;
    control::start(NOISY)?;
    let begun = Instant::now();
    let mut connections = Vec::new();
    while begun.elapsed() < Duration::from_secs(1) && connections.len() < 100 {
        connections.push(UnixStream::connect("/run/ports/s").doing("connecting")?);
    }
    std::thread::sleep(Duration::from_millis(300));
    let status = softctl(&["status", NOISY])?.stdout;
    output.check(
        status.contains("5 accepted"),
        format!(
            "of {} connections in a hurry 5 were accepted:\n{status}",
            connections.len()
        ),
    )?;
    output.same(
        &Unit::get(NOISY)?.sub(),
        &"listening",
        "and the socket only rests",
    )?;
    drop(connections);
    control::stop(NOISY)
}

/// Traffic that starts a service whose condition does not hold is never taken.
fn never_taken(output: &mut Output) -> Result<(), Error> {
    let _service = service("[Unit]\nConditionPathExists=/no/such/file\n")?;
    // Below PollLimitBurst=, which would only let the port rest.
    let _socket = UnitFile::install(
        SOCKET,
        "[Socket]\nListenStream=/run/ports/s\nTriggerLimitBurst=5\n",
    )?;
    control::start(SOCKET)?;
    let _client = UnixStream::connect("/run/ports/s").doing("connecting")?;
    wait_for("the socket to give up", || {
        Ok((Unit::get(SOCKET)?.sub() == "failed").then_some(()))
    })?;
    output.same(
        &Unit::get(SOCKET)?.result(),
        &"trigger-limit-hit",
        "a socket whose traffic nobody takes fails by its own limit",
    )?;
    call("ResetFailed", json!({})).map(drop)
}

fn failure_is_told_each_time(output: &mut Output) -> Result<(), Error> {
    let _told = UnitFile::write(
        "told.service",
        &format!("[Service]\nType=oneshot\nExecStart=/bin/busybox sh -c 'echo told >>{TRACE}'\n"),
    )?;
    let _service = service("")?;
    let _socket = UnitFile::install(
        SOCKET,
        "[Unit]\nOnFailure=told.service\n[Socket]\nListenStream=192.0.2.1:80\n",
    )?;
    fs::write(TRACE, "").doing("emptying the trace")?;
    for count in 1..=2 {
        output.same(
            &softctl(&["start", SOCKET])?.code,
            &1,
            "an address that is not ours cannot be opened",
        )?;
        wait_for("OnFailure= to be told", || {
            let lines = fs::read_to_string(TRACE).unwrap_or_default().lines().count();
            Ok((lines == count).then_some(()))
        })?;
    }
    output.check(true, "OnFailure= is told each time")?;
    call("ResetFailed", json!({})).map(drop)
}
