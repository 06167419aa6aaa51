//! What changed in a store since its manifest was written, so that the next program can be given both.
//!
//! A manifest of every descriptor is too much to write after each change. A program that wants to be ready for an exec
//! at any moment writes one now and then, and keeps a list of changes beside it:
//!
//! ```
//! # use fdstore::FdStore;
//! let mut store = FdStore::new();
//! store.record_changes();
//! let manifest = store.handoff()?.into_manifest();
//! // … descriptors come and go …
//! for change in store.take_changes() {
//!     let line = serde_json::to_string(&change)?; // kept where the next program finds it
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The next program takes over with [`FdStore::inherit_changed`].

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd as _, OwnedFd};

use serde::{Deserialize, Serialize};

use crate::inherit::{InheritError, Inherited};
use crate::record::{Members, Record};
use crate::store::{EntryId, FdStore};

/// One change, as data.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Change(What);

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum What {
    Put(Box<Members>),
    Gone(EntryId),
}

/// As much of a change as says which entry it is about.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Peek {
    Put(PeekMembers),
    Gone(EntryId),
}

#[derive(Deserialize)]
struct PeekMembers {
    id: EntryId,
}

impl Change {
    /// Reads changes that were written as JSON, in order, and leaves out those that a later one has overtaken: most
    /// descriptors that come are gone soon, and nobody asks what they were.
    pub fn latest<'t>(texts: impl IntoIterator<Item = &'t str>) -> serde_json::Result<Vec<Change>> {
        let mut latest = BTreeMap::new();
        for text in texts {
            let id = match serde_json::from_str(text)? {
                Peek::Put(members) => members.id,
                Peek::Gone(id) => id,
            };
            latest.insert(id, text);
        }
        latest.into_values().map(serde_json::from_str).collect()
    }

    /// The number of the descriptor that came.
    pub fn number(&self) -> Option<i32> {
        match &self.0 {
            What::Put(members) => Some(members.fd()),
            What::Gone(_) => None,
        }
    }
}

impl FdStore {
    /// Begins to remember what changes, or forgets what it remembered so far: now is when a manifest is written.
    pub fn record_changes(&mut self) {
        self.touched = Some(Vec::new());
    }

    /// What changed since the last call, in order. An entry that came and went meanwhile is not in it.
    pub fn take_changes(&mut self) -> Vec<Change> {
        let Some(touched) = &mut self.touched else {
            return Vec::new();
        };
        let mut touched = std::mem::take(touched);
        touched.dedup();
        let change = |id: EntryId| match self.entry(id) {
            Some(entry) => What::Put(Box::new(Members::numbered(&entry.record, entry.fd().as_raw_fd()))),
            None => What::Gone(id),
        };
        touched.into_iter().map(|id| Change(change(id))).collect()
    }

    /// As [`FdStore::inherit`], where `changes` came after the manifest.
    pub fn inherit_changed(
        descriptors: BTreeMap<i32, OwnedFd>,
        number: i32,
        changes: impl IntoIterator<Item = Change>,
    ) -> Result<Inherited, InheritError> {
        let changes: Vec<Change> = changes.into_iter().collect();
        FdStore::inherit_with(descriptors, number, |entries| apply(entries, changes))
    }
}

fn apply(entries: Vec<Record>, changes: Vec<Change>) -> Vec<Record> {
    let mut by_id: BTreeMap<EntryId, Record> =
        entries.into_iter().map(|record| (record.id, record)).collect();
    for Change(what) in changes {
        match what {
            What::Put(members) => {
                let record = Record::from(*members);
                by_id.insert(record.id, record);
            }
            What::Gone(id) => {
                by_id.remove(&id);
            }
        }
    }
    by_id.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FdName, InsertOptions};

    fn insert(store: &mut FdStore, name: &str) -> EntryId {
        let fd = tempfile::tempfile().unwrap().into();
        let options = InsertOptions {
            labels: BTreeMap::from([("k".to_owned(), name.to_owned())]),
            ..InsertOptions::default()
        };
        store
            .insert("o", &FdName::new(name).unwrap(), fd, options)
            .unwrap()
            .id()
    }

    #[test]
    fn what_was_overtaken_makes_no_difference_and_is_not_read() {
        let mut store = FdStore::new();
        store.record_changes();
        let mut changes = Vec::new();
        let ids = ["a", "b", "c"].map(|name| insert(&mut store, name));
        changes.extend(store.take_changes());
        store.remove(ids[1]);
        changes.extend(store.take_changes());
        let again = insert(&mut store, "d");
        changes.extend(store.take_changes());
        let mut texts: Vec<String> = changes
            .iter()
            .map(|change| serde_json::to_string(change).unwrap())
            .collect();
        let read = |texts: &[String]| Change::latest(texts.iter().map(String::as_str));
        let latest = read(&texts).unwrap();
        let records = |changes: Vec<Change>| apply(Vec::new(), changes);
        assert_eq!(latest.len(), 4);
        assert_eq!(records(latest), records(changes));
        // Of what has gone nothing but its id is looked at.
        texts[1] = texts[1].replace("\"owner\"", "\"other\"");
        assert_eq!(read(&texts).unwrap().len(), 4);
        texts[4] = texts[4].replace("\"owner\"", "\"other\"");
        assert!(read(&texts).is_err(), "{again:?} is still there");
        assert!(read(&["{}".to_owned()]).is_err());
    }

    #[test]
    fn the_manifest_and_the_changes_make_the_store_of_now() {
        let mut store = FdStore::new();
        let first = insert(&mut store, "first");
        insert(&mut store, "second");
        store.record_changes();
        let manifest = store.handoff().unwrap().into_manifest();
        // The number of what goes is used again by what comes.
        drop(store.remove(first));
        insert(&mut store, "third");
        let brief = insert(&mut store, "brief");
        let mut lines: Vec<String> = Vec::new();
        let mut keep = |store: &mut FdStore| {
            lines.extend(
                store
                    .take_changes()
                    .iter()
                    .map(|c| serde_json::to_string(c).unwrap()),
            );
        };
        keep(&mut store);
        drop(store.remove(brief));
        keep(&mut store);
        keep(&mut store);
        assert_eq!(lines.len(), 4);
        let describe = |store: &FdStore| -> Vec<_> {
            let entries = store.entries();
            entries
                .map(|e| (e.id(), e.name().clone(), e.labels().clone(), e.identity().clone()))
                .collect()
        };
        let expected = describe(&store);
        let mut descriptors = BTreeMap::from([(manifest.as_raw_fd(), manifest)]);
        let number = *descriptors.keys().next().unwrap();
        let ids: Vec<EntryId> = store.entries().map(|e| e.id()).collect();
        for id in ids {
            let fd = store.remove(id).unwrap();
            descriptors.insert(fd.as_raw_fd(), fd);
        }
        let changes = lines.iter().map(|line| serde_json::from_str(line).unwrap());
        let inherited = FdStore::inherit_changed(descriptors, number, changes).unwrap();
        assert!(inherited.quarantined.is_empty(), "{:?}", inherited.quarantined);
        assert_eq!(describe(&inherited.store), expected);
    }

    #[test]
    fn a_store_that_records_nothing_has_nothing_to_say() {
        let mut store = FdStore::new();
        insert(&mut store, "x");
        assert!(store.take_changes().is_empty());
    }
}
