//! The manifest: which descriptor is what, as JSON in an envelope ([`crate::read_enveloped`]).
//!
//! ```json
//! {"writer": "fdstore 0.1.0", "next_id": 4,
//!  "groups": [{"owner": "me", "name": "client", "kind": {"socket": {"domain": 2, "socket_type": 1, "listening": false}},
//!              "device": 8, "access": "read-write", "poll": true,
//!              "columns": ["id", "fd", "inode", "entered_usec", "cookie"],
//!              "rows": [[1, 9, 4711, 1700000000000000, 77], [3, 12, 4712, 1700000000000000, 81]]}]}
//! ```
//!
//! What a group says holds for each of its rows, and `columns` names what a row says; it does not matter which of the
//! two a member stands in. So a hundred thousand connections of one name cost five numbers each. Entries are in the
//! order of their ids.
//!
//! Unknown members, of the whole, of a group and in columns, are kept and written again, so that a store that passes
//! through an older program loses nothing.

mod decode;
mod encode;
mod loose;
mod shared;

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use serde_json::{Map, Value};

use crate::envelope::{ManifestError, read_enveloped, write_enveloped};
use crate::record::Record;

pub(crate) use encode::Numbered;
pub(crate) use loose::Malformed;

const MAGIC: [u8; 8] = *b"fdstore\0";
const FORMAT: u32 = 1;
/// More than a million entries; what is longer is not ours.
const MAX: u64 = 128 << 20;

/// The payload.
#[derive(Debug, Default)]
pub(crate) struct Manifest {
    pub(crate) writer: String,
    pub(crate) next_id: u64,
    pub(crate) entries: Vec<Record>,
    pub(crate) unknown: Map<String, Value>,
}

/// Writes a manifest into a sealed memfd. `entries` are in the order of their ids; `unknown` is passed on.
pub(crate) fn write(
    next_id: u64,
    entries: &[Numbered<'_>],
    unknown: &Map<String, Value>,
) -> io::Result<OwnedFd> {
    const WRITER: &str = concat!("fdstore ", env!("CARGO_PKG_VERSION"));
    let payload = encode::encode(WRITER, next_id, entries, unknown)?;
    write_enveloped("fdstore-manifest", MAGIC, FORMAT, &payload)
}

impl Manifest {
    /// Reads a manifest. An entry that cannot be decoded costs only itself: it comes beside the manifest.
    pub(crate) fn read(fd: impl AsFd) -> Result<(Manifest, Vec<Malformed>), ManifestError> {
        let (_, payload) = read_enveloped(fd, MAGIC, FORMAT, MAX)?;
        Manifest::decode(&payload)
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<(Manifest, Vec<Malformed>), ManifestError> {
        // Almost always all is well; only a damaged or newer one is read a second time, entry by entry.
        match decode::decode(payload) {
            Ok(manifest) => Ok((manifest, Vec::new())),
            Err(_) => loose::decode(payload),
        }
    }
}

#[cfg(test)]
mod tests;
