//! Standard input, output and error of a process.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    MemfdFlags, Mode, OFlags, SealFlags, SeekFrom, fcntl_add_seals, fcntl_getfl, fcntl_setfl, memfd_create,
    open, seek,
};
use rustix::io::{Errno, dup, write};
use softboot_unit::{ExecContext, StdStream};

use super::journal::Journal;

/// What a stream may be connected to besides files.
pub(crate) struct Available<'a> {
    /// The writing end of the unit's log.
    pub(crate) log: &'a OwnedFd,
    /// What comes before the unit's log for who asks for it.
    pub(crate) journal: Journal<'a>,
    /// The connection of an Accept=yes instance.
    pub(crate) connection: Option<OwnedFd>,
    /// Descriptors of sockets and of the fd store, by name.
    pub(crate) named: &'a [(String, BorrowedFd<'a>)],
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

/// True when a stream is one of the unit's named descriptors.
pub(crate) fn wants_fds(context: &ExecContext) -> bool {
    [&context.stdin, &context.stdout, &context.stderr]
        .into_iter()
        .any(|stream| matches!(stream, StdStream::Fd(_)))
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
    let own_name = match (direction, is_stderr(context, stream)) {
        (Direction::Read, _) => "stdin",
        (Direction::Write, false) => "stdout",
        (Direction::Write, true) => "stderr",
    };
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
        StdStream::Log | StdStream::LogAndConsole | StdStream::Kmsg | StdStream::KmsgAndConsole => {
            let opened = match inherit {
                // One stream, so that lines of both stay in their order.
                Some(stdout) if is_stderr(context, stream) && context.stdout == *stream => dup(stdout),
                // Without a journal, or with one that does not keep up, there is still the log.
                _ => available
                    .journal
                    .connect(context, stream)
                    .or_else(|_| dup(available.log)),
            };
            opened.map_err(|error| failed("unit log", error))
        }
        StdStream::Tty => open_tty(&context.tty_path),
        StdStream::Socket => match &available.connection {
            Some(connection) => dup(connection).map_err(|error| failed("connection", error)),
            None => Err(name(
                "socket: there is none, or more than one (it is the connection of an Accept=yes socket's instance, or the only \
                 port of the unit's sockets)",
            )),
        },
        StdStream::File(path) => open_file(path, direction, OFlags::empty()),
        StdStream::Data => data(&context.stdin_data).map_err(|error| failed("data", error)),
        StdStream::Fd(wanted) => {
            let wanted = if wanted.is_empty() { own_name } else { wanted };
            let found = available.named.iter().find(|(name, _)| name == wanted);
            let (_, fd) = found.ok_or_else(|| {
                format!("fd:{wanted}: no socket of this unit and nothing in its fd store has this name")
            })?;
            dup(fd).map_err(|error| failed(wanted, error))
        }
        StdStream::Append(path) => open_file(path, direction, OFlags::APPEND),
        StdStream::Truncate(path) => open_file(path, direction, OFlags::TRUNC),
    }
}

/// A file in memory that nobody can change, read from its start.
fn data(bytes: &[u8]) -> Result<OwnedFd, Errno> {
    let file = memfd_create("stdin", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut rest = bytes;
    while !rest.is_empty() {
        let written = write(&file, rest)?;
        rest = rest.get(written..).unwrap_or_default();
    }
    fcntl_add_seals(
        &file,
        SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE,
    )?;
    seek(&file, SeekFrom::Start(0))?;
    Ok(file)
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
pub(super) fn open_tty(path: &str) -> Result<OwnedFd, String> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = open(path, flags, Mode::empty()).map_err(|error| format!("{path}: {error}"))?;
    make_blocking(&fd).map_err(|error| format!("{path}: {error}"))?;
    Ok(fd)
}

fn make_blocking(fd: impl AsFd) -> Result<(), Errno> {
    let flags = fcntl_getfl(&fd)?;
    fcntl_setfl(&fd, flags - OFlags::NONBLOCK)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read as _, Write as _};

    use super::*;

    fn streams(context: &ExecContext, named: &[(String, OwnedFd)]) -> Result<[OwnedFd; 3], (String, i32)> {
        let log = File::options().write(true).open("/dev/null").unwrap().into();
        let named: Vec<_> = named
            .iter()
            .map(|(name, fd)| (name.clone(), fd.as_fd()))
            .collect();
        let unit = softboot_unit::UnitName::new("a.service").unwrap();
        let available = Available {
            log: &log,
            journal: Journal {
                socket: std::path::Path::new("/no/such/socket"),
                unit: &unit,
                program: "a",
            },
            connection: None,
            named: &named,
        };
        open_all(context, &available)
    }

    #[test]
    fn input_that_is_in_the_unit_is_read_and_cannot_be_changed() {
        let context = ExecContext {
            stdin: StdStream::Data,
            stdin_data: b"one\ntwo\n".to_vec(),
            ..ExecContext::default()
        };
        let [stdin, ..] = streams(&context, &[]).unwrap();
        let mut file = File::from(stdin);
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "one\ntwo\n");
        assert!(file.write_all(b"x").is_err());
    }

    #[test]
    fn a_stream_can_be_a_named_descriptor_by_default_of_its_own_name() {
        let fd = |text: &[u8]| data(text).unwrap();
        let named = [
            ("stdin".to_owned(), fd(b"own")),
            ("other".to_owned(), fd(b"other")),
        ];
        for (name, text) in [("", "own"), ("other", "other")] {
            let context = ExecContext {
                stdin: StdStream::Fd(name.to_owned()),
                ..ExecContext::default()
            };
            assert!(wants_fds(&context));
            let [stdin, ..] = streams(&context, &named).unwrap();
            let mut found = String::new();
            File::from(stdin).read_to_string(&mut found).unwrap();
            assert_eq!(found, text);
            let (error, code) = streams(&context, &[]).unwrap_err();
            assert_eq!(code, 208);
            assert!(error.contains("no socket of this unit"), "{error}");
        }
    }
}
