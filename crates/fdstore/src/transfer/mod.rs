//! From this process to another one: the manifest and the descriptors over a unix socket (SCM_RIGHTS).
//!
//! ```text
//! sender                                    receiver
//!   hello, manifest           ──────────▶   checks seal, version, checksum
//!   batch 0: 253 descriptors  ──────────▶
//!   batch 1: 253 descriptors  ──────────▶
//!                             ◀──────────   welcome, or why not
//!                                           checks each descriptor against its entry
//!                             ◀──────────   batch 0: which ones it refused, and why
//!   …
//!   end                       ──────────▶
//!                             ◀──────────   done
//! ```
//!
//! The socket is connected, of type SOCK_SEQPACKET, so that each packet is one message. In the manifest an entry's
//! `fd` is its position in the transfer.
//!
//! Nothing leaves the sender's store here: [`Outcome::accepted`] says what the other side has, and the caller decides.
//! At most [`WINDOW`] batches are on the way at a time, because the kernel counts descriptors in flight for each user
//! (unix(7), ETOOMANYREFS); when the limit is reached all the same, by others, the sender waits and tries again with
//! smaller batches. A receiver that has no free number for a descriptor (RLIMIT_NOFILE) refuses it, and the sender
//! still has it.
//!
//! Both sides are state machines that never wait: [`Sender::advance`] and [`Receiver::advance`] do a bounded amount of
//! work and say what to wait for. [`Sender::run`] and [`Receiver::run`] wait with poll(2), for programs that have
//! nothing else to do meanwhile.

mod drive;
mod receiver;
mod sender;
pub(crate) mod wire;

use std::io;
use std::time::Duration;

use crate::envelope::ManifestError;
use crate::store::EntryId;

pub use receiver::Receiver;
pub use sender::Sender;

/// Batches on the way at a time.
pub const WINDOW: usize = 4;
/// What the kernel takes in one message (SCM_MAX_FD).
const BATCH: usize = 253;
/// Messages handled by one call of `advance`.
const WORK: usize = 32;

/// Why a transfer ended early. What was accepted until then stays accepted.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The socket does not keep messages apart.
    #[error("a store is transferred over a unix socket of type SOCK_SEQPACKET; this is another")]
    SocketType,
    /// The other side closed the connection.
    #[error("the other side is gone before the transfer was over")]
    Gone,
    /// A message that is none, or out of turn.
    #[error("the other side does not keep to the protocol: {0}")]
    Protocol(String),
    /// The other side cannot use the manifest.
    #[error("the other side refuses the transfer: {0}")]
    Refused(String),
    /// This side cannot use the manifest.
    #[error("the manifest of the transfer: {0}")]
    Manifest(#[from] ManifestError),
    /// It took longer than the caller allows.
    #[error("the transfer did not end in time")]
    Deadline,
    /// The system refused.
    #[error("transferring a store: {0}")]
    Io(#[from] io::Error),
}

/// What came of a transfer, as the sender sees it. What is in neither list had not been decided when it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The other side has these.
    pub accepted: Vec<EntryId>,
    /// The other side does not have these, and why.
    pub refused: Vec<(EntryId, String)>,
}

/// How far a transfer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It is over.
    Done,
    /// It goes on when one of these happens.
    Pending(Interest),
}

/// What to wait for, beside that the socket can be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// The socket can be written.
    pub writable: bool,
    /// This much time has passed.
    pub retry_after: Option<Duration>,
}

#[cfg(test)]
mod tests;
