//! One client's buffers, for messages without descriptors. No descriptor lives here, so that a connection can be serialised half-way through a message
//! and continued by the next manager.
//!
//! Framing is Varlink's (semantics 8.4): one JSON object, then one NUL byte. Calls are answered in their order; the
//! next is not taken before the last is answered.

use std::collections::VecDeque;

use rustix::fd::BorrowedFd;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Longest message a client may send, in bytes, without its NUL.
pub const MAX_INPUT: usize = 1024 * 1024;
/// Most unsent reply bytes held for one client.
pub const MAX_OUTPUT: usize = 8 * 1024 * 1024;
/// Most bytes taken from a socket, or given to it, by one call.
pub const IO_STEP: usize = 64 * 1024;

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Process id when it connected.
    pub pid: i32,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// What one read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadOutcome {
    /// Bytes were added, or input is held back until earlier calls are taken.
    Progress,
    /// Nothing to read now.
    WouldBlock,
    /// The client closed its side.
    Eof,
}

/// Why a connection must be dropped.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// A message is longer than the connection's limit.
    #[error("reading a Varlink call: message is longer than {0} bytes")]
    TooLong(usize),
    /// Descriptors come and come, and no message is complete.
    #[error("reading a Varlink call: descriptors came with more than {0} pieces of unfinished messages")]
    TooManyPieces(usize),
    /// A frame is no Varlink call.
    #[error("decoding a Varlink call: {0}")]
    Malformed(#[source] serde_json::Error),
    /// The client does not read its replies.
    #[error("queueing a Varlink reply: client left more than {0} bytes unread")]
    SlowReader(usize),
    /// A reply was given with no call outstanding.
    #[error("queueing a Varlink reply: no call is outstanding")]
    NoCall,
    /// A reply could not be encoded.
    #[error("encoding a Varlink reply: {0}")]
    Encode(#[source] serde_json::Error),
    /// The socket failed.
    #[error("Varlink socket: {0}")]
    Io(#[source] Errno),
}

/// What one client may make the server hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Longest message it may send, in bytes, without its NUL.
    pub input: usize,
    /// Most unsent reply bytes held for it.
    pub output: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            input: MAX_INPUT,
            output: MAX_OUTPUT,
        }
    }
}

/// One call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Fully qualified method.
    pub method: String,
    /// Its parameters; null when absent.
    #[serde(default)]
    pub parameters: Value,
    /// The client accepts several replies.
    #[serde(default)]
    pub more: bool,
    /// The client wants no reply.
    #[serde(default)]
    pub oneway: bool,
}

/// One client's half-read input, unsent output and outstanding call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Connection {
    peer: Peer,
    input: VecDeque<u8>,
    output: VecDeque<u8>,
    /// `Some(oneway)` while a call is being answered.
    outstanding: Option<bool>,
    /// The client will send nothing more; it may still read.
    #[serde(default)]
    eof: bool,
    #[serde(default)]
    limits: Limits,
    /// So many bytes of the input have been searched for a NUL: one that sends byte by byte costs no more than one
    /// that sends all at once.
    #[serde(skip)]
    searched: usize,
}

impl Connection {
    /// An empty connection of `peer`, with [`MAX_INPUT`] and [`MAX_OUTPUT`].
    pub fn new(peer: Peer) -> Self {
        Self::with_limits(peer, Limits::default())
    }

    /// An empty connection of `peer` with other limits.
    pub fn with_limits(peer: Peer, limits: Limits) -> Self {
        Self {
            limits,
            peer,
            input: VecDeque::new(),
            output: VecDeque::new(),
            outstanding: None,
            searched: 0,
            eof: false,
        }
    }

    /// Who is at the other end.
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// Whether input is wanted now. While a call is outstanding only a little is read ahead, so that a client that
    /// sends without reading fills its own socket and not our memory.
    pub fn wants_read(&self) -> bool {
        !self.eof && (self.outstanding.is_none() || self.input.len() < IO_STEP)
    }

    /// Whether the client is done: it will send nothing more, and everything it asked for is answered and sent.
    pub fn is_finished(&self) -> bool {
        self.eof && self.output.is_empty() && self.outstanding.is_none()
    }

    /// Reads at most [`IO_STEP`] bytes without blocking.
    pub fn read_from(&mut self, fd: BorrowedFd<'_>) -> Result<ReadOutcome, ConnectionError> {
        self.check_room()?;
        let mut chunk = vec![0u8; IO_STEP];
        match rustix::net::recv(fd, &mut chunk[..], rustix::net::RecvFlags::DONTWAIT) {
            Ok((n, _)) => Ok(self.feed(chunk.get(..n).unwrap_or(&chunk))),
            Err(Errno::AGAIN | Errno::INTR) => Ok(ReadOutcome::WouldBlock),
            Err(e) => Err(ConnectionError::Io(e)),
        }
    }

    /// Refuses to read on when what is there is too long already.
    pub(crate) fn check_room(&self) -> Result<(), ConnectionError> {
        if self.input.len() > self.limits.input && !self.input.contains(&0) {
            return Err(ConnectionError::TooLong(self.limits.input));
        }
        Ok(())
    }

    /// Adds what was received; nothing means that the client closed its side.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> ReadOutcome {
        if bytes.is_empty() {
            self.eof = true;
            return ReadOutcome::Eof;
        }
        self.input.extend(bytes);
        ReadOutcome::Progress
    }

    /// How many received bytes are not taken yet.
    pub(crate) fn input_len(&self) -> usize {
        self.input.len()
    }

    /// Bytes in both directions that are neither answered nor sent.
    pub fn buffered(&self) -> usize {
        self.input.len().saturating_add(self.output.len())
    }

    /// How many bytes of replies are not sent yet.
    pub fn unsent(&self) -> usize {
        self.output.len()
    }

    /// The beginning of what is not sent, in one piece, at most `most` bytes.
    pub(crate) fn unsent_front(&self, most: usize) -> &[u8] {
        let (front, _) = self.output.as_slices();
        front.get(..front.len().min(most)).unwrap_or(front)
    }

    /// Forgets what was sent.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.output.drain(..bytes.min(self.output.len()));
    }

    /// Whether the client has said that it will send no more.
    pub fn is_eof(&self) -> bool {
        self.eof
    }

    /// Whether a call waits for its last reply.
    pub fn is_outstanding(&self) -> bool {
        self.outstanding.is_some()
    }

    /// The next complete call; none while one is outstanding.
    pub fn next_call(&mut self) -> Result<Option<Call>, ConnectionError> {
        if self.outstanding.is_some() {
            return Ok(None);
        }
        let start = self.searched.min(self.input.len());
        let end = self.input.range(start..).position(|byte| *byte == 0);
        let end = end.map(|position| start.saturating_add(position));
        if end.unwrap_or(self.input.len()) > self.limits.input {
            return Err(ConnectionError::TooLong(self.limits.input));
        }
        let Some(end) = end else {
            self.searched = self.input.len();
            return Ok(None);
        };
        self.searched = 0;
        let frame: Vec<u8> = self.input.drain(..end).collect();
        self.input.pop_front();
        let call: Call = serde_json::from_slice(&frame).map_err(ConnectionError::Malformed)?;
        self.outstanding = Some(call.oneway);
        Ok(Some(call))
    }

    /// Whether a complete call can be taken now.
    pub fn has_call(&self) -> bool {
        self.outstanding.is_none() && self.input.contains(&0)
    }

    /// Answers the outstanding call and ends it.
    pub fn reply(&mut self, parameters: &impl Serialize) -> Result<(), ConnectionError> {
        self.push(None, parameters, false)
    }

    /// Answers the outstanding call; more replies follow.
    pub fn reply_continues(&mut self, parameters: &impl Serialize) -> Result<(), ConnectionError> {
        self.push(None, parameters, true)
    }

    /// Ends the outstanding call with the error `name`.
    pub fn error(&mut self, name: &str, parameters: &impl Serialize) -> Result<(), ConnectionError> {
        self.push(Some(name), parameters, false)
    }

    fn push(
        &mut self,
        error: Option<&str>,
        parameters: &impl Serialize,
        continues: bool,
    ) -> Result<(), ConnectionError> {
        let oneway = self.outstanding.ok_or(ConnectionError::NoCall)?;
        if !oneway {
            let mut reply = serde_json::Map::new();
            if let Some(name) = error {
                reply.insert("error".into(), name.into());
            }
            reply.insert(
                "parameters".into(),
                serde_json::to_value(parameters).map_err(ConnectionError::Encode)?,
            );
            if continues {
                reply.insert("continues".into(), true.into());
            }
            let bytes = serde_json::to_vec(&reply).map_err(ConnectionError::Encode)?;
            if self.output.len() + bytes.len() + 1 > self.limits.output {
                return Err(ConnectionError::SlowReader(self.limits.output));
            }
            self.output.extend(bytes);
            self.output.push_back(0);
        }
        if !continues {
            self.outstanding = None;
        }
        Ok(())
    }

    /// Sends at most [`IO_STEP`] bytes without blocking; true when nothing is left.
    pub fn write_to(&mut self, fd: BorrowedFd<'_>) -> Result<bool, ConnectionError> {
        let part = self.unsent_front(IO_STEP);
        if !part.is_empty() {
            let flags = rustix::net::SendFlags::DONTWAIT | rustix::net::SendFlags::NOSIGNAL;
            match rustix::net::send(fd, part, flags) {
                Ok(n) => self.sent(n),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(e) => return Err(ConnectionError::Io(e)),
            }
        }
        Ok(self.output.is_empty())
    }

    /// Whether replies wait to be sent.
    pub fn wants_write(&self) -> bool {
        !self.output.is_empty()
    }

    /// Whether nothing is read, outstanding or unsent.
    pub fn is_idle(&self) -> bool {
        self.input.is_empty() && self.output.is_empty() && self.outstanding.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::{Read as _, Write as _};
    use std::os::fd::AsFd as _;
    use std::os::unix::net::UnixStream;

    const PEER: Peer = Peer {
        pid: 1,
        uid: 0,
        gid: 0,
    };

    fn pair() -> (UnixStream, UnixStream, Connection) {
        let (client, server) = UnixStream::pair().unwrap();
        (client, server, Connection::new(PEER))
    }

    fn ping(number: u32) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(&serde_json::json!({"method": format!("x.y.P{number}")})).unwrap();
        bytes.push(0);
        bytes
    }

    #[test]
    fn calls_are_taken_one_by_one_in_their_order() {
        let (mut client, server, mut connection) = pair();
        client.write_all(&[ping(1), ping(2)].concat()).unwrap();
        connection.read_from(server.as_fd()).unwrap();
        assert_eq!(connection.next_call().unwrap().unwrap().method, "x.y.P1");
        assert_eq!(connection.next_call().unwrap(), None);
        connection.reply(&serde_json::json!({"n": 1})).unwrap();
        assert_eq!(connection.next_call().unwrap().unwrap().method, "x.y.P2");
        assert!(connection.write_to(server.as_fd()).unwrap());
        let mut reply = vec![0; 64];
        let length = client.read(&mut reply).unwrap();
        assert_eq!(reply.get(..length), Some(&b"{\"parameters\":{\"n\":1}}\0"[..]));
    }

    #[test]
    fn half_a_message_crosses_a_handoff() {
        let (mut client, server, mut connection) = pair();
        let message = ping(7);
        let (first, second) = message.split_at(9);
        client.write_all(first).unwrap();
        connection.read_from(server.as_fd()).unwrap();
        assert_eq!(connection.next_call().unwrap(), None);
        let data = serde_json::to_string(&connection).unwrap();
        let mut connection: Connection = serde_json::from_str(&data).unwrap();
        client.write_all(second).unwrap();
        connection.read_from(server.as_fd()).unwrap();
        assert_eq!(connection.next_call().unwrap().unwrap().method, "x.y.P7");
    }

    #[test]
    fn a_oneway_call_gets_no_reply() {
        let (mut client, server, mut connection) = pair();
        client
            .write_all(b"{\"method\":\"a.b\",\"oneway\":true}\0")
            .unwrap();
        connection.read_from(server.as_fd()).unwrap();
        connection.next_call().unwrap().unwrap();
        connection.reply(&serde_json::json!({})).unwrap();
        assert!(!connection.wants_write());
        assert!(connection.is_idle());
    }

    #[test]
    fn a_client_that_does_not_read_is_given_up() {
        let (mut client, server, mut connection) = pair();
        client.write_all(&ping(1)).unwrap();
        connection.read_from(server.as_fd()).unwrap();
        connection.next_call().unwrap();
        let large = "x".repeat(MAX_OUTPUT / 4);
        let outcome = (0..5).find_map(|_| connection.reply_continues(&large).err());
        assert!(matches!(outcome, Some(ConnectionError::SlowReader(_))));
    }

    #[test]
    fn a_client_that_closed_its_side_still_gets_its_answer() {
        let (mut client, server, mut connection) = pair();
        client.write_all(&ping(1)).unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        connection.read_from(server.as_fd()).unwrap();
        assert_eq!(connection.read_from(server.as_fd()).unwrap(), ReadOutcome::Eof);
        connection.next_call().unwrap().unwrap();
        assert!(!connection.is_finished() && !connection.wants_read());
        connection.reply(&serde_json::json!({})).unwrap();
        connection.write_to(server.as_fd()).unwrap();
        assert!(connection.is_finished());
    }

    #[test]
    fn a_message_without_end_is_refused() {
        let (mut client, server, mut connection) = pair();
        let writer = std::thread::spawn(move || {
            // The server gives up and closes; then writing fails, which is what is wanted.
            let _ = client.write_all(&vec![b'x'; 2 * MAX_INPUT]);
        });
        let error = loop {
            match connection
                .read_from(server.as_fd())
                .and_then(|_| connection.next_call())
            {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert!(matches!(error, ConnectionError::TooLong(_)));
        drop(server);
        writer.join().unwrap();
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_in_any_pieces_give_a_call_or_an_error(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..10)) {
            let (mut client, server, mut connection) = pair();
            for piece in pieces {
                client.write_all(&piece).unwrap();
                if connection.read_from(server.as_fd()).is_err() || connection.next_call().is_err() {
                    return Ok(());
                }
                if connection.outstanding.is_some() {
                    connection.error("x.y.No", &serde_json::json!({})).unwrap();
                }
            }
        }

        #[test]
        fn calls_survive_any_split(cut in 0_usize..40) {
            let (mut client, server, mut connection) = pair();
            let bytes = [ping(1), ping(2)].concat();
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            let mut seen = Vec::new();
            for part in [first, second] {
                client.write_all(part).unwrap();
                if part.is_empty() {
                    continue;
                }
                connection.read_from(server.as_fd()).unwrap();
                while let Some(call) = connection.next_call().unwrap() {
                    seen.push(call.method);
                    connection.reply(&serde_json::json!({})).unwrap();
                }
            }
            prop_assert_eq!(seen, ["x.y.P1", "x.y.P2"]);
        }
    }
}
