//! One connection: bytes in, the same bytes out.

use std::os::fd::OwnedFd;

use rustix::event::PollFlags;
use rustix::io::{Errno, read};
use rustix::net::{SendFlags, send};

use crate::state::Progress;

/// No more is read while this much waits to be sent.
const MOST_PENDING: usize = 64 * 1024;

/// An open connection, non-blocking.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) fd: OwnedFd,
    pub(crate) progress: Progress,
}

/// Whether a connection goes on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Continue,
    Close,
}

impl Connection {
    /// What to wait for.
    pub(crate) fn interest(&self) -> PollFlags {
        let mut flags = PollFlags::empty();
        if !self.progress.ended && self.progress.pending.len() < MOST_PENDING {
            flags |= PollFlags::IN;
        }
        if !self.progress.pending.is_empty() {
            flags |= PollFlags::OUT;
        }
        flags
    }

    /// Reads what there is and sends back what can be sent.
    pub(crate) fn step(&mut self) -> Next {
        if !self.progress.ended && self.progress.pending.len() < MOST_PENDING {
            let mut buffer = [0; 16 * 1024];
            match read(&self.fd, &mut buffer) {
                Ok(0) => self.progress.ended = true,
                Ok(length) => {
                    self.progress.received += length as u64;
                    self.progress
                        .pending
                        .extend_from_slice(buffer.get(..length).unwrap_or_default());
                }
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(_) => return Next::Close,
            }
        }
        if !self.progress.pending.is_empty() {
            match send(
                &self.fd,
                &self.progress.pending,
                SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
            ) {
                Ok(length) => {
                    self.progress.sent += length as u64;
                    self.progress
                        .pending
                        .drain(..length.min(self.progress.pending.len()));
                }
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(_) => return Next::Close,
            }
        }
        if self.progress.ended && self.progress.pending.is_empty() {
            Next::Close
        } else {
            Next::Continue
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    fn pair() -> (Connection, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (
            Connection {
                fd: ours.into(),
                progress: Progress::default(),
            },
            theirs,
        )
    }

    #[test]
    fn echoes_and_counts() {
        let (mut connection, mut client) = pair();
        client.write_all(b"abc").unwrap();
        assert_eq!(connection.step(), Next::Continue);
        let mut reply = [0; 3];
        client.read_exact(&mut reply).unwrap();
        assert_eq!(
            (&reply, connection.progress.received, connection.progress.sent),
            (b"abc", 3, 3)
        );
    }

    #[test]
    fn bytes_that_a_predecessor_had_read_go_out_first() {
        let (mut connection, mut client) = pair();
        connection.progress.pending = b"ab".to_vec();
        client.write_all(b"c").unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(connection.step(), Next::Continue);
        assert_eq!(connection.step(), Next::Close);
        drop(connection);
        let mut reply = String::new();
        client.read_to_string(&mut reply).unwrap();
        assert_eq!(reply, "abc");
    }
}
