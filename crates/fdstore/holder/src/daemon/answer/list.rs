//! List.

use fdstore::{Entry, EntryId};

use super::select::to_patterns;
use super::{Answer, reply};
use crate::api::{ApiError, EntryInfo, ListReply, PAGE};
use crate::config::{Subject, Verb};
use crate::daemon::Daemon;

impl Daemon {
    pub(super) fn list(
        &self,
        who: Subject,
        patterns: Option<Vec<String>>,
        owner: Option<&str>,
        after: Option<u64>,
    ) -> Result<Answer, ApiError> {
        let scope = self.scope(who, owner)?;
        self.check_any(who, Verb::List)?;
        let patterns = to_patterns(patterns)?;
        let after = EntryId(after.unwrap_or(0));
        let fits = |entry: &&Entry| {
            let name = entry.name().as_str();
            entry.id() > after
                && (patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(name)))
                && self.config.access.allows(who, Verb::List, name)
        };
        let entries: Box<dyn Iterator<Item = &Entry>> = match &scope {
            Some(owner) => Box::new(self.store.entries_of(owner)),
            None => Box::new(self.store.entries()),
        };
        // A quarter of what may wait for one client, so that a page is never what gets it dropped.
        let room = self.config.limits.unsent_bytes / 4;
        let mut used = 0_usize;
        let mut page = Vec::new();
        let mut next = None;
        for entry in entries.filter(fits) {
            let info = EntryInfo::from(entry);
            let length = serde_json::to_vec(&info).map_or(0, |bytes| bytes.len());
            if page.len() >= PAGE || (!page.is_empty() && used.saturating_add(length) > room) {
                next = page.last().map(|last: &EntryInfo| last.id);
                break;
            }
            used = used.saturating_add(length);
            page.push(info);
        }
        reply(&ListReply { entries: page, next })
    }
}
