//! Remove.

use super::select::Selection;
use super::{Answer, reply};
use crate::api::{ApiError, Event, RemoveReply};
use crate::config::{Subject, Verb};
use crate::daemon::Daemon;

impl Daemon {
    pub(super) fn remove(&mut self, who: Subject, selection: &Selection) -> Result<Answer, ApiError> {
        let ids = self.select(who, selection, &[Verb::Remove])?;
        let mut removed: u64 = 0;
        for id in ids {
            if let Some(entry) = self.store.detach(id) {
                self.let_go(entry, Event::Removed);
                removed = removed.saturating_add(1);
            }
        }
        reply(&RemoveReply { removed })
    }
}
