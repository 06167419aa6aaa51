//! The envelope of what crosses: a sealed memfd with magic, version, checksum and length.
//!
//! ```text
//! offset size
//!      0    8  magic
//!      8    4  format version, little-endian
//!     12    4  CRC-32 of the payload
//!     16    8  length of the payload in bytes
//!     24    n  payload
//! ```
//!
//! A manifest, state ([`crate::FdStore::put_state`]) and a manager's snapshot (crate `softboot-reexec`) differ in their
//! magic.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use crate::memfd::{MemfdError, empty, fill_and_seal, read_sealed};

/// Bytes before the payload.
pub(crate) const HEADER: usize = 24;

/// Why a manifest or another enveloped memfd was not read.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is not sealed, too large, or unreadable.
    #[error(transparent)]
    Memfd(#[from] MemfdError),
    /// Shorter than it says, or than a header.
    #[error("it is truncated: {have} of {want} bytes")]
    Truncated {
        /// Bytes there are.
        have: u64,
        /// Bytes there should be.
        want: u64,
    },
    /// Something else.
    #[error("it has no magic number of this kind")]
    Magic,
    /// Written by a version that this one does not know.
    #[error("its format is version {0}; this program reads up to {1}")]
    Version(u32, u32),
    /// Damaged.
    #[error("its checksum is wrong")]
    Checksum,
    /// Not the JSON that was expected.
    #[error("it cannot be decoded: {0}")]
    Json(#[from] serde_json::Error),
    /// The payload contradicts itself.
    #[error("it is not consistent: {0}")]
    Inconsistent(String),
}

/// Writes `payload` in an envelope into a sealed memfd.
pub fn write_enveloped(name: &str, magic: [u8; 8], format: u32, payload: &[u8]) -> io::Result<OwnedFd> {
    let fd = empty(name)?;
    fill_enveloped(&fd, magic, format, payload)?;
    Ok(fd)
}

/// The same into an empty memfd, for who needs the descriptor before its contents.
pub fn fill_enveloped(fd: impl AsFd, magic: [u8; 8], format: u32, payload: &[u8]) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(HEADER.saturating_add(payload.len()));
    bytes.extend_from_slice(&magic);
    bytes.extend_from_slice(&format.to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
    bytes.extend_from_slice(&u64::try_from(payload.len()).unwrap_or(u64::MAX).to_le_bytes());
    bytes.extend_from_slice(payload);
    fill_and_seal(fd, &bytes)
}

/// What stands before the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnvelopeHeader {
    /// Format version.
    pub format: u32,
    /// CRC-32 of the payload.
    pub checksum: u32,
    /// Length of the payload in bytes.
    pub length: u64,
}

impl EnvelopeHeader {
    /// Where the payload begins, in bytes.
    pub const SIZE: u64 = HEADER as u64;

    /// Of the file's first bytes.
    fn decode(bytes: &[u8; HEADER], magic: [u8; 8]) -> Result<EnvelopeHeader, ManifestError> {
        let [
            m0,
            m1,
            m2,
            m3,
            m4,
            m5,
            m6,
            m7,
            v0,
            v1,
            v2,
            v3,
            c0,
            c1,
            c2,
            c3,
            length @ ..,
        ] = *bytes;
        if [m0, m1, m2, m3, m4, m5, m6, m7] != magic {
            return Err(ManifestError::Magic);
        }
        Ok(EnvelopeHeader {
            format: u32::from_le_bytes([v0, v1, v2, v3]),
            checksum: u32::from_le_bytes([c0, c1, c2, c3]),
            length: u64::from_le_bytes(length),
        })
    }

    /// Of a file, whose payload is not looked at.
    pub fn peek(fd: impl AsFd, magic: [u8; 8]) -> Result<EnvelopeHeader, ManifestError> {
        let mut bytes = [0; HEADER];
        let read = rustix::io::pread(fd, &mut bytes, 0)
            .map_err(|error| ManifestError::Memfd(io::Error::from(error).into()))?;
        if read < HEADER {
            return Err(ManifestError::Truncated {
                have: u64::try_from(read).unwrap_or(0),
                want: EnvelopeHeader::SIZE,
            });
        }
        EnvelopeHeader::decode(&bytes, magic)
    }
}

/// Reads an envelope; the format version and the payload. Everything is checked before the payload is used.
pub fn read_enveloped(
    fd: impl AsFd,
    magic: [u8; 8],
    newest: u32,
    max: u64,
) -> Result<(u32, Vec<u8>), ManifestError> {
    let mut bytes = read_sealed(fd, max)?;
    let have = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let truncated = |want: u64| ManifestError::Truncated { have, want };
    let first = bytes
        .first_chunk::<HEADER>()
        .ok_or(truncated(EnvelopeHeader::SIZE))?;
    let header = EnvelopeHeader::decode(first, magic)?;
    if header.format == 0 || header.format > newest {
        return Err(ManifestError::Version(header.format, newest));
    }
    let want = header.length.saturating_add(EnvelopeHeader::SIZE);
    if have < want {
        return Err(truncated(want));
    }
    if have > want {
        return Err(ManifestError::Inconsistent(format!(
            "{} bytes follow the payload",
            have.saturating_sub(want)
        )));
    }
    bytes.drain(..HEADER);
    if crc32fast::hash(&bytes) != header.checksum {
        return Err(ManifestError::Checksum);
    }
    Ok((header.format, bytes))
}
