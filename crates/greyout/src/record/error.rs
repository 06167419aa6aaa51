//! Why a file is no record.

use super::VERSION;

/// Why a file cannot be read at all. One that merely ends early can: see [`Tail`](super::Tail).
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Another kind of file.
    #[error("this is no record of softboot-probe: it begins with {begins}")]
    Magic {
        /// Its first bytes, for people.
        begins: String,
    },
    /// A version that this program does not know.
    #[error(
        "the record has version {version}, and this program reads versions up to {VERSION}: use a newer softboot-greyout"
    )]
    Version {
        /// The file's.
        version: u16,
    },
    /// The end comes before the first record could.
    #[error(
        "the record ends inside its header, after {length} bytes: the probe was stopped before its first attempt"
    )]
    NoHeader {
        /// Of the file.
        length: usize,
    },
    /// The header is not what its checksum says, or no header.
    #[error("the record's header is damaged: {reason}")]
    Header {
        /// What is wrong.
        reason: String,
    },
    /// The file could not be read or written.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}
