//! The service: answers a line with the same line, one client after the other, and ends between two clients.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use fdstore::listen::ListenFds;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::AddressFamily;
use signal_hook::consts::SIGTERM;

use crate::error::{Context as _, Error};

/// A client that says nothing for so long is none.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves the socket that was passed.
///
/// # Errors
/// [`Error::Check`] if none was passed; [`Error::Io`] if it cannot be served.
pub fn serve() -> Result<(), Error> {
    let ended = catch_sigterm()?;
    let passed = ListenFds::from_env().map_err(|error| Error::Check(error.to_string()))?;
    let (_, listener) = passed
        .into_iter()
        .next()
        .ok_or_else(|| Error::Check("no socket was passed".to_owned()))?;
    serve_until(listener, &ended)
}

/// Serves the socket that is its standard input: what passes it need not follow any protocol.
///
/// # Errors
/// [`Error::Io`] if it cannot be served.
pub fn serve_stdin() -> Result<(), Error> {
    let ended = catch_sigterm()?;
    let listener = std::io::stdin().as_fd().try_clone_to_owned();
    serve_until(listener.doing("taking the socket")?, &ended)
}

fn catch_sigterm() -> Result<UnixStream, Error> {
    let (ended, end) = UnixStream::pair().doing("making a socket pair for SIGTERM")?;
    signal_hook::low_level::pipe::register(SIGTERM, end).doing("catching SIGTERM")?;
    Ok(ended)
}

fn serve_until(listener: OwnedFd, ended: &UnixStream) -> Result<(), Error> {
    let listener = Listener::new(listener)?;
    loop {
        let (socket, signal) = (listener.as_fd(), ended.as_fd());
        let mut fds = [
            PollFd::new(&signal, PollFlags::IN),
            PollFd::new(&socket, PollFlags::IN),
        ];
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).doing("waiting for clients"),
        }
        if fds.first().is_some_and(|fd| !fd.revents().is_empty()) {
            return Ok(());
        }
        // Whoever was here first may have taken the client.
        if fds.get(1).is_some_and(|fd| !fd.revents().is_empty()) {
            listener.serve_one();
        }
    }
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    fn new(fd: OwnedFd) -> Result<Listener, Error> {
        let name = rustix::net::getsockname(&fd).doing("asking for the socket's address")?;
        let listener = if name.address_family() == AddressFamily::UNIX {
            Listener::Unix(fd.into())
        } else {
            Listener::Tcp(fd.into())
        };
        match &listener {
            Listener::Tcp(socket) => socket.set_nonblocking(true),
            Listener::Unix(socket) => socket.set_nonblocking(true),
        }
        .doing("setting O_NONBLOCK")?;
        Ok(listener)
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Listener::Tcp(socket) => socket.as_fd(),
            Listener::Unix(socket) => socket.as_fd(),
        }
    }

    fn serve_one(&self) {
        match self {
            Listener::Tcp(socket) => {
                let Ok((stream, _)) = socket.accept() else { return };
                let _ = stream.set_nonblocking(false);
                let _ = stream.set_read_timeout(Some(PATIENCE));
                let _ = stream.set_nodelay(true);
                answer(&stream, &stream);
            }
            Listener::Unix(socket) => {
                let Ok((stream, _)) = socket.accept() else { return };
                let _ = stream.set_nonblocking(false);
                let _ = stream.set_read_timeout(Some(PATIENCE));
                answer(&stream, &stream);
            }
        }
    }
}

/// What goes wrong here the client sees, and counts.
pub(super) fn answer(from: impl Read, mut to: impl Write) {
    let mut line = String::new();
    if BufReader::new(from).read_line(&mut line).is_ok() {
        let _ = to.write_all(line.as_bytes());
    }
}
