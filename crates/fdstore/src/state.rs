//! Data beside the descriptors: what a program knows and its successor needs, in a sealed memfd of its own.
//!
//! It is an entry like any other and crosses like any other; the envelope is that of the manifest (magic, version,
//! checksum, length), so what is read is what was written, all of it, or an error.

use std::io;

use crate::envelope::{ManifestError, read_enveloped, write_enveloped};
use crate::identity::FdKind;
use crate::name::{FdName, NameError};
use crate::store::{Entry, EntryId, FdStore, Rule};

const MAGIC: [u8; 8] = *b"fdstate\0";
const FORMAT: u32 = 1;
/// One GiB: what is larger belongs in a file.
const MAX: u64 = 1 << 30;

/// Why state was not kept or not read. What was there before still is.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The name is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// More than the reader would take.
    #[error("state of {0} bytes is too large; at most {MAX} are kept")]
    TooLarge(u64),
    /// The memfd could not be written.
    #[error("writing state into memory: {0}")]
    Write(#[from] io::Error),
    /// The store refused it.
    #[error("keeping state: {0}")]
    Refused(Rule),
    /// The name belongs to something that is no state.
    #[error("{name:?} is a {kind}, not state")]
    NotState {
        /// The name.
        name: String,
        /// What it is.
        kind: FdKind,
    },
    /// There is no such entry.
    #[error("there is no state named {0:?}")]
    Missing(String),
    /// It is there, but not sound.
    #[error("the state {name:?}: {reason}")]
    Unsound {
        /// The name.
        name: String,
        /// What is wrong.
        reason: ManifestError,
    },
}

impl FdStore {
    /// Keeps `bytes` under this name, in place of what was kept there by an earlier call. The store's limits count it
    /// as one descriptor.
    pub fn put_state(&mut self, owner: &str, name: &str, bytes: &[u8]) -> Result<EntryId, StateError> {
        let fd_name = FdName::new(name)?;
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if length > MAX.saturating_sub(24) {
            return Err(StateError::TooLarge(length));
        }
        let earlier: Vec<EntryId> = self
            .entries_of(owner)
            .filter(|entry| *entry.name() == fd_name)
            .map(|entry| match entry.identity().kind() {
                FdKind::Memfd => Ok(entry.id()),
                kind => Err(StateError::NotState {
                    name: name.to_owned(),
                    kind: kind.clone(),
                }),
            })
            .collect::<Result<_, _>>()?;
        let fd = write_enveloped("fdstore-state", MAGIC, FORMAT, bytes)?;
        // The earlier goes first, so that a full store can still renew what it has; it comes back if the new one does
        // not get in.
        let removed: Vec<Entry> = earlier.into_iter().filter_map(|id| self.detach(id)).collect();
        // What its owner decided about the earlier one holds for the new one.
        let options = removed
            .first()
            .map(|entry| entry.record.options())
            .unwrap_or_default();
        match self.insert(owner, &fd_name, fd, options) {
            Ok(inserted) => Ok(inserted.id()),
            Err(refused) => {
                removed.into_iter().for_each(|entry| self.put(entry));
                Err(StateError::Refused(refused.rule))
            }
        }
    }

    /// What was kept under this name. It stays in the store.
    pub fn state(&self, owner: &str, name: &str) -> Result<Vec<u8>, StateError> {
        let missing = || StateError::Missing(name.to_owned());
        let entry = self
            .find(owner, &FdName::new(name)?)
            .and_then(|id| self.entry(id))
            .ok_or_else(missing)?;
        match entry.identity().kind() {
            FdKind::Memfd => {}
            kind => {
                return Err(StateError::NotState {
                    name: name.to_owned(),
                    kind: kind.clone(),
                });
            }
        }
        match read_enveloped(entry.fd(), MAGIC, FORMAT, MAX) {
            Ok((_, bytes)) => Ok(bytes),
            Err(reason) => Err(StateError::Unsound {
                name: name.to_owned(),
                reason,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::InsertOptions;

    #[test]
    fn what_was_put_last_is_read() {
        let mut store = FdStore::new();
        store.put_state("o", "sessions", b"one").unwrap();
        store.put_state("o", "sessions", b"").unwrap();
        assert_eq!(store.state("o", "sessions").unwrap(), b"");
        store.put_state("o", "sessions", &[7; 100_000]).unwrap();
        assert_eq!(store.state("o", "sessions").unwrap(), [7; 100_000]);
        assert_eq!(store.count("o"), 1);
        assert!(matches!(
            store.state("p", "sessions"),
            Err(StateError::Missing(_))
        ));
        assert!(matches!(
            store.put_state("o", "a:b", b""),
            Err(StateError::Name(_))
        ));
    }

    #[test]
    fn another_thing_of_that_name_is_neither_read_nor_replaced() {
        let mut store = FdStore::new();
        let name = FdName::new("x").unwrap();
        store
            .insert(
                "o",
                &name,
                tempfile::tempfile().unwrap().into(),
                InsertOptions::default(),
            )
            .unwrap();
        assert!(matches!(
            store.put_state("o", "x", b"s"),
            Err(StateError::NotState { .. })
        ));
        assert!(matches!(store.state("o", "x"), Err(StateError::NotState { .. })));
        assert_eq!(store.count("o"), 1);
    }

    #[test]
    fn a_memfd_that_holds_something_else_is_unsound() {
        let mut store = FdStore::new();
        let name = FdName::new("x").unwrap();
        for bytes in [&b"short"[..], &[0; 40]] {
            let fd = crate::memfd::sealed_memfd("m", bytes).unwrap();
            store.insert("o", &name, fd, InsertOptions::default()).unwrap();
            assert!(matches!(store.state("o", "x"), Err(StateError::Unsound { .. })));
            store.remove_owner("o");
        }
    }
}
