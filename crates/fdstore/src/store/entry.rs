//! One descriptor in the store.

use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::identity::Identity;
use crate::name::FdName;

/// Names an entry, in this program and in those that it hands over to. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EntryId(pub u64);

impl EntryId {
    /// The last one: what JSON readers everywhere still hold exactly (2^53 - 1). At a million a second it is reached
    /// after 285 years.
    pub(crate) const MAX: u64 = (1 << 53) - 1;
}

/// How to insert.
#[derive(Clone, Debug, Default)]
pub struct InsertOptions {
    /// The entry is to be watched for hang-up (FDPOLL, semantics 3.5). The store only remembers it.
    pub poll: bool,
    /// Refuse nothing, but keep one entry where the same open file description comes twice.
    pub deduplicate: bool,
    /// How many the owner may have.
    pub owner_limit: Option<usize>,
    /// Free-form data that travels with the entry.
    pub labels: BTreeMap<String, String>,
}

/// What an insertion did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// There is a new entry.
    New(EntryId),
    /// The same open file description was there already: it keeps its name, and the new descriptor is closed.
    Duplicate(EntryId),
}

impl Inserted {
    /// The entry, new or old.
    pub fn id(self) -> EntryId {
        match self {
            Inserted::New(id) | Inserted::Duplicate(id) => id,
        }
    }
}

/// The rule that a refused descriptor broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rule {
    /// Nothing can be found out about it.
    #[error("the descriptor cannot be looked at: {0}")]
    Unreadable(Errno),
    /// The owner has as many as it may.
    #[error("the limit of {limit} stored descriptors is reached")]
    OwnerLimit {
        /// The limit.
        limit: usize,
    },
    /// Every id was given to an entry once.
    #[error("there are no more entry ids")]
    IdsExhausted,
}

/// A refusal: the descriptor comes back.
#[derive(Debug)]
pub struct InsertError {
    /// The descriptor.
    pub fd: OwnedFd,
    /// Why.
    pub rule: Rule,
}

impl fmt::Display for InsertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rule.fmt(f)
    }
}

impl std::error::Error for InsertError {}

/// One descriptor with everything that is known of it.
#[derive(Debug)]
pub struct Entry {
    id: EntryId,
    owner: String,
    name: FdName,
    fd: OwnedFd,
    identity: Identity,
    poll: bool,
    labels: BTreeMap<String, String>,
    entered_usec: u64,
    pub(crate) unknown: serde_json::Map<String, serde_json::Value>,
}

impl Entry {
    pub(crate) fn new(
        id: EntryId,
        owner: &str,
        name: &FdName,
        fd: OwnedFd,
        identity: Identity,
        options: InsertOptions,
    ) -> Entry {
        let now = clock_gettime(ClockId::Realtime);
        let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
        let micros = u64::try_from(now.tv_nsec).unwrap_or(0) / 1_000;
        Entry {
            id,
            owner: owner.to_owned(),
            name: name.clone(),
            fd,
            identity,
            poll: options.poll,
            labels: options.labels,
            entered_usec: seconds.saturating_mul(1_000_000).saturating_add(micros),
            unknown: serde_json::Map::new(),
        }
    }

    /// Gives back the time of entry that another program noted.
    pub(crate) fn with_history(
        mut self,
        entered_usec: u64,
        unknown: serde_json::Map<String, serde_json::Value>,
    ) -> Entry {
        self.entered_usec = entered_usec;
        self.unknown = unknown;
        self
    }

    /// Its id.
    pub fn id(&self) -> EntryId {
        self.id
    }

    /// Whose.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Its name.
    pub fn name(&self) -> &FdName {
        &self.name
    }

    /// The descriptor.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// What it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether it is to be watched for hang-up.
    pub fn poll(&self) -> bool {
        self.poll
    }

    /// Free-form data.
    pub fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }

    /// When it was inserted, in microseconds of CLOCK_REALTIME.
    pub fn entered_usec(&self) -> u64 {
        self.entered_usec
    }

    /// What an insertion has to say to make one like this.
    pub(crate) fn options(&self) -> InsertOptions {
        InsertOptions {
            poll: self.poll,
            labels: self.labels.clone(),
            ..InsertOptions::default()
        }
    }

    pub(crate) fn into_fd(self) -> OwnedFd {
        self.fd
    }
}
