//! The manager's side: a socket that says who sent what.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, socket_with, sockopt};
use softboot_sys::recv::{Credentials, pass_credentials, pass_pidfd, recv_message};

use super::message::{MAX_MESSAGE, Message, MessageError};

/// Room for many messages while the manager is busy or being replaced.
const RECEIVE_BUFFER: usize = 8 << 20;

/// A message with its sender. What nobody takes out of `fds` is closed when it is dropped.
#[derive(Debug)]
pub struct Datagram {
    /// What it says.
    pub message: Message,
    /// Who sent it, as the kernel says.
    pub credentials: Credentials,
    /// The sender's pidfd, where the kernel gives one (6.5).
    pub pidfd: Option<OwnedFd>,
    /// The descriptors that came with it.
    pub fds: Vec<OwnedFd>,
}

/// A datagram that is thrown away, with what came with it: to close that may block (see [`crate::Closer`]).
#[derive(Debug)]
pub struct Rejected {
    /// Why.
    pub reason: Reason,
    /// Its descriptors.
    pub fds: Vec<OwnedFd>,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl std::error::Error for Rejected {}

/// Why a datagram is thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Its text is no message.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// Nobody can say who sent it.
    #[error("it came without credentials")]
    NoCredentials,
    /// Descriptors were lost on the way.
    #[error("not all of its descriptors could be received")]
    ControlTruncated,
}

/// The socket. Non-blocking; wait for it with poll or epoll.
#[derive(Debug)]
pub struct Receiver {
    socket: OwnedFd,
}

impl Receiver {
    /// Binds a datagram socket at `path` with these permission bits; a node that is there already is replaced.
    pub fn bind(path: &Path, mode: u32) -> io::Result<Receiver> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        match rustix::fs::unlink(path) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
        let old = rustix::process::umask(Mode::from_raw_mode(!mode & 0o777));
        let bound = bind(&socket, &SocketAddrUnix::new(path)?);
        rustix::process::umask(old);
        bound?;
        // More room is a favour of the kernel, not a need.
        let _ = sockopt::set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER)
            .or_else(|_| sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER));
        pass_credentials(socket.as_fd())?;
        // Older kernels have no SCM_PIDFD; the credentials' number has to do.
        let _ = pass_pidfd(socket.as_fd());
        Ok(Receiver { socket })
    }

    /// A socket that was bound before, by this program or the one before it.
    pub fn from_fd(socket: OwnedFd) -> Receiver {
        Receiver { socket }
    }

    /// The next datagram; `None` when there is none now.
    pub fn recv(&mut self) -> io::Result<Option<Result<Datagram, Rejected>>> {
        // One more than allowed, so that a longer message is seen to be longer.
        let mut buffer = [0_u8; MAX_MESSAGE + 1];
        let received = match recv_message(&self.socket, &mut buffer) {
            Ok(received) => received,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let text = buffer.get(..received.len).unwrap_or(&[]);
        let read = match received.credentials {
            _ if received.control_truncated => Err(Reason::ControlTruncated),
            None => Err(Reason::NoCredentials),
            Some(_) if received.truncated => Err(MessageError::TooLong.into()),
            Some(credentials) => Message::parse(text)
                .map(|message| (message, credentials))
                .map_err(Reason::from),
        };
        let fds = received.fds;
        Ok(Some(match read {
            Ok((message, credentials)) => Ok(Datagram {
                message,
                credentials,
                pidfd: received.pidfd,
                fds,
            }),
            Err(reason) => Err(Rejected { reason, fds }),
        }))
    }
}

impl AsFd for Receiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
