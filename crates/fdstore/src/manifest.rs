//! The manifest: which descriptor is what, in a sealed memfd.
//!
//! ```text
//! offset size
//!      0    8  magic
//!      8    4  format version, little-endian
//!     12    4  CRC-32 of the payload
//!     16    8  length of the payload in bytes
//!     24    n  payload: JSON
//! ```
//!
//! The same envelope with another magic carries a snapshot (crate `softboot-reexec`). Unknown members of the payload
//! are kept and written again, so that a store that passes through an older program loses nothing.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use serde::{Deserialize, Serialize};

use crate::identity::Identity;
use crate::memfd::{MemfdError, read_sealed, sealed_memfd};
use crate::name::FdName;
use crate::store::EntryId;

const MAGIC: [u8; 8] = *b"fdstore\0";
const FORMAT: u32 = 1;
const HEADER: usize = 24;
/// About 200,000 entries; what is longer is not ours.
const MAX: u64 = 128 << 20;

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
    let mut bytes = Vec::with_capacity(HEADER.saturating_add(payload.len()));
    bytes.extend_from_slice(&magic);
    bytes.extend_from_slice(&format.to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
    bytes.extend_from_slice(&u64::try_from(payload.len()).unwrap_or(u64::MAX).to_le_bytes());
    bytes.extend_from_slice(payload);
    sealed_memfd(name, &bytes)
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
    let header = bytes.first_chunk::<HEADER>().ok_or(truncated(24))?;
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
        l0,
        l1,
        l2,
        l3,
        l4,
        l5,
        l6,
        l7,
    ] = *header;
    if [m0, m1, m2, m3, m4, m5, m6, m7] != magic {
        return Err(ManifestError::Magic);
    }
    let format = u32::from_le_bytes([v0, v1, v2, v3]);
    if format == 0 || format > newest {
        return Err(ManifestError::Version(format, newest));
    }
    let length = u64::from_le_bytes([l0, l1, l2, l3, l4, l5, l6, l7]);
    let want = length.saturating_add(24);
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
    if crc32fast::hash(&bytes) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Err(ManifestError::Checksum);
    }
    Ok((format, bytes))
}

/// The payload.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Manifest {
    #[serde(default)]
    pub(crate) writer: String,
    #[serde(default)]
    pub(crate) next_id: u64,
    pub(crate) entries: Vec<Record>,
    #[serde(flatten)]
    pub(crate) unknown: serde_json::Map<String, serde_json::Value>,
}

/// One descriptor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) id: EntryId,
    pub(crate) fd: i32,
    pub(crate) owner: String,
    pub(crate) name: FdName,
    pub(crate) identity: Identity,
    #[serde(default)]
    pub(crate) poll: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) entered_usec: u64,
    #[serde(flatten)]
    pub(crate) unknown: serde_json::Map<String, serde_json::Value>,
}

/// A manifest whose entries are not looked at yet.
#[derive(Deserialize)]
struct Loose {
    #[serde(default)]
    writer: String,
    #[serde(default)]
    next_id: serde_json::Value,
    entries: Vec<serde_json::Value>,
    #[serde(flatten)]
    unknown: serde_json::Map<String, serde_json::Value>,
}

/// An entry that is none, with what can still be read of it.
#[derive(Debug)]
pub(crate) struct Malformed {
    pub(crate) fd: Option<i32>,
    pub(crate) owner: Option<String>,
    pub(crate) name: Option<FdName>,
    pub(crate) reason: String,
}

impl Malformed {
    fn new(position: usize, value: &serde_json::Value, error: &serde_json::Error) -> Malformed {
        let text = |member: &str| value.get(member).and_then(serde_json::Value::as_str);
        Malformed {
            fd: value
                .get("fd")
                .and_then(serde_json::Value::as_i64)
                .and_then(|fd| i32::try_from(fd).ok()),
            owner: text("owner").map(str::to_owned),
            name: text("name").and_then(|name| FdName::new(name).ok()),
            reason: format!("entry {position} of the manifest cannot be decoded: {error}"),
        }
    }
}

impl Manifest {
    pub(crate) fn write(&self) -> io::Result<OwnedFd> {
        let payload = serde_json::to_vec(self)?;
        write_enveloped("fdstore-manifest", MAGIC, FORMAT, &payload)
    }

    /// Reads a manifest. An entry that cannot be decoded costs only itself: it comes beside the manifest.
    pub(crate) fn read(fd: impl AsFd) -> Result<(Manifest, Vec<Malformed>), ManifestError> {
        let (_, payload) = read_enveloped(fd, MAGIC, FORMAT, MAX)?;
        Manifest::decode(&payload)
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<(Manifest, Vec<Malformed>), ManifestError> {
        // Almost always all is well; only a damaged or newer one is read a second time, entry by entry.
        if let Ok(manifest) = serde_json::from_slice(payload) {
            return Ok((manifest, Vec::new()));
        }
        let loose: Loose = serde_json::from_slice(payload)?;
        let mut manifest = Manifest {
            writer: loose.writer,
            next_id: loose.next_id.as_u64().unwrap_or(0),
            entries: Vec::new(),
            unknown: loose.unknown,
        };
        let mut malformed = Vec::new();
        for (position, value) in loose.entries.into_iter().enumerate() {
            match Record::deserialize(&value) {
                Ok(record) => manifest.entries.push(record),
                Err(error) => malformed.push(Malformed::new(position, &value, &error)),
            }
        }
        Ok((manifest, malformed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Result<Manifest, ManifestError> {
        Manifest::read(sealed_memfd("t", bytes).unwrap()).map(|(manifest, _)| manifest)
    }

    fn good() -> Vec<u8> {
        let fd = Manifest {
            writer: "w".to_owned(),
            ..Manifest::default()
        }
        .write()
        .unwrap();
        read_sealed(fd, MAX).unwrap()
    }

    #[test]
    fn every_kind_of_damage_has_its_name() {
        let bytes = good();
        assert!(read(&bytes).is_ok());
        assert!(matches!(
            read(bytes.get(..10).unwrap()),
            Err(ManifestError::Truncated { .. })
        ));
        assert!(matches!(
            read(bytes.get(..bytes.len() - 1).unwrap()),
            Err(ManifestError::Truncated { .. })
        ));
        let changed = |at: usize| {
            let mut copy = bytes.clone();
            *copy.get_mut(at).unwrap() ^= 0x40;
            read(&copy)
        };
        assert!(matches!(changed(0), Err(ManifestError::Magic)));
        assert!(matches!(changed(8), Err(ManifestError::Version(0x41, 1))));
        assert!(matches!(changed(12), Err(ManifestError::Checksum)));
        assert!(matches!(changed(23), Err(ManifestError::Truncated { .. })));
        assert!(matches!(changed(bytes.len() - 2), Err(ManifestError::Checksum)));
        let longer = [&bytes[..], b"x"].concat();
        assert!(matches!(read(&longer), Err(ManifestError::Inconsistent(_))));
    }

    #[test]
    fn members_of_a_newer_version_are_kept() {
        let text = br#"{"entries":[],"later":{"a":[1]}}"#;
        let manifest: Manifest = serde_json::from_slice(text).unwrap();
        let again = serde_json::to_value(&manifest).unwrap();
        assert_eq!(again.get("later"), Some(&serde_json::json!({"a": [1]})));
    }

    #[test]
    fn entries_that_are_none_come_beside_the_manifest() {
        let text =
            br#"{"next_id":-7,"later":1,"entries":[7,{"fd":9,"owner":"o","name":"n","id":"x"},{"fd":1e99}]}"#;
        let (manifest, malformed) = Manifest::decode(text).unwrap();
        assert_eq!((manifest.next_id, manifest.entries.len()), (0, 0));
        assert!(manifest.unknown.contains_key("later"));
        let seen: Vec<_> = malformed
            .iter()
            .map(|bad| (bad.fd, bad.owner.as_deref()))
            .collect();
        assert_eq!(seen, [(None, None), (Some(9), Some("o")), (None, None)]);
        assert!(Manifest::decode(br#"{"entries":7}"#).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_manifest_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
            let mut start = good();
            start.extend(&bytes);
            prop_assert!(bytes.is_empty() || read(&start).is_err());
        }
    }
}
