//! Telling clients what happens.

use fdstore::EntryId;
use serde::{Deserialize, Serialize};

use super::Daemon;
use crate::api::{EntryInfo, Event, WatchReply};
use crate::config::Verb;
use crate::pattern::Pattern;

/// What a client wants to be told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Watch {
    /// Of these names; of all without any.
    pub(super) patterns: Vec<Pattern>,
    /// Of this owner; of all without.
    pub(super) owner: Option<String>,
}

impl Watch {
    fn wants(&self, entry: &EntryInfo) -> bool {
        self.owner.as_ref().is_none_or(|owner| *owner == entry.owner)
            && (self.patterns.is_empty() || self.patterns.iter().any(|pattern| pattern.matches(&entry.name)))
    }
}

impl Daemon {
    /// Tells those who watch.
    pub(super) fn tell(&mut self, event: Event, entry: &EntryInfo) {
        let mut told = Vec::new();
        for id in &self.watchers {
            let Some(client) = self.clients.get_mut(id) else {
                continue;
            };
            let wants = client.watch.as_ref().is_some_and(|watch| watch.wants(entry));
            // The rules of now count, not those of when it began to watch.
            if wants
                && self
                    .config
                    .access
                    .allows(client.subject(), Verb::Watch, &entry.name)
            {
                let reply = WatchReply {
                    event,
                    entry: Some(entry.clone()),
                };
                told.push((*id, client.connection.reply_continues(&reply)));
            }
        }
        for (id, result) in told {
            match result {
                Ok(()) => self.flush(id),
                Err(error) => self.drop_for(id, &error),
            }
        }
    }

    /// Tells those who watch of an entry that is in the store.
    pub(super) fn tell_of(&mut self, event: Event, id: EntryId) {
        if self.watchers.is_empty() {
            return;
        }
        if let Some(info) = self.store.entry(id).map(EntryInfo::from) {
            self.tell(event, &info);
        }
    }
}
