//! The service's side: telling a manager.

use std::ffi::OsString;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, sendmsg,
    socket_with,
};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Pid;
use rustix::time::ClockId;
use softboot_sys::vsock::{self, VsockType};

use super::address::Address;
use super::message::{MAX_MESSAGE, Message};
use crate::name::FdName;

/// What the kernel takes in one message.
const MAX_FDS: usize = 253;

/// Why the manager was not told.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// `$NOTIFY_SOCKET` is none of the forms that there are.
    #[error("NOTIFY_SOCKET={0:?} is neither an absolute path nor an abstract name (@…) nor vsock:CID:PORT")]
    Address(OsString),
    /// More than fits into one message.
    #[error("a message of {0} bytes is longer than a manager reads ({MAX_MESSAGE})")]
    TooLong(usize),
    /// More than fit into one message.
    #[error("{0} descriptors are more than one message holds ({MAX_FDS})")]
    TooManyFds(usize),
    /// Descriptors cannot leave the machine.
    #[error("descriptors cannot be sent over vsock")]
    Vsock,
    /// There is no room in the manager's queue now.
    #[error("the manager's queue is full")]
    WouldBlock,
    /// The manager did not get as far as the barrier in time.
    #[error("the manager has not read everything in {0:?}")]
    BarrierTimeout(Duration),
    /// The system refused.
    #[error("telling the manager: {0}")]
    Io(#[from] Errno),
}

/// A connection to the manager that `$NOTIFY_SOCKET` names.
///
/// Calls wait while the manager's queue is full; [`Notifier::try_send`] does not, and with the descriptor
/// ([`AsFd`]) an event loop learns when there is room again. Over vsock each message has a connection of its own and
/// no descriptors.
#[derive(Debug)]
pub struct Notifier {
    /// Connected, so that poll(2) knows of the room in the manager's queue; for vsock only a place holder.
    socket: OwnedFd,
    address: Address,
}

impl Notifier {
    /// The manager of this process; `None` when there is none.
    pub fn from_env() -> Result<Option<Notifier>, NotifyError> {
        match std::env::var_os("NOTIFY_SOCKET").filter(|value| !value.is_empty()) {
            Some(address) => Notifier::connect(address).map(Some),
            None => Ok(None),
        }
    }

    /// The manager at this address: an absolute path, `@name`, or `vsock:CID:PORT` (also `vsock-stream:` and
    /// `vsock-seqpacket:`).
    pub fn connect(address: OsString) -> Result<Notifier, NotifyError> {
        let address = Address::parse(&address)?;
        let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        if let Address::Unix(unix) = &address {
            rustix::net::connect(&socket, unix)?;
        }
        Ok(Notifier { socket, address })
    }

    /// Sends a message with descriptors. They are duplicated: the caller keeps its own.
    pub fn send(&self, message: &Message, fds: &[BorrowedFd<'_>]) -> Result<(), NotifyError> {
        self.send_with(message, fds, SendFlags::NOSIGNAL)
    }

    /// As [`Notifier::send`], but [`NotifyError::WouldBlock`] instead of waiting. Over vsock it may wait for the
    /// connection.
    pub fn try_send(&self, message: &Message, fds: &[BorrowedFd<'_>]) -> Result<(), NotifyError> {
        self.send_with(message, fds, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)
    }

    fn send_with(
        &self,
        message: &Message,
        fds: &[BorrowedFd<'_>],
        flags: SendFlags,
    ) -> Result<(), NotifyError> {
        let bytes = message.to_bytes();
        if bytes.len() > MAX_MESSAGE {
            return Err(NotifyError::TooLong(bytes.len()));
        }
        if fds.len() > MAX_FDS {
            return Err(NotifyError::TooManyFds(fds.len()));
        }
        let unix = match &self.address {
            Address::Unix(unix) => unix,
            Address::Vsock { .. } if !fds.is_empty() => return Err(NotifyError::Vsock),
            Address::Vsock { cid, port, types } => return send_over_vsock(*cid, *port, types, &bytes),
        };
        let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
        let mut reconnected = false;
        loop {
            let mut ancillary = SendAncillaryBuffer::new(&mut space);
            if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
                return Err(NotifyError::TooManyFds(fds.len()));
            }
            match sendmsg(&self.socket, &[IoSlice::new(&bytes)], &mut ancillary, flags) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Err(NotifyError::WouldBlock),
                // A manager that started anew made its socket anew.
                Err(Errno::CONNREFUSED | Errno::NOTCONN | Errno::CONNRESET) if !reconnected => {
                    reconnected = true;
                    rustix::net::connect(&self.socket, unix)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// `READY=1`: started, or reloaded.
    pub fn ready(&self) -> Result<(), NotifyError> {
        self.tell("READY", "1")
    }

    /// `RELOADING=1` with the time it began: configuration is being read again, [`Notifier::ready`] follows.
    pub fn reloading(&self) -> Result<(), NotifyError> {
        let message = Message::new()
            .with("RELOADING", "1")
            .with("MONOTONIC_USEC", &monotonic_usec().to_string());
        self.send(&message, &[])
    }

    /// `STOPPING=1`: on the way down.
    pub fn stopping(&self) -> Result<(), NotifyError> {
        self.tell("STOPPING", "1")
    }

    /// `STATUS=`: a line for people.
    pub fn status(&self, text: &str) -> Result<(), NotifyError> {
        self.tell("STATUS", text)
    }

    /// `ERRNO=`: why it failed.
    pub fn errno(&self, errno: i32) -> Result<(), NotifyError> {
        self.tell("ERRNO", &errno.to_string())
    }

    /// `MAINPID=`: another process is the service's main one from now on.
    pub fn main_pid(&self, pid: Pid) -> Result<(), NotifyError> {
        self.tell("MAINPID", &pid.as_raw_nonzero().to_string())
    }

    /// `WATCHDOG=1`: still alive.
    pub fn watchdog(&self) -> Result<(), NotifyError> {
        self.tell("WATCHDOG", "1")
    }

    /// `EXTEND_TIMEOUT_USEC=`: the step that is under way may take that much longer from now.
    pub fn extend_timeout(&self, by: Duration) -> Result<(), NotifyError> {
        self.tell("EXTEND_TIMEOUT_USEC", &by.as_micros().to_string())
    }

    fn tell(&self, key: &str, value: &str) -> Result<(), NotifyError> {
        self.send(&Message::new().with(key, value), &[])
    }

    /// `FDSTORE=1`: keep a duplicate of this descriptor. The manager lets go of it when it hangs up.
    pub fn store_fd(&self, name: &FdName, fd: BorrowedFd<'_>) -> Result<(), NotifyError> {
        self.send(&store_message(name), &[fd])
    }

    /// `FDSTORE=1` with `FDPOLL=0`: keep duplicates of these, hung up or not. A manager keeps no order among those
    /// of one message (semantics 3.1), so each has its own.
    pub fn store_unpolled(&self, name: &FdName, fds: &[BorrowedFd<'_>]) -> Result<(), NotifyError> {
        let message = store_message(name).with("FDPOLL", "0");
        fds.iter().try_for_each(|fd| self.send(&message, &[*fd]))
    }

    /// `FDSTOREREMOVE=1`: let go of all descriptors with this name.
    pub fn remove_fd(&self, name: &FdName) -> Result<(), NotifyError> {
        self.send(
            &Message::new()
                .with("FDSTOREREMOVE", "1")
                .with("FDNAME", name.as_str()),
            &[],
        )
    }

    /// Waits until the manager has handled everything sent before (semantics 3.3).
    pub fn barrier(&self, limit: Duration) -> Result<(), NotifyError> {
        let reader = self.start_barrier()?;
        let mut fds = [PollFd::new(&reader, PollFlags::empty())];
        let limit_spec = Timespec::try_from(limit).ok();
        loop {
            match poll(&mut fds, limit_spec.as_ref()) {
                Ok(0) => return Err(NotifyError::BarrierTimeout(limit)),
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The barrier for an event loop: when the descriptor hangs up (POLLHUP), everything sent before is handled.
    pub fn start_barrier(&self) -> Result<OwnedFd, NotifyError> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        self.send(&Message::new().with("BARRIER", "1"), &[writer.as_fd()])?;
        Ok(reader)
    }
}

impl AsFd for Notifier {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn store_message(name: &FdName) -> Message {
    Message::new().with("FDSTORE", "1").with("FDNAME", name.as_str())
}

fn monotonic_usec() -> u64 {
    crate::clock::usec(ClockId::Monotonic)
}

fn send_over_vsock(cid: u32, port: u32, types: &[VsockType], bytes: &[u8]) -> Result<(), NotifyError> {
    let mut refused = Errno::PROTOTYPE;
    for kind in types {
        match vsock::connect(cid, port, *kind) {
            Ok(socket) => return write_all(&socket, bytes),
            Err(error) => refused = error,
        }
    }
    Err(refused.into())
}

fn write_all(socket: &OwnedFd, mut bytes: &[u8]) -> Result<(), NotifyError> {
    while !bytes.is_empty() {
        match rustix::net::send(socket, bytes, SendFlags::NOSIGNAL) {
            Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
