//! Get.

use std::os::fd::OwnedFd;

use softboot_varlink::MAX_FDS;

use super::select::Selection;
use super::{Answer, encode};
use crate::api::{ApiError, EntryInfo, Event, GetReply};
use crate::config::{Subject, Verb};
use crate::daemon::Daemon;

impl Daemon {
    /// Duplicates; with `take` the descriptors themselves, which leave the store.
    pub(super) fn get(
        &mut self,
        client: u64,
        who: Subject,
        selection: &Selection,
        take: bool,
    ) -> Result<Answer, ApiError> {
        let verbs: &[Verb] = if take {
            &[Verb::Get, Verb::Remove]
        } else {
            &[Verb::Get]
        };
        let ids = self.select(who, selection, verbs)?;
        if ids.len() > MAX_FDS {
            return Err(ApiError::parameter(
                "names",
                format!(
                    "{} entries have these names, more than the {MAX_FDS} that one message holds; ask by id",
                    ids.len()
                ),
            ));
        }
        let mut entries: Vec<EntryInfo> = ids
            .iter()
            .filter_map(|id| self.store.entry(*id))
            .map(EntryInfo::from)
            .collect();
        for (index, entry) in entries.iter_mut().enumerate() {
            entry.index = Some(index);
        }
        let parameters = encode(&GetReply { entries });
        // Before anything is taken: a reply that does not fit would take it along.
        let length = serde_json::to_vec(&parameters).map_or(0, |bytes| bytes.len());
        let unsent = self
            .clients
            .get(&client)
            .map_or(0, |client| client.connection.inner().unsent());
        let most = self.config.limits.unsent_bytes;
        if length.saturating_add(unsent).saturating_add(64) > most {
            return Err(ApiError::QuotaExceeded {
                message: format!("the reply would have {length} bytes; at most {most} wait for one client"),
            });
        }
        let mut fds: Vec<OwnedFd> = Vec::with_capacity(ids.len());
        for id in &ids {
            if take {
                if let Some(entry) = self.store.detach(*id) {
                    fds.push(self.release(entry, Event::Removed));
                }
                continue;
            }
            let Some(fd) = self.store.fd(*id) else { continue };
            match fd.try_clone_to_owned() {
                Ok(copy) => fds.push(copy),
                Err(error) => {
                    self.closer.close(fds);
                    return Err(ApiError::BadDescriptor {
                        message: format!("duplicating the descriptor with the id {}: {error}", id.0),
                    });
                }
            }
        }
        Ok(Answer::Reply(parameters, fds))
    }
}
