//! A blocking client with descriptors, for tools and tests.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::SendFlags;
use serde::Serialize;
use serde_json::Value;
use softboot_sys::recv::recv_message;

use crate::arrivals::Arrivals;
use crate::connection::IO_STEP;
use crate::send::send_with;

/// The longest reply that is read, in bytes.
const MAX_REPLY: usize = 64 << 20;

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("cannot reach {}: {source}", path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(#[from] Errno),
    /// The server closed it.
    #[error("the server closed the connection without an answer")]
    Closed,
    /// The server's bytes are no reply.
    #[error("the server's answer cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
    /// The server's reply does not end.
    #[error("the server's answer is longer than {MAX_REPLY} bytes")]
    TooLong,
    /// Not all descriptors of a reply arrived.
    #[error("some descriptors of the answer were lost; is the limit of open files (ulimit -n) too low?")]
    Lost,
    /// The server said no.
    #[error("{name}: {parameters}")]
    Refused {
        /// The error's name.
        name: String,
        /// Its parameters.
        parameters: Value,
    },
}

/// One reply.
#[derive(Debug)]
pub struct Reply {
    /// Its parameters; an empty object when it has none.
    pub parameters: Value,
    /// More replies follow.
    pub continues: bool,
    /// The descriptors that came beside it.
    pub fds: Vec<OwnedFd>,
}

/// One connection.
#[derive(Debug)]
pub struct Client {
    socket: UnixStream,
    input: Vec<u8>,
    taken: u64,
    arrivals: Arrivals,
}

impl Client {
    /// Connects to the socket at `path`.
    pub fn connect(path: &Path) -> Result<Client, ClientError> {
        match UnixStream::connect(path) {
            Ok(socket) => Ok(Client::from_stream(socket)),
            Err(source) => Err(ClientError::Connect {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// Speaks over this connection.
    pub fn from_stream(socket: UnixStream) -> Client {
        Client {
            socket,
            input: Vec::new(),
            taken: 0,
            arrivals: Arrivals::default(),
        }
    }

    /// The connection, for those who want to speak by hand or to poll.
    pub fn stream(&self) -> &UnixStream {
        &self.socket
    }

    /// Makes a call and waits for its reply.
    pub fn call(
        &mut self,
        method: &str,
        parameters: &impl Serialize,
        fds: &[BorrowedFd<'_>],
    ) -> Result<Reply, ClientError> {
        self.send(method, parameters, false, fds)?;
        self.receive()
    }

    /// Sends a call; `more` asks for replies until the server ends. The descriptors are duplicated.
    pub fn send(
        &mut self,
        method: &str,
        parameters: &impl Serialize,
        more: bool,
        fds: &[BorrowedFd<'_>],
    ) -> Result<(), ClientError> {
        let mut call = serde_json::json!({ "method": method, "parameters": parameters });
        if let (true, Some(object)) = (more, call.as_object_mut()) {
            object.insert("more".to_owned(), Value::Bool(true));
        }
        let mut bytes = serde_json::to_vec(&call)?;
        bytes.push(0);
        let mut rest = bytes.as_slice();
        let mut fds = fds;
        while !rest.is_empty() {
            match send_with(self.socket.as_fd(), rest, fds, SendFlags::empty()) {
                Ok(sent) => {
                    rest = rest.get(sent..).unwrap_or(&[]);
                    fds = &[];
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Waits for the next reply.
    pub fn receive(&mut self) -> Result<Reply, ClientError> {
        let frame = self.frame()?;
        let end = u64::try_from(frame.len()).unwrap_or(u64::MAX).saturating_add(1);
        self.taken = self.taken.saturating_add(end);
        let beside = self.arrivals.take_before(self.taken);
        if beside.lost {
            return Err(ClientError::Lost);
        }
        let mut reply: Value = serde_json::from_slice(&frame)?;
        let parameters = match reply.get_mut("parameters").map(Value::take) {
            None | Some(Value::Null) => serde_json::json!({}),
            Some(parameters) => parameters,
        };
        if let Some(name) = reply.get("error").and_then(Value::as_str) {
            return Err(ClientError::Refused {
                name: name.to_owned(),
                parameters,
            });
        }
        Ok(Reply {
            parameters,
            continues: reply.get("continues").and_then(Value::as_bool).unwrap_or(false),
            fds: beside.fds,
        })
    }

    /// The next message without its NUL.
    fn frame(&mut self) -> Result<Vec<u8>, ClientError> {
        let mut searched = 0_usize;
        loop {
            let unseen = self.input.get(searched..).unwrap_or(&[]);
            if let Some(end) = unseen.iter().position(|byte| *byte == 0) {
                let end = searched.saturating_add(end);
                let frame = self.input.drain(..end).collect();
                self.input.drain(..1);
                return Ok(frame);
            }
            searched = self.input.len();
            if searched > MAX_REPLY {
                return Err(ClientError::TooLong);
            }
            self.fill()?;
        }
    }

    /// Waits for bytes and adds them.
    fn fill(&mut self) -> Result<(), ClientError> {
        let mut chunk = vec![0_u8; IO_STEP];
        let received = loop {
            match recv_message(&self.socket, &mut chunk) {
                Ok(received) => break received,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    let mut wait = [PollFd::new(&self.socket, PollFlags::IN)];
                    match poll(&mut wait, None) {
                        Ok(_) | Err(Errno::INTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Err(error) => return Err(error.into()),
            }
        };
        if received.len == 0 {
            return Err(ClientError::Closed);
        }
        self.input
            .extend_from_slice(chunk.get(..received.len).unwrap_or(&chunk));
        let end = u64::try_from(self.input.len()).unwrap_or(u64::MAX);
        let last = self.taken.saturating_add(end).saturating_sub(1);
        self.arrivals.push(last, received.fds, received.control_truncated);
        Ok(())
    }
}
