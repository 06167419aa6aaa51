//! Messages as packets.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketType, sendmsg, sockopt};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use softboot_sys::recv::recv_message;

use super::{BATCH, TransferError};

/// Version of the protocol.
pub(crate) const VERSION: u32 = 1;
/// The longest packet, in bytes: 253 refusals with their reasons fit.
const MAX_PACKET: usize = 64 * 1024;
/// The longest reason, in bytes.
const MAX_REASON: usize = 160;

/// One message. Unknown members are ignored, an unknown message is an error.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Message {
    /// With the manifest.
    Hello {
        version: u32,
    },
    Welcome {},
    /// With one descriptor for each position.
    Batch {
        number: u64,
        positions: Vec<u32>,
    },
    /// What of a batch was not accepted.
    Ack {
        number: u64,
        refused: Vec<(u32, String)>,
    },
    End {},
    Done {},
    Refused {
        reason: String,
    },
}

/// Cuts a reason to a length that always fits.
pub(crate) fn short(reason: &str) -> String {
    match reason.char_indices().find(|(at, _)| *at >= MAX_REASON) {
        Some((end, _)) => format!("{}…", reason.get(..end).unwrap_or_default()),
        None => reason.to_owned(),
    }
}

/// A connected socket, made non-blocking.
#[derive(Debug)]
pub(crate) struct Line {
    socket: OwnedFd,
    /// Where a message is received; allocated once.
    buffer: Vec<u8>,
}

impl Line {
    pub(crate) fn new(socket: OwnedFd) -> Result<Line, TransferError> {
        if sockopt::socket_type(&socket) != Ok(SocketType::SEQPACKET) {
            return Err(TransferError::SocketType);
        }
        rustix::io::ioctl_fionbio(&socket, true).map_err(std::io::Error::from)?;
        Ok(Line {
            socket,
            buffer: vec![0; MAX_PACKET],
        })
    }

    /// Sends one message; an error of the system is the caller's to judge.
    pub(crate) fn send(&self, message: &impl Serialize, fds: &[BorrowedFd<'_>]) -> Result<(), Errno> {
        let bytes = serde_json::to_vec(message).map_err(|_| Errno::INVAL)?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
        loop {
            let mut ancillary = SendAncillaryBuffer::new(&mut space);
            if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
                return Err(Errno::INVAL);
            }
            let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
            match sendmsg(&self.socket, &[IoSlice::new(&bytes)], &mut ancillary, flags) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The next message with its descriptors; `None` when there is none now.
    pub(crate) fn receive<M: DeserializeOwned>(
        &mut self,
    ) -> Result<Option<(M, Vec<OwnedFd>)>, TransferError> {
        let received = loop {
            match recv_message(&self.socket, &mut self.buffer) {
                Ok(received) => break received,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::CONNRESET) => return Err(TransferError::Gone),
                Err(error) => return Err(TransferError::Io(error.into())),
            }
        };
        if received.len == 0 {
            return Err(TransferError::Gone);
        }
        if received.truncated {
            return Err(TransferError::Protocol(format!(
                "a message is longer than {MAX_PACKET} bytes"
            )));
        }
        let text = self.buffer.get(..received.len).unwrap_or_default();
        let message = serde_json::from_slice(text)
            .map_err(|error| TransferError::Protocol(format!("a message cannot be decoded: {error}")))?;
        Ok(Some((message, received.fds)))
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// What an error of sending means.
pub(crate) fn sending(error: Errno) -> TransferError {
    match error {
        Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN => TransferError::Gone,
        other => TransferError::Io(other.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_answer_fits_into_a_packet() {
        let reason = short(&"ä\u{1}".repeat(MAX_REASON));
        let refused = (0..BATCH).map(|at| (u32::MAX - u32::try_from(at).unwrap(), reason.clone()));
        let number = u64::MAX;
        let ack = Message::Ack {
            number,
            refused: refused.collect(),
        };
        // Control characters are escaped to six bytes; no reason of ours has any.
        let plain = short(&"x".repeat(1000));
        let refused = (0..BATCH).map(|_| (u32::MAX, plain.clone())).collect();
        let usual = Message::Ack { number, refused };
        assert!(serde_json::to_vec(&usual).unwrap().len() < MAX_PACKET);
        assert!(serde_json::to_vec(&ack).unwrap().len() > MAX_PACKET / 2);
        let positions = vec![u32::MAX; BATCH];
        let batch = Message::Batch { number, positions };
        assert!(serde_json::to_vec(&batch).unwrap().len() < MAX_PACKET);
    }

    #[test]
    fn messages_are_what_docs_say() {
        let text = serde_json::to_string(&Message::Batch {
            number: 3,
            positions: vec![0, 1],
        });
        assert_eq!(text.unwrap(), r#"{"batch":{"number":3,"positions":[0,1]}}"#);
        let done: Message = serde_json::from_str(r#"{"done":{"later":1}}"#).unwrap();
        assert_eq!(done, Message::Done {});
    }
}
