//! What comes into the store and what leaves it, whoever asked.

use fdstore::{Entry, EntryId, FdName, InsertError, InsertOptions, Inserted};
use rustix::event::epoll::EventFlags;
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use super::Daemon;
use super::poll::Token;
use crate::api::{EntryInfo, Event};

impl Daemon {
    /// Puts one in, within the limits. It is not watched yet.
    pub(super) fn insert(
        &mut self,
        owner: &str,
        name: &FdName,
        fd: OwnedFd,
        poll: bool,
        labels: BTreeMap<String, String>,
        expires_usec: Option<u64>,
    ) -> Result<Inserted, InsertError> {
        let limits = &self.config.limits;
        let options = InsertOptions {
            poll,
            deduplicate: true,
            owner_limit: Some(limits.entries_per_uid),
            total_limit: Some(limits.entries.saturating_sub(self.closer.waiting())),
            labels,
            expires_usec,
            ..InsertOptions::default()
        };
        self.store.insert(owner, name, fd, options)
    }

    /// Watches an entry for hang-up if it is to be; whether it is. Files and memfds cannot be (epoll_ctl(2), EPERM).
    pub(super) fn watch_entry(&self, id: EntryId) -> bool {
        self.store
            .entry(id)
            .filter(|entry| entry.poll())
            .is_some_and(|entry| {
                // Hang-ups and errors are told without being asked for.
                let added = self.poll.add(entry.fd(), Token::Entry(id), EventFlags::empty());
                added.is_ok()
            })
    }

    pub(super) fn hung_up(&mut self, id: EntryId) {
        if let Some(entry) = self.store.detach(id) {
            self.let_go(entry, Event::Hangup);
        }
    }

    pub(super) fn expire_entries(&mut self, now: u64) {
        for entry in self.store.remove_expired(now) {
            self.let_go(entry, Event::Expired);
        }
    }

    /// Closes what has left the store and tells of it.
    pub(super) fn let_go(&mut self, entry: Entry, event: Event) {
        let fd = self.release(entry, event);
        self.closer.close([fd]);
    }

    /// Stops watching what has left the store, and tells of it; its descriptor.
    pub(super) fn release(&mut self, entry: Entry, event: Event) -> OwnedFd {
        self.poll.delete(entry.fd());
        if !self.watchers.is_empty() {
            self.tell(event, &EntryInfo::from(&entry));
        }
        entry.into_fd()
    }
}
