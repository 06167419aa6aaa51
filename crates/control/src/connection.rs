//! One client's buffers. No descriptor lives here, so that a connection can be serialised
//! half-way through a message and continued by the next manager.
use rustix::fd::BorrowedFd;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::VecDeque;

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
    /// A message is longer than [`MAX_INPUT`].
    #[error("reading a control call: message is longer than {MAX_INPUT} bytes")]
    TooLong,
    /// A frame is no Varlink call.
    #[error("decoding a control call: {0}")]
    Malformed(#[source] serde_json::Error),
    /// The client does not read its replies.
    #[error("queueing a control reply: client left more than {MAX_OUTPUT} bytes unread")]
    SlowReader,
    /// A reply was given with no call outstanding.
    #[error("queueing a control reply: no call is outstanding")]
    NoCall,
    /// A reply could not be encoded.
    #[error("encoding a control reply: {0}")]
    Encode(#[source] serde_json::Error),
    /// The socket failed.
    #[error("control socket: {0}")]
    Io(#[source] Errno),
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
}

impl Connection {
    /// An empty connection of `peer`.
    pub fn new(peer: Peer) -> Self {
        Self {
            peer,
            input: VecDeque::new(),
            output: VecDeque::new(),
            outstanding: None,
        }
    }
    /// Who is at the other end.
    pub fn peer(&self) -> Peer {
        self.peer
    }
    /// Reads at most [`IO_STEP`] bytes without blocking.
    pub fn read_from(&mut self, fd: BorrowedFd<'_>) -> Result<ReadOutcome, ConnectionError> {
        if self.input.len() > MAX_INPUT {
            return if self.input.contains(&0) {
                Ok(ReadOutcome::Progress)
            } else {
                Err(ConnectionError::TooLong)
            };
        }
        let mut chunk = vec![0u8; IO_STEP];
        match rustix::net::recv(fd, &mut chunk[..], rustix::net::RecvFlags::DONTWAIT) {
            Ok((0, _)) => Ok(ReadOutcome::Eof),
            Ok((n, _)) => {
                self.input.extend(chunk.iter().take(n));
                Ok(ReadOutcome::Progress)
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(ReadOutcome::WouldBlock),
            Err(e) => Err(ConnectionError::Io(e)),
        }
    }
    /// The next complete call; none while one is outstanding.
    pub fn next_call(&mut self) -> Result<Option<Call>, ConnectionError> {
        if self.outstanding.is_some() {
            return Ok(None);
        }
        let end = self.input.iter().position(|b| *b == 0);
        if end.unwrap_or(self.input.len()) > MAX_INPUT {
            return Err(ConnectionError::TooLong);
        }
        let Some(end) = end else { return Ok(None) };
        let frame: Vec<u8> = self.input.drain(..end).collect();
        self.input.pop_front();
        let call: Call = serde_json::from_slice(&frame).map_err(ConnectionError::Malformed)?;
        self.outstanding = Some(call.oneway);
        Ok(Some(call))
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
            if self.output.len() + bytes.len() + 1 > MAX_OUTPUT {
                return Err(ConnectionError::SlowReader);
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
        let (front, _) = self.output.as_slices();
        let part = front.get(..front.len().min(IO_STEP)).unwrap_or(front);
        if !part.is_empty() {
            let flags = rustix::net::SendFlags::DONTWAIT | rustix::net::SendFlags::NOSIGNAL;
            match rustix::net::send(fd, part, flags) {
                Ok(n) => drop(self.output.drain(..n)),
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
