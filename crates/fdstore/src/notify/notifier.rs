//! The service's side: telling a manager.

use std::ffi::OsString;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags,
    SocketType, sendmsg_addr, socket_with,
};
use rustix::pipe::{PipeFlags, pipe_with};

use super::message::{MAX_MESSAGE, Message};
use crate::name::FdName;

/// What the kernel takes in one message.
const MAX_FDS: usize = 253;

/// Why the manager was not told.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// `$NOTIFY_SOCKET` is neither an absolute path nor `@name`.
    #[error("NOTIFY_SOCKET={0:?} is neither an absolute path nor an abstract name (@…)")]
    Address(OsString),
    /// More than fits into one message.
    #[error("a message of {0} bytes is longer than a manager reads ({MAX_MESSAGE})")]
    TooLong(usize),
    /// More than fit into one message.
    #[error("{0} descriptors are more than one message holds ({MAX_FDS})")]
    TooManyFds(usize),
    /// The manager did not get as far as the barrier in time.
    #[error("the manager has not read everything in {0:?}")]
    BarrierTimeout(Duration),
    /// The system refused.
    #[error("telling the manager: {0}")]
    Io(#[from] Errno),
}

/// A connection to the manager that `$NOTIFY_SOCKET` names.
#[derive(Debug)]
pub struct Notifier {
    socket: OwnedFd,
    address: SocketAddrUnix,
}

impl Notifier {
    /// The manager of this process; `None` when there is none.
    pub fn from_env() -> Result<Option<Notifier>, NotifyError> {
        match std::env::var_os("NOTIFY_SOCKET").filter(|value| !value.is_empty()) {
            Some(address) => Notifier::connect(address).map(Some),
            None => Ok(None),
        }
    }

    /// The manager at this address: an absolute path, or `@name`.
    pub fn connect(address: OsString) -> Result<Notifier, NotifyError> {
        let bytes = address.as_bytes();
        let address = match bytes.split_first() {
            Some((b'@', name)) => SocketAddrUnix::new_abstract_name(name)?,
            Some((b'/', _)) => SocketAddrUnix::new(bytes)?,
            _ => return Err(NotifyError::Address(address)),
        };
        let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        Ok(Notifier { socket, address })
    }

    /// Sends a message with descriptors. They are duplicated: the caller keeps its own.
    pub fn send(&self, message: &Message, fds: &[BorrowedFd<'_>]) -> Result<(), NotifyError> {
        let bytes = message.to_bytes();
        if bytes.len() > MAX_MESSAGE {
            return Err(NotifyError::TooLong(bytes.len()));
        }
        if fds.len() > MAX_FDS {
            return Err(NotifyError::TooManyFds(fds.len()));
        }
        let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
            return Err(NotifyError::TooManyFds(fds.len()));
        }
        let parts = [IoSlice::new(&bytes)];
        loop {
            match sendmsg_addr(
                &self.socket,
                &self.address,
                &parts,
                &mut ancillary,
                SendFlags::NOSIGNAL,
            ) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// `READY=1`: started, or reloaded.
    pub fn ready(&self) -> Result<(), NotifyError> {
        self.send(&Message::new().with("READY", "1"), &[])
    }

    /// `STOPPING=1`: on the way down.
    pub fn stopping(&self) -> Result<(), NotifyError> {
        self.send(&Message::new().with("STOPPING", "1"), &[])
    }

    /// `STATUS=`: a line for people.
    pub fn status(&self, text: &str) -> Result<(), NotifyError> {
        self.send(&Message::new().with("STATUS", text), &[])
    }

    /// `WATCHDOG=1`: still alive.
    pub fn watchdog(&self) -> Result<(), NotifyError> {
        self.send(&Message::new().with("WATCHDOG", "1"), &[])
    }

    /// `FDSTORE=1`: keep a duplicate of this descriptor. The manager lets go of it when it hangs up.
    pub fn store_fd(&self, name: &FdName, fd: BorrowedFd<'_>) -> Result<(), NotifyError> {
        self.send(
            &Message::new().with("FDSTORE", "1").with("FDNAME", name.as_str()),
            &[fd],
        )
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
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        self.send(&Message::new().with("BARRIER", "1"), &[writer.as_fd()])?;
        drop(writer);
        let mut fds = [PollFd::new(&reader, PollFlags::empty())];
        let limit_spec = Timespec::try_from(limit).ok();
        match poll(&mut fds, limit_spec.as_ref())? {
            0 => Err(NotifyError::BarrierTimeout(limit)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Receiver, Rejected};
    use super::*;

    fn pair() -> (tempfile::TempDir, Receiver, Notifier) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let receiver = Receiver::bind(&path, 0o600).unwrap();
        (
            directory,
            receiver,
            Notifier::connect(path.into_os_string()).unwrap(),
        )
    }

    #[test]
    fn a_message_arrives_with_its_descriptors_and_its_sender() {
        let (_dir, mut receiver, notifier) = pair();
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        notifier
            .store_fd(&FdName::new("x").unwrap(), file.as_fd())
            .unwrap();
        let datagram = receiver.recv().unwrap().unwrap().unwrap();
        assert!(datagram.message.fd_store());
        assert_eq!(datagram.message.fd_name().unwrap().unwrap().as_str(), "x");
        assert_eq!(datagram.fds.len(), 1);
        assert_eq!(datagram.credentials.uid, rustix::process::getuid().as_raw());
        assert!(receiver.recv().unwrap().is_none());
    }

    #[test]
    fn a_barrier_ends_when_its_descriptor_is_closed() {
        let (_dir, mut receiver, notifier) = pair();
        let waiting = std::thread::spawn(move || notifier.barrier(Duration::from_secs(20)));
        loop {
            if let Some(datagram) = receiver.recv().unwrap() {
                assert!(datagram.unwrap().message.is_barrier());
                break;
            }
        }
        waiting.join().unwrap().unwrap();
    }

    #[test]
    fn a_barrier_that_nobody_reads_runs_out() {
        let (_dir, _receiver, notifier) = pair();
        assert!(matches!(
            notifier.barrier(Duration::from_millis(1)),
            Err(NotifyError::BarrierTimeout(_))
        ));
    }

    #[test]
    fn a_message_that_is_too_long_is_rejected_on_both_sides() {
        let (_dir, mut receiver, notifier) = pair();
        let long = Message::new().with("STATUS", &"x".repeat(MAX_MESSAGE));
        assert!(matches!(notifier.send(&long, &[]), Err(NotifyError::TooLong(_))));
        let bytes = long.to_bytes();
        rustix::net::sendto(&notifier.socket, &bytes, SendFlags::empty(), &notifier.address).unwrap();
        let rejected = receiver.recv().unwrap().unwrap().unwrap_err();
        assert!(matches!(rejected, Rejected::Message(_)));
    }

    #[test]
    fn an_address_that_cannot_be_is_refused() {
        assert!(matches!(
            Notifier::connect("relative".into()),
            Err(NotifyError::Address(_))
        ));
    }
}
