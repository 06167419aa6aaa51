//! Standard input, output and error of a process.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl, open};
use rustix::io::{Errno, dup};
use softboot_unit::{ExecContext, StdStream};

/// What a stream may be connected to besides files.
pub(crate) struct Available<'a> {
    /// The writing end of the unit's log.
    pub(crate) log: &'a OwnedFd,
    /// The connection of an Accept=yes instance.
    pub(crate) connection: Option<OwnedFd>,
}

/// Opens all three. The error names the stream, the path and the exit code the reference shows (208 to 210).
pub(crate) fn open_all(
    context: &ExecContext,
    available: &Available<'_>,
) -> Result<[OwnedFd; 3], (String, i32)> {
    let stdin = open_one(&context.stdin, Direction::Read, context, available, None)
        .map_err(|error| (format!("standard input: {error}"), 208))?;
    let stdout = open_one(
        &context.stdout,
        Direction::Write,
        context,
        available,
        Some(&stdin),
    )
    .map_err(|error| (format!("standard output: {error}"), 209))?;
    let stderr = open_one(
        &context.stderr,
        Direction::Write,
        context,
        available,
        Some(&stdout),
    )
    .map_err(|error| (format!("standard error: {error}"), 222))?;
    Ok([stdin, stdout, stderr])
}

/// True when the process needs a controlling terminal.
pub(crate) fn wants_tty(context: &ExecContext) -> bool {
    context.stdin == StdStream::Tty
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Read,
    Write,
}

fn open_one(
    stream: &StdStream,
    direction: Direction,
    context: &ExecContext,
    available: &Available<'_>,
    inherit: Option<&OwnedFd>,
) -> Result<OwnedFd, String> {
    let name = |path: &str| path.to_owned();
    let failed = |path: &str, error: Errno| format!("{path}: {error}");
    match stream {
        // StandardOutput=inherit means the log unless input is a terminal or a socket (systemd.exec(5)).
        StdStream::Inherit => {
            let two_ways = matches!(context.stdin, StdStream::Tty | StdStream::Socket);
            let inherited = match (inherit, direction) {
                (Some(fd), Direction::Write) if two_ways || is_stderr(context, stream) => dup(fd),
                (_, Direction::Write) => dup(available.log),
                (_, Direction::Read) => open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()),
            };
            inherited.map_err(|error| failed("inherited stream", error))
        }
        StdStream::Null => {
            let mode = if direction == Direction::Read {
                OFlags::RDONLY
            } else {
                OFlags::WRONLY
            };
            open("/dev/null", mode | OFlags::CLOEXEC, Mode::empty())
                .map_err(|error| failed("/dev/null", error))
        }
        StdStream::Log | StdStream::LogAndConsole => {
            dup(available.log).map_err(|error| failed("unit log", error))
        }
        StdStream::Tty => open_tty(&context.tty_path),
        StdStream::Socket => match &available.connection {
            Some(connection) => dup(connection).map_err(|error| failed("connection", error)),
            None => Err(name(
                "socket: there is no connection (only instances of Accept=yes sockets have one)",
            )),
        },
        StdStream::File(path) => open_file(path, direction, OFlags::empty()),
        StdStream::Data | StdStream::Fd(_) => Err(name("data and fd: are not supported yet")),
        StdStream::Append(path) => open_file(path, direction, OFlags::APPEND),
        StdStream::Truncate(path) => open_file(path, direction, OFlags::TRUNC),
    }
}

/// Standard error inherits standard output in every case.
fn is_stderr(context: &ExecContext, stream: &StdStream) -> bool {
    std::ptr::eq(stream, &raw const context.stderr)
}

fn open_file(path: &str, direction: Direction, extra: OFlags) -> Result<OwnedFd, String> {
    let flags = match direction {
        Direction::Read => OFlags::RDONLY,
        Direction::Write => OFlags::WRONLY | OFlags::CREATE | extra,
    };
    // O_NONBLOCK: a FIFO without a reader must not stop PID 1; it is taken back for the service.
    let flags = flags | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let fd = open(path, flags, Mode::from_raw_mode(0o644)).map_err(|error| format!("{path}: {error}"))?;
    make_blocking(&fd).map_err(|error| format!("{path}: {error}"))?;
    Ok(fd)
}

/// A terminal without carrier would block its open: open without waiting, then let the service wait.
fn open_tty(path: &str) -> Result<OwnedFd, String> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = open(path, flags, Mode::empty()).map_err(|error| format!("{path}: {error}"))?;
    make_blocking(&fd).map_err(|error| format!("{path}: {error}"))?;
    Ok(fd)
}

fn make_blocking(fd: impl AsFd) -> Result<(), Errno> {
    let flags = fcntl_getfl(&fd)?;
    fcntl_setfl(&fd, flags - OFlags::NONBLOCK)
}
