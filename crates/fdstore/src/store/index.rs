//! What one owner has, found by name and by identity.

use std::collections::{BTreeSet, HashMap};

use super::{Entry, EntryId};
use crate::identity::Identity;
use crate::name::FdName;

#[derive(Debug, Default)]
pub(super) struct OwnerIndex {
    ids: BTreeSet<EntryId>,
    names: HashMap<FdName, BTreeSet<EntryId>>,
    identities: HashMap<Identity, Vec<EntryId>>,
}

impl OwnerIndex {
    pub(super) fn add(&mut self, entry: &Entry) {
        self.ids.insert(entry.id());
        self.names
            .entry(entry.name().clone())
            .or_default()
            .insert(entry.id());
        self.identities
            .entry(entry.identity().clone())
            .or_default()
            .push(entry.id());
    }

    pub(super) fn remove(&mut self, entry: &Entry) {
        self.ids.remove(&entry.id());
        if let Some(ids) = self.names.get_mut(entry.name()) {
            ids.remove(&entry.id());
            if ids.is_empty() {
                self.names.remove(entry.name());
            }
        }
        if let Some(ids) = self.identities.get_mut(entry.identity()) {
            ids.retain(|id| *id != entry.id());
            if ids.is_empty() {
                self.identities.remove(entry.identity());
            }
        }
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = EntryId> + '_ {
        self.ids.iter().copied()
    }

    pub(super) fn named(&self, name: &FdName) -> impl Iterator<Item = EntryId> + '_ {
        self.names.get(name).into_iter().flatten().copied()
    }

    pub(super) fn equals(&self, identity: &Identity) -> &[EntryId] {
        self.identities.get(identity).map_or(&[], Vec::as_slice)
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }
}
