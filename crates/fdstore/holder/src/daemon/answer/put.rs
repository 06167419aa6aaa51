//! Put.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;

use fdstore::{FdName, Inserted, Rule};

use super::{Answer, reply};
use crate::api::{ApiError, Event, NewEntry, PutReply, Stored};
use crate::config::{Subject, Verb};
use crate::daemon::Daemon;

/// Most bytes of an entry's labels: they are free-form, not a database.
const MAX_LABELS: usize = 1_024;

/// An entry of the call with everything checked, and its descriptor.
struct Checked {
    name: FdName,
    poll: bool,
    labels: BTreeMap<String, String>,
    expires_usec: Option<u64>,
    fd: OwnedFd,
}

impl Daemon {
    /// All of them, or none.
    pub(super) fn put(
        &mut self,
        who: Subject,
        entries: Vec<NewEntry>,
        owner: Option<&str>,
        fds: Vec<OwnedFd>,
    ) -> Result<Answer, ApiError> {
        let owner = match self.check_put(who, &entries, owner, fds.len()) {
            Ok(owner) => owner,
            Err(error) => {
                self.closer.close(fds);
                return Err(error);
            }
        };
        let mut fds: Vec<Option<OwnedFd>> = fds.into_iter().map(Some).collect();
        let mut checked = Vec::with_capacity(entries.len());
        for entry in entries {
            let fd = fds.get_mut(entry.index).and_then(Option::take);
            if let (Some(fd), Ok(name)) = (fd, FdName::new(&entry.name)) {
                checked.push(Checked {
                    name,
                    poll: entry.poll.unwrap_or(true),
                    labels: entry.labels.unwrap_or_default(),
                    expires_usec: self.expiry(entry.expires_in_usec),
                    fd,
                });
            }
        }
        let inserted = self.put_all(&owner, checked)?;
        let mut stored = Vec::with_capacity(inserted.len());
        for inserted in inserted {
            let id = inserted.id();
            let duplicate = matches!(inserted, Inserted::Duplicate(..));
            let watched = match inserted {
                Inserted::New(id) => self.watch_entry(id),
                Inserted::Duplicate(id, fd) => {
                    self.closer.close([fd]);
                    self.store.entry(id).is_some_and(|entry| entry.poll())
                }
            };
            stored.push(Stored {
                id: id.0,
                name: self
                    .store
                    .entry(id)
                    .map(|entry| entry.name().to_string())
                    .unwrap_or_default(),
                duplicate,
                watched,
            });
            if !duplicate {
                self.tell_of(Event::Put, id);
            }
        }
        reply(&PutReply { stored })
    }

    /// Everything that can be said before anything is stored; the owner.
    fn check_put(
        &self,
        who: Subject,
        entries: &[NewEntry],
        owner: Option<&str>,
        fds: usize,
    ) -> Result<String, ApiError> {
        let owner = self.owner(who, owner)?;
        let wrong = |message: String| Err(ApiError::parameter("entries", message));
        if entries.len() != fds {
            return wrong(format!(
                "{} entries are described, but {fds} descriptors came with the message",
                entries.len()
            ));
        }
        if entries.is_empty() {
            return wrong("there is nothing to store".to_owned());
        }
        let mut indexes = BTreeSet::new();
        for entry in entries {
            if let Err(error) = FdName::new(&entry.name) {
                return wrong(error.to_string());
            }
            if entry.index >= fds || !indexes.insert(entry.index) {
                return wrong(format!(
                    "{:?} has the index {}, which is out of range or used twice",
                    entry.name, entry.index
                ));
            }
            let labels = entry.labels.iter().flatten();
            let length = labels.fold(0_usize, |sum, (key, value)| {
                sum.saturating_add(key.len()).saturating_add(value.len())
            });
            if length > MAX_LABELS {
                return wrong(format!(
                    "the labels of {:?} have {length} bytes; at most {MAX_LABELS} are kept",
                    entry.name
                ));
            }
            self.check(who, Verb::Put, &entry.name)?;
        }
        Ok(owner)
    }

    fn put_all(&mut self, owner: &str, checked: Vec<Checked>) -> Result<Vec<Inserted>, ApiError> {
        let mut done = Vec::with_capacity(checked.len());
        let mut checked = checked.into_iter();
        while let Some(new) = checked.next() {
            let label = new.name.to_string();
            match self.insert(owner, &new.name, new.fd, new.poll, new.labels, new.expires_usec) {
                Ok(inserted) => done.push(inserted),
                Err(refused) => {
                    self.closer.close([refused.fd]);
                    self.closer.close(checked.map(|rest| rest.fd));
                    self.undo(done);
                    return Err(refusal(&label, owner, &refused.rule));
                }
            }
        }
        Ok(done)
    }

    /// Nobody was told of them yet, and they are not watched.
    fn undo(&mut self, done: Vec<Inserted>) {
        for inserted in done {
            match inserted {
                Inserted::New(id) => self.closer.close(self.store.remove(id)),
                Inserted::Duplicate(_, fd) => self.closer.close([fd]),
            }
        }
    }
}

fn refusal(name: &str, owner: &str, rule: &Rule) -> ApiError {
    let message = format!("storing {name:?} for {owner}: {rule}; nothing of this call was stored");
    match rule {
        Rule::Unreadable(_) => ApiError::BadDescriptor { message },
        _ => ApiError::QuotaExceeded { message },
    }
}
