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
    /// Made when it is first asked for: most owners never store one thing twice, and after a handoff nobody may ever
    /// ask.
    identities: Option<HashMap<InodeKey, Equals>>,
}

impl OwnerIndex {
    /// Adds an entry; `place` is where a search among its equals has just seen its place.
    pub(super) fn add(&mut self, entry: &Entry, place: Option<usize>) {
        self.ids.insert(entry.id());
        match self.names.get_mut(entry.name()) {
            Some(ids) => drop(ids.insert(entry.id())),
            None => drop(
                self.names
                    .insert(entry.name().clone(), BTreeSet::from([entry.id()])),
            ),
        }
        if let Some(identities) = &mut self.identities {
            add_equal(identities, entry, place);
        }
    }

    /// Adds entries of one name to an index that nobody has searched yet.
    pub(super) fn add_run(&mut self, name: &FdName, ids: impl Iterator<Item = EntryId> + Clone) {
        let named = self.names.entry(name.clone()).or_default();
        // One that is made at once is made in linear time; to append to one that is there would make it anew.
        match named.is_empty() {
            true => *named = ids.clone().collect(),
            false => named.extend(ids.clone()),
        }
        match self.ids.is_empty() {
            true => self.ids = ids.collect(),
            false => self.ids.extend(ids),
        }
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
        if let Some(identities) = &mut self.identities
            && let Some(equals) = identities.get_mut(&key)
        {
            equals.remove(entry.id());
            if equals.is_empty() {
                identities.remove(&key);
            }
        }
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = EntryId> + '_ {
        self.ids.iter().copied()
    }

    /// The newest entry.
    pub(super) fn last(&self) -> Option<EntryId> {
        self.ids.last().copied()
    }

    pub(super) fn named(&self, name: &FdName) -> impl Iterator<Item = EntryId> + '_ {
        self.names.get(name).into_iter().flatten().copied()
    }

    /// The entries with this key; `entry_of` finds an entry.
    pub(super) fn equals<'s>(
        &mut self,
        key: &InodeKey,
        entry_of: impl Fn(EntryId) -> Option<&'s Entry>,
    ) -> Option<&mut Equals> {
        let ids = &self.ids;
        let identities = self.identities.get_or_insert_with(|| {
            let mut identities = HashMap::with_capacity(ids.len());
            for entry in ids.iter().filter_map(|id| entry_of(*id)) {
                add_equal(&mut identities, entry, None);
            }
            identities
        });
        identities.get_mut(key)
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }
}

fn add_equal(identities: &mut HashMap<InodeKey, Equals>, entry: &Entry, place: Option<usize>) {
    identities
        .entry(entry.identity().key())
        .or_default()
        .add(entry.id(), place);
}
