//! The manifest: which descriptor is what, as JSON in an envelope ([`crate::read_enveloped`]).
//!
//! Unknown members are kept and written again, so that a store that passes through an older program loses nothing.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use serde::{Deserialize, Serialize};

use crate::envelope::{ManifestError, read_enveloped, write_enveloped};
use crate::identity::Identity;
use crate::name::FdName;
use crate::store::{EntryId, Lifetime};

const MAGIC: [u8; 8] = *b"fdstore\0";
const FORMAT: u32 = 1;
/// About 200,000 entries; what is longer is not ours.
const MAX: u64 = 128 << 20;

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
    pub(crate) lifetime: Lifetime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires_usec: Option<u64>,
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
    use crate::memfd::{read_sealed, sealed_memfd};
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
