//! The journal in place of the unit's log, when there is one: a stream to journald, which begins with what it has to know
//! of its lines (semantics 5.9, `StandardOutput=journal`; systemd.exec(5), "Logging and Standard Input/Output").
//!
//! PID 1 connects without waiting: what listens takes the stream from its backlog whenever it comes to it, and the few
//! bytes of the beginning fit into any socket's buffer. Where that fails there is no journal, and the unit's log is used.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl, fstat};
use rustix::io::{Errno, write};
use rustix::net::sockopt::set_socket_send_buffer_size;
use rustix::net::{
    AddressFamily, Shutdown, SocketAddrUnix, SocketFlags, SocketType, connect, getpeername, shutdown,
    socket_with,
};
use softboot_unit::{ExecContext, StdStream, UnitName};

/// Where a journald listens for the output of services.
pub(super) const SOCKET: &str = "/run/systemd/journal/stdout";

/// What a unit may write before journald has read it; the kernel takes what it allows.
const SEND_BUFFER: usize = 8 * 1024 * 1024;

/// Whose lines they are.
pub(crate) struct Journal<'a> {
    pub(crate) socket: &'a Path,
    pub(crate) unit: &'a UnitName,
    /// The program, whose name is the lines' identifier if the unit does not say another.
    pub(crate) program: &'a str,
}

impl Journal<'_> {
    /// A stream for this unit's output.
    pub(super) fn connect(&self, exec: &ExecContext, stream: &StdStream) -> Result<OwnedFd, Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let fd = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        connect(&fd, &SocketAddrUnix::new(self.socket)?)?;
        // Nothing comes back.
        shutdown(&fd, Shutdown::Read)?;
        let _ = set_socket_send_buffer_size(&fd, SEND_BUFFER);
        let beginning = self.beginning(exec, stream);
        if write(&fd, beginning.as_bytes())? != beginning.len() {
            return Err(Errno::AGAIN);
        }
        // From here on it is the service that waits.
        fcntl_setfl(&fd, fcntl_getfl(&fd)? - OFlags::NONBLOCK)?;
        Ok(fd)
    }

    /// One line each: identifier, unit, priority of lines without their own, whether lines may have their own, whether they
    /// go to syslog, to the kernel's log, and to the console.
    fn beginning(&self, exec: &ExecContext, stream: &StdStream) -> String {
        let program = self.program.rsplit('/').next().unwrap_or_default();
        let identifier = exec.syslog_identifier.as_deref().unwrap_or(program);
        let identifier = identifier.replace(char::is_control, "_");
        let priority = u32::from(exec.syslog_facility) << 3 | u32::from(exec.syslog_level & 7);
        let kernel = matches!(stream, StdStream::Kmsg | StdStream::KmsgAndConsole);
        format!(
            "{identifier}\n{}\n{priority}\n{}\n0\n{}\n{}\n",
            self.unit,
            u8::from(exec.syslog_level_prefix),
            u8::from(kernel),
            u8::from(stream.is_on_console()),
        )
    }
}

/// `$JOURNAL_STREAM`: device and inode of standard error, or else of standard output, if that is a stream to the journal.
pub(super) fn stream_of(stdio: &[OwnedFd; 3], socket: &Path) -> Option<String> {
    let [_, stdout, stderr] = stdio;
    let found = [stderr, stdout].into_iter().find(|fd| leads_to(fd, socket))?;
    let about = fstat(found).ok()?;
    Some(format!("{}:{}", about.st_dev, about.st_ino))
}

fn leads_to(fd: impl AsFd, socket: &Path) -> bool {
    let peer = getpeername(fd).ok().flatten();
    let peer = peer.and_then(|peer| SocketAddrUnix::try_from(peer).ok());
    let path = peer.as_ref().and_then(|peer| peer.path());
    path.is_some_and(|path| path.to_str().ok().map(Path::new) == Some(socket))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn journal<'a>(socket: &'a Path, unit: &'a UnitName) -> Journal<'a> {
        Journal {
            socket,
            unit,
            program: "/usr/bin/program",
        }
    }

    #[test]
    fn a_stream_begins_with_what_the_journal_has_to_know() {
        let place = tempfile::tempdir().unwrap();
        let socket = place.path().join("stdout");
        let listener = UnixListener::bind(&socket).unwrap();
        let unit = UnitName::new("a.service").unwrap();
        let journal = journal(&socket, &unit);
        let own = ExecContext {
            syslog_identifier: Some("na\nme".to_owned()),
            syslog_facility: 16,
            syslog_level: 3,
            syslog_level_prefix: false,
            ..ExecContext::default()
        };
        for (exec, stream, expected) in [
            (
                &ExecContext::default(),
                StdStream::Log,
                "program\na.service\n30\n1\n0\n0\n0\nline\n",
            ),
            (
                &own,
                StdStream::KmsgAndConsole,
                "na_me\na.service\n131\n0\n0\n1\n1\nline\n",
            ),
        ] {
            let fd = journal.connect(exec, &stream).unwrap();
            assert!(!fcntl_getfl(&fd).unwrap().contains(OFlags::NONBLOCK));
            assert!(leads_to(&fd, &socket) && !leads_to(&fd, Path::new("/other")));
            write(&fd, b"line\n").unwrap();
            drop(fd);
            let mut found = String::new();
            listener.accept().unwrap().0.read_to_string(&mut found).unwrap();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn who_does_not_listen_and_who_does_not_accept_are_no_journal() {
        let place = tempfile::tempdir().unwrap();
        let socket = place.path().join("stdout");
        let unit = UnitName::new("a.service").unwrap();
        let journal = journal(&socket, &unit);
        let connect = || journal.connect(&ExecContext::default(), &StdStream::Log);
        assert_eq!(connect().unwrap_err(), Errno::NOENT);
        // A backlog of none takes one, and nobody ever takes it from there.
        let busy = socket_with(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )
        .unwrap();
        rustix::net::bind(&busy, &SocketAddrUnix::new(&socket).unwrap()).unwrap();
        assert_eq!(connect().unwrap_err(), Errno::CONNREFUSED);
        rustix::net::listen(&busy, 0).unwrap();
        let _taken = connect().unwrap();
        assert_eq!(connect().unwrap_err(), Errno::AGAIN);
    }
}
