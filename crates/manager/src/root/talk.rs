//! What PID 1 and its helpers say to each other: a JSON object a message, with descriptors beside it.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, sendmsg,
    socketpair,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use softboot_sys::recv::recv_message;

/// A longer message is none.
const MAX: usize = 1 << 17;

/// Both ends, closed on exec.
pub(super) fn pair() -> Result<(OwnedFd, OwnedFd), String> {
    socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .map_err(|error| format!("a socket to a helper: {error}"))
}

/// Sends without waiting: a socket that nobody reads has room for one message.
pub(super) fn send(
    socket: impl AsFd,
    message: &impl Serialize,
    fds: &[BorrowedFd<'_>],
) -> Result<(), String> {
    let bytes = serde_json::to_vec(message).map_err(|error| error.to_string())?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err("too many descriptors for one message".to_owned());
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    sendmsg(socket, &[IoSlice::new(&bytes)], &mut control, flags)
        .map(drop)
        .map_err(|error| format!("telling a helper: {error}"))
}

/// One message, with its descriptors.
pub(super) struct Message<T> {
    pub(super) body: T,
    pub(super) fds: Vec<OwnedFd>,
}

/// A message that is there; `None` when there is none yet. A closed socket is an error.
pub(super) fn receive<T: DeserializeOwned>(socket: impl AsFd) -> Result<Option<Message<T>>, String> {
    let mut buffer = vec![0; MAX];
    let received = match recv_message(socket, &mut buffer) {
        Ok(received) => received,
        Err(Errno::AGAIN | Errno::INTR) => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    if received.len == 0 {
        return Err("it ended without a word".to_owned());
    }
    let body = serde_json::from_slice(buffer.get(..received.len).unwrap_or(&[]))
        .map_err(|error| format!("a message that cannot be read: {error}"))?;
    Ok(Some(Message {
        body,
        fds: received.fds,
    }))
}

/// Waits until there is a message or the other side is gone. For helpers: PID 1 never waits.
pub(super) fn wait(socket: impl AsFd) {
    let mut fds = [PollFd::new(&socket, PollFlags::IN)];
    while poll(&mut fds, None) == Err(Errno::INTR) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_with_their_descriptors_and_the_end_is_an_error() {
        let (one, other) = pair().unwrap();
        assert!(receive::<String>(&other).unwrap().is_none());
        let null = std::fs::File::open("/dev/null").unwrap();
        send(&one, &"hello", &[null.as_fd()]).unwrap();
        wait(&other);
        let message = receive::<String>(&other).unwrap().unwrap();
        assert_eq!((message.body.as_str(), message.fds.len()), ("hello", 1));
        drop(one);
        assert!(receive::<String>(&other).is_err());
    }
}
