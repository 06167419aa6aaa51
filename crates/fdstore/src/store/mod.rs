//! The store itself.

mod entry;
mod equals;
mod index;

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::Arc;

use softboot_sys::kcmp;

use crate::identity::Identity;
use crate::name::FdName;
use crate::record::Who;

pub use entry::{Entry, EntryId, InsertError, InsertOptions, Inserted, Lifetime, Rule, RunEnd};
use equals::Found;
use index::OwnerIndex;

/// Descriptors by owner and name. The order is the order of insertion, through any number of handoffs.
#[derive(Debug, Default)]
pub struct FdStore {
    entries: BTreeMap<EntryId, Box<Entry>>,
    owners: BTreeMap<Arc<str>, OwnerIndex>,
    /// Those that expire, by when.
    expiries: BTreeSet<(u64, EntryId)>,
    next: u64,
    /// What changed since somebody last asked; `None` when nobody does.
    pub(crate) touched: Option<Vec<EntryId>>,
    /// What a newer version wrote beside what this one knows; passed on.
    pub(crate) unknown: serde_json::Map<String, serde_json::Value>,
}

impl FdStore {
    /// An empty store.
    pub fn new() -> FdStore {
        FdStore {
            next: 1,
            ..FdStore::default()
        }
    }

    /// Puts a descriptor in. On refusal it comes back with the rule that was broken.
    pub fn insert(
        &mut self,
        owner: &str,
        name: &FdName,
        fd: OwnedFd,
        options: InsertOptions,
    ) -> Result<Inserted, InsertError> {
        let identity = match Identity::of(&fd) {
            Ok(identity) => identity,
            Err(errno) => {
                return Err(InsertError {
                    fd,
                    rule: Rule::Unreadable(errno),
                });
            }
        };
        let place = match options.deduplicate {
            true => match self.find_same(owner, &identity, fd.as_fd()) {
                Some(Found::Same(known)) => return Ok(Inserted::Duplicate(known, fd)),
                Some(Found::Place(place)) => Some(place),
                None => None,
            },
            false => None,
        };
        if let Some(limit) = options.owner_limit
            && self.count(owner) >= limit
        {
            return Err(InsertError {
                fd,
                rule: Rule::OwnerLimit { limit },
            });
        }
        if let Some(limit) = options.total_limit
            && self.entries.len() >= limit
        {
            return Err(InsertError {
                fd,
                rule: Rule::TotalLimit { limit },
            });
        }
        if self.next > EntryId::MAX {
            return Err(InsertError {
                fd,
                rule: Rule::IdsExhausted,
            });
        }
        let id = EntryId(self.next);
        self.next = self.next.saturating_add(1);
        let (who, identity) = self.shared(owner, name, identity, &options);
        let entry = Entry::new(id, who, fd, identity, options);
        self.put_at(entry, place);
        Ok(Inserted::New(id))
    }

    /// What a new entry has in common with the last one of this owner, as the same piece of memory.
    fn shared(
        &self,
        owner: &str,
        name: &FdName,
        mut identity: Identity,
        options: &InsertOptions,
    ) -> (Arc<Who>, Identity) {
        let known = self.owners.get_key_value(owner);
        let last = known.and_then(|(_, index)| self.entry(index.last()?));
        if let Some(last) = last
            && last.identity().common == identity.common
        {
            identity.common = Arc::clone(&last.identity().common);
        }
        let who = Who {
            owner: known.map_or_else(|| owner.into(), |(owner, _)| Arc::clone(owner)),
            name: name.clone(),
            poll: options.poll,
            lifetime: options.lifetime,
        };
        match last {
            Some(last) if *last.record.who == who => (Arc::clone(&last.record.who), identity),
            _ => (Arc::new(who), identity),
        }
    }

    /// An entry of this owner that is the same open file description, or the place of one that is new. Constant
    /// time for what has an inode of its own, log time among anonymous inodes (eventfd and the like share one).
    fn find_same(&mut self, owner: &str, identity: &Identity, fd: BorrowedFd<'_>) -> Option<Found> {
        let entries = &self.entries;
        let entry_of = |id: EntryId| entries.get(&id).map(Box::as_ref);
        let fd_of = |id: EntryId| entry_of(id).map(Entry::fd);
        let equals = self.owners.get_mut(owner)?.equals(&identity.key(), entry_of)?;
        match equals.search(fd, fd_of, kcmp::order) {
            Ok(found) => Some(found),
            // Without kcmp a socket's cookie still tells; for the rest two are taken for two.
            Err(_) => identity.cookie().and_then(|_| equals.oldest()).map(Found::Same),
        }
    }

    pub(crate) fn put(&mut self, entry: Entry) {
        self.put_at(entry, None);
    }

    fn put_at(&mut self, entry: Entry, place: Option<usize>) {
        self.next = self.next.max(entry.id().0.saturating_add(1));
        match self.owners.get_mut(entry.owner()) {
            Some(index) => index.add(&entry, place),
            None => {
                let mut index = OwnerIndex::default();
                index.add(&entry, place);
                self.owners.insert(Arc::clone(&entry.record.who.owner), index);
            }
        }
        if let Some(at) = entry.expires_usec() {
            self.expiries.insert((at, entry.id()));
        }
        self.touch(entry.id());
        self.entries.insert(entry.id(), Box::new(entry));
    }

    fn touch(&mut self, id: EntryId) {
        if let Some(touched) = &mut self.touched {
            touched.push(id);
        }
    }

    /// Fills an empty store with entries whose ids are all different.
    pub(crate) fn fill(&mut self, entries: Vec<Entry>) {
        let last = entries.iter().map(|entry| entry.id().0).max().unwrap_or(0);
        self.next = self.next.max(last.saturating_add(1));
        let alike = |a: &Entry, b: &Entry| a.owner() == b.owner() && a.name() == b.name();
        for run in entries.chunk_by(alike) {
            let Some(first) = run.first() else { continue };
            let owner = Arc::clone(&first.record.who.owner);
            let index = self.owners.entry(owner).or_default();
            index.add_run(first.name(), run.iter().map(|entry| entry.id()));
        }
        let expiry = |entry: &Entry| Some((entry.expires_usec()?, entry.id()));
        self.expiries = entries.iter().filter_map(expiry).collect();
        self.entries = entries
            .into_iter()
            .map(|entry| (entry.id(), Box::new(entry)))
            .collect();
    }

    /// The number of the id that the next entry gets: as long as it and the count of entries stay, so do the entries.
    pub fn next_id(&self) -> u64 {
        self.next
    }

    pub(crate) fn raise_next_id(&mut self, next: u64) {
        self.next = self.next.max(next);
    }

    /// The descriptor of an entry.
    pub fn fd(&self, id: EntryId) -> Option<BorrowedFd<'_>> {
        self.entries.get(&id).map(|entry| entry.fd())
    }

    /// An entry.
    pub fn entry(&self, id: EntryId) -> Option<&Entry> {
        self.entries.get(&id).map(Box::as_ref)
    }

    /// Every entry, oldest first.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().map(Box::as_ref)
    }

    /// The entries of one owner, oldest first.
    pub fn entries_of(&self, owner: &str) -> impl Iterator<Item = &Entry> {
        self.owners
            .get(owner)
            .into_iter()
            .flat_map(OwnerIndex::ids)
            .filter_map(|id| self.entry(id))
    }

    /// The oldest entry of this owner with this name.
    pub fn find(&self, owner: &str, name: &FdName) -> Option<EntryId> {
        self.owners.get(owner)?.named(name).next()
    }

    /// How many descriptors an owner has.
    pub fn count(&self, owner: &str) -> usize {
        self.owners.get(owner).map_or(0, OwnerIndex::len)
    }

    /// Those who have descriptors, in the order of their names.
    pub fn owners(&self) -> impl Iterator<Item = &str> {
        self.owners.keys().map(AsRef::as_ref)
    }

    /// Takes one out.
    pub fn remove(&mut self, id: EntryId) -> Option<OwnedFd> {
        self.detach(id).map(Entry::into_fd)
    }

    /// Takes one out with all that is known of it.
    pub fn detach(&mut self, id: EntryId) -> Option<Entry> {
        let entry = *self.entries.remove(&id)?;
        self.touch(id);
        self.forget_expiry(&entry);
        if let Some(index) = self.owners.get_mut(entry.owner()) {
            index.remove(&entry);
            if index.len() == 0 {
                self.owners.remove(entry.owner());
            }
        }
        Some(entry)
    }

    /// Takes out all of this owner with this name, oldest first.
    pub fn remove_named(&mut self, owner: &str, name: &FdName) -> Vec<OwnedFd> {
        let ids: Vec<EntryId> = self
            .owners
            .get(owner)
            .map(|index| index.named(name).collect())
            .unwrap_or_default();
        ids.into_iter().filter_map(|id| self.remove(id)).collect()
    }

    /// Takes out all of this owner, oldest first.
    pub fn remove_owner(&mut self, owner: &str) -> Vec<OwnedFd> {
        // The index goes as a whole: unpicking it one by one would look through all equals for each.
        let Some(index) = self.owners.remove(owner) else {
            return Vec::new();
        };
        let entries: Vec<Box<Entry>> = index.ids().filter_map(|id| self.entries.remove(&id)).collect();
        for entry in &entries {
            self.forget_expiry(entry);
            self.touch(entry.id());
        }
        entries.into_iter().map(|entry| entry.into_fd()).collect()
    }

    fn forget_expiry(&mut self, entry: &Entry) {
        if let Some(at) = entry.expires_usec() {
            self.expiries.remove(&(at, entry.id()));
        }
    }

    /// When the next entry is to leave, in microseconds of CLOCK_BOOTTIME: what to set a timer to.
    pub fn next_expiry(&self) -> Option<u64> {
        self.expiries.first().map(|(at, _)| *at)
    }

    /// Takes out what was to leave by `now` ([`crate::boottime_usec`]), the earliest first.
    pub fn remove_expired(&mut self, now: u64) -> Vec<Entry> {
        let mut expired = Vec::new();
        while let Some((at, id)) = self.expiries.first().copied() {
            if at > now {
                break;
            }
            self.expiries.remove(&(at, id));
            expired.extend(self.detach(id));
        }
        expired
    }

    /// A run of this owner has ended: takes out what does not outlive that, oldest first (semantics 3.7).
    pub fn run_ended(&mut self, owner: &str, end: RunEnd) -> Vec<Entry> {
        let ids: Vec<EntryId> = self
            .entries_of(owner)
            .filter(|entry| !entry.lifetime().outlives(end))
            .map(Entry::id)
            .collect();
        ids.into_iter().filter_map(|id| self.detach(id)).collect()
    }
}

#[cfg(test)]
mod tests;
