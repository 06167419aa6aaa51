//! Watch: the call. What it brings is told elsewhere.

use super::Answer;
use super::select::to_patterns;
use crate::api::{ApiError, Event, WatchReply};
use crate::config::{Subject, Verb};
use crate::daemon::Daemon;
use crate::daemon::watch::Watch;

impl Daemon {
    pub(super) fn watch(
        &mut self,
        id: u64,
        who: Subject,
        patterns: Option<Vec<String>>,
        owner: Option<&str>,
    ) -> Result<Answer, ApiError> {
        let owner = self.scope(who, owner)?;
        self.check_any(who, Verb::Watch)?;
        let patterns = to_patterns(patterns)?;
        let Some(client) = self.clients.get_mut(&id) else {
            return Ok(Answer::Later);
        };
        client.watch = Some(Watch { patterns, owner });
        let ready = WatchReply {
            event: Event::Ready,
            entry: None,
        };
        match client.connection.reply_continues(&ready) {
            Ok(()) => drop(self.watchers.insert(id)),
            Err(error) => self.drop_for(id, &error),
        }
        Ok(Answer::Later)
    }
}
