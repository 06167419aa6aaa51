//! What the frames say: JSON for messages, a nine-byte head and the bytes for input and output.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of this protocol that [`FromGuest::Hello`] carries. Raised when an old agent would
/// misunderstand a new host.
pub const PROTOCOL: u32 = 1;

/// Names one command within a session; the host chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommandId(pub u64);

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExitStatus {
    /// It returned this status, 0 to 255.
    Exited(u8),
    /// This signal ended it.
    Signaled(i32),
}

impl ExitStatus {
    /// The status as a shell would show it: 128 plus the number for a signal.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Exited(code) => code,
            Self::Signaled(signal) => u8::try_from(signal).unwrap_or(127).saturating_add(128),
        }
    }

    /// Whether it returned 0.
    #[must_use]
    pub fn is_success(self) -> bool {
        self == Self::Exited(0)
    }
}

/// Messages from the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum FromGuest {
    /// The first message of a session.
    Hello {
        /// See [`PROTOCOL`].
        protocol: u32,
        /// The guest kernel's release, as `uname -r` prints it.
        kernel: String,
        /// `/proc/sys/kernel/random/boot_id`: the same after a soft-reboot, another after a reboot.
        boot_id: String,
        /// The device that carries this session, for example `/dev/vport0p1`.
        transport: String,
        /// The agent's PID: unchanged after a soft-reboot if the agent survived it.
        pid: u32,
    },
    /// The guest's manager has finished starting its default target; sent again after each soft-reboot.
    Ready,
    /// A command ended; all its output was sent before.
    Exit {
        /// Which.
        id: CommandId,
        /// How.
        status: ExitStatus,
    },
    /// A command could not be started.
    Refused {
        /// Which.
        id: CommandId,
        /// Why, for a person.
        reason: String,
        /// The status a shell would return: 127 not found, 126 found but not runnable.
        code: u8,
    },
    /// A program in the guest sent this over the events socket.
    Event {
        /// The JSON it sent; a text that was not JSON comes as a JSON string.
        value: serde_json::Value,
    },
}

/// Messages from the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum FromHost {
    /// Start a command.
    Run {
        /// Names it from now on.
        id: CommandId,
        /// Program and arguments. The program is searched in the guest's PATH.
        argv: Vec<String>,
        /// Added to the agent's environment.
        env: BTreeMap<String, String>,
        /// Whether [`Stream::Stdin`] bytes will follow; else stdin is /dev/null.
        stdin: bool,
    },
    /// Send a signal to a command's process group.
    Kill {
        /// Which.
        id: CommandId,
        /// The signal's number.
        signal: i32,
    },
    /// Power the machine off: by the manager if it answers, else directly.
    Shutdown,
}

/// One of the three standard streams of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// To the command; an empty chunk closes it.
    Stdin,
    /// From the command.
    Stdout,
    /// From the command.
    Stderr,
}

/// The longest piece of a stream that fits one frame, in bytes.
pub const MAX_CHUNK: usize = super::frame::MAX_PAYLOAD - 9;

/// A piece of a stream, the content of a raw frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Which command.
    pub id: CommandId,
    /// Which of its streams.
    pub stream: Stream,
    /// The bytes, at most [`MAX_CHUNK`].
    pub bytes: Vec<u8>,
}

impl Chunk {
    /// The payload of a raw frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(9 + self.bytes.len());
        out.extend_from_slice(&self.id.0.to_le_bytes());
        out.push(match self.stream {
            Stream::Stdin => 0,
            Stream::Stdout => 1,
            Stream::Stderr => 2,
        });
        out.extend_from_slice(&self.bytes);
        out
    }

    /// Reads the payload of a raw frame; `None` if it is too short or names no stream.
    #[must_use]
    pub fn decode(payload: &[u8]) -> Option<Self> {
        let (id, rest) = payload.split_first_chunk::<8>()?;
        let (stream, bytes) = rest.split_first()?;
        let stream = match stream {
            0 => Stream::Stdin,
            1 => Stream::Stdout,
            2 => Stream::Stderr,
            _ => return None,
        };
        Some(Self {
            id: CommandId(u64::from_le_bytes(*id)),
            stream,
            bytes: bytes.to_vec(),
        })
    }
}

/// Pieces of output in the order they came.
pub type ChunkQueue = std::collections::VecDeque<(Stream, Vec<u8>)>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_come_back() {
        for stream in [Stream::Stdin, Stream::Stdout, Stream::Stderr] {
            let chunk = Chunk {
                id: CommandId(77),
                stream,
                bytes: b"abc".to_vec(),
            };
            assert_eq!(Chunk::decode(&chunk.encode()), Some(chunk));
        }
        assert_eq!(Chunk::decode(&[0; 8]), None);
        assert_eq!(Chunk::decode(&[9; 9]), None);
    }

    #[test]
    fn messages_keep_their_form_on_the_line() {
        let text = r#"{"type":"exit","id":3,"status":{"exited":4}}"#;
        let message = FromGuest::Exit {
            id: CommandId(3),
            status: ExitStatus::Exited(4),
        };
        assert_eq!(serde_json::to_string(&message).unwrap(), text);
        assert_eq!(serde_json::from_str::<FromGuest>(text).unwrap(), message);
    }

    #[test]
    fn a_signal_shows_as_in_a_shell() {
        assert_eq!(ExitStatus::Signaled(9).code(), 137);
        assert_eq!(ExitStatus::Exited(3).code(), 3);
    }
}
