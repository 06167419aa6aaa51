//! What one owner has, found by name and by identity.

use std::collections::{BTreeSet, HashMap};

use super::equals::Equals;
use super::{Entry, EntryId};
use crate::identity::InodeKey;
use crate::name::FdName;

#[derive(Debug, Default)]
pub(super) struct OwnerIndex {
    ids: BTreeSet<EntryId>,
    names: HashMap<FdName, BTreeSet<EntryId>>,
    identities: HashMap<InodeKey, Equals>,
}

impl OwnerIndex {
    /// Adds an entry; `place` is where a search among its equals has just seen its place.
    pub(super) fn add(&mut self, entry: &Entry, place: Option<usize>) {
        self.ids.insert(entry.id());
        self.names
            .entry(entry.name().clone())
            .or_default()
            .insert(entry.id());
        self.identities
            .entry(entry.identity().key())
            .or_default()
            .add(entry.id(), place);
    }

    pub(super) fn remove(&mut self, entry: &Entry) {
        self.ids.remove(&entry.id());
        if let Some(ids) = self.names.get_mut(entry.name()) {
            ids.remove(&entry.id());
            if ids.is_empty() {
                self.names.remove(entry.name());
            }
        }
        let key = entry.identity().key();
        if let Some(equals) = self.identities.get_mut(&key) {
            equals.remove(entry.id());
            if equals.is_empty() {
                self.identities.remove(&key);
            }
        }
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = EntryId> + '_ {
        self.ids.iter().copied()
    }

    pub(super) fn named(&self, name: &FdName) -> impl Iterator<Item = EntryId> + '_ {
        self.names.get(name).into_iter().flatten().copied()
    }

    pub(super) fn equals(&mut self, key: &InodeKey) -> Option<&mut Equals> {
        self.identities.get_mut(key)
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }
}
