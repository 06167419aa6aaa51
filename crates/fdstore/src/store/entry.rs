//! One descriptor in the store.

use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::clock::realtime_usec;
use crate::identity::Identity;
use crate::name::FdName;
use crate::record::{Extra, Record, Who};

/// Names an entry, in this program and in those that it hands over to. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EntryId(pub u64);

impl EntryId {
    /// The last one: what JSON readers everywhere still hold exactly (2^53 - 1). At a million a second it is reached
    /// after 285 years.
    pub(crate) const MAX: u64 = (1 << 53) - 1;
}

/// What the end of its owner's run means for an entry (semantics 3.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lifetime {
    /// It leaves when a run ends, even if the next one follows at once.
    No,
    /// It stays while another run follows.
    #[default]
    Restart,
    /// It stays until somebody removes it.
    Yes,
    /// It stays unless the owner ends in failure.
    OnSuccess,
}

/// How a run of an owner ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// Another run follows.
    Restart,
    /// None follows; all was well.
    Success,
    /// None follows; it failed.
    Failure,
}

impl Lifetime {
    /// Whether an entry is still there after this.
    pub fn outlives(self, end: RunEnd) -> bool {
        match self {
            Lifetime::No => false,
            Lifetime::Restart => end == RunEnd::Restart,
            Lifetime::Yes => true,
            Lifetime::OnSuccess => end != RunEnd::Failure,
        }
    }
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
    /// How many all owners may have together.
    pub total_limit: Option<usize>,
    /// What the end of its owner's run means for it.
    pub lifetime: Lifetime,
    /// When it is to leave at the latest, in microseconds of CLOCK_BOOTTIME ([`crate::boottime_usec`]). See
    /// [`crate::FdStore::remove_expired`].
    pub expires_usec: Option<u64>,
    /// Free-form data that travels with the entry.
    pub labels: BTreeMap<String, String>,
}

/// What an insertion did.
#[derive(Debug)]
pub enum Inserted {
    /// There is a new entry.
    New(EntryId),
    /// The same open file description was there already: it keeps its name. The new descriptor comes back; to close it
    /// may block (see [`crate::Closer`]).
    Duplicate(EntryId, OwnedFd),
}

impl Inserted {
    /// The entry, new or old.
    pub fn id(&self) -> EntryId {
        match self {
            Inserted::New(id) | Inserted::Duplicate(id, _) => *id,
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
    /// All owners together have as many as they may.
    #[error("the limit of {limit} stored descriptors of all owners is reached")]
    TotalLimit {
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
    pub(crate) record: Record,
    fd: OwnedFd,
}

impl Entry {
    /// Of a descriptor that comes in now.
    pub(super) fn new(
        id: EntryId,
        who: Arc<Who>,
        fd: OwnedFd,
        identity: Identity,
        options: InsertOptions,
    ) -> Entry {
        let extra = Extra {
            labels: options.labels,
            expires_usec: options.expires_usec,
            ..Extra::default()
        };
        let record = Record {
            id,
            fd: fd.as_raw_fd(),
            who,
            identity,
            entered_usec: realtime_usec(),
            extra: extra.boxed(),
        };
        Entry { record, fd }
    }

    /// Of one that came over.
    pub(crate) fn inherited(record: Record, fd: OwnedFd) -> Entry {
        Entry { record, fd }
    }

    /// Its id.
    pub fn id(&self) -> EntryId {
        self.record.id
    }

    /// Whose.
    pub fn owner(&self) -> &str {
        &self.record.who.owner
    }

    /// Its name.
    pub fn name(&self) -> &FdName {
        &self.record.who.name
    }

    /// The descriptor.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// What it is.
    pub fn identity(&self) -> &Identity {
        &self.record.identity
    }

    /// Whether it is to be watched for hang-up.
    pub fn poll(&self) -> bool {
        self.record.who.poll
    }

    /// Free-form data.
    pub fn labels(&self) -> &BTreeMap<String, String> {
        self.record.labels()
    }

    /// What the end of its owner's run means for it.
    pub fn lifetime(&self) -> Lifetime {
        self.record.who.lifetime
    }

    /// When it is to leave, in microseconds of CLOCK_BOOTTIME.
    pub fn expires_usec(&self) -> Option<u64> {
        self.record.expires_usec()
    }

    /// When it was inserted, in microseconds of CLOCK_REALTIME.
    pub fn entered_usec(&self) -> u64 {
        self.record.entered_usec
    }

    /// Only the descriptor.
    pub fn into_fd(self) -> OwnedFd {
        self.fd
    }
}
