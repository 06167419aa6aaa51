//! What is known of a descriptor, beside the descriptor.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::identity::Identity;
use crate::name::FdName;
use crate::store::{EntryId, InsertOptions, Lifetime};

/// One descriptor, as a store and a manifest know it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) id: EntryId,
    /// Its number in a manifest; what the store itself holds has its number from the kernel.
    pub(crate) fd: i32,
    pub(crate) who: Arc<Who>,
    pub(crate) identity: Identity,
    pub(crate) entered_usec: u64,
    /// What most descriptors have none of.
    pub(crate) extra: Option<Box<Extra>>,
}

/// What the entries of one name usually have in common, and share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) owner: Arc<str>,
    pub(crate) name: FdName,
    pub(crate) poll: bool,
    pub(crate) lifetime: Lifetime,
}

/// The rare members of a [`Record`].
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Extra {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) expires_usec: Option<u64>,
    /// Members that only a newer version knows; passed on.
    pub(crate) unknown: Map<String, Value>,
}

static NO_LABELS: BTreeMap<String, String> = BTreeMap::new();

impl Record {
    pub(crate) fn labels(&self) -> &BTreeMap<String, String> {
        self.extra.as_ref().map_or(&NO_LABELS, |extra| &extra.labels)
    }

    pub(crate) fn expires_usec(&self) -> Option<u64> {
        self.extra.as_ref().and_then(|extra| extra.expires_usec)
    }

    /// What an insertion has to say to make one like this.
    pub(crate) fn options(&self) -> InsertOptions {
        InsertOptions {
            poll: self.who.poll,
            labels: self.labels().clone(),
            lifetime: self.who.lifetime,
            expires_usec: self.expires_usec(),
            ..InsertOptions::default()
        }
    }
}

impl Extra {
    /// `None` when there is nothing to keep.
    pub(crate) fn boxed(self) -> Option<Box<Extra>> {
        (self != Extra::default()).then(|| Box::new(self))
    }
}

/// A record with all its members by name: the form that a manifest is read in when it is not quite as expected.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Members {
    id: EntryId,
    fd: i32,
    owner: String,
    name: FdName,
    #[serde(flatten)]
    identity: Identity,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    poll: bool,
    #[serde(default)]
    lifetime: Lifetime,
    #[serde(default)]
    entered_usec: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_usec: Option<u64>,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

impl Members {
    /// The descriptor's number.
    pub(crate) fn fd(&self) -> i32 {
        self.fd
    }

    /// All of `record`, whose descriptor has this number.
    pub(crate) fn numbered(record: &Record, fd: i32) -> Members {
        Members {
            id: record.id,
            fd,
            owner: record.who.owner.as_ref().to_owned(),
            name: record.who.name.clone(),
            identity: record.identity.clone(),
            poll: record.who.poll,
            lifetime: record.who.lifetime,
            entered_usec: record.entered_usec,
            labels: record.labels().clone(),
            expires_usec: record.expires_usec(),
            unknown: record
                .extra
                .as_ref()
                .map(|extra| extra.unknown.clone())
                .unwrap_or_default(),
        }
    }
}

impl From<Members> for Record {
    fn from(members: Members) -> Record {
        let extra = Extra {
            labels: members.labels,
            expires_usec: members.expires_usec,
            unknown: members.unknown,
        };
        Record {
            id: members.id,
            fd: members.fd,
            who: Arc::new(Who {
                owner: members.owner.into(),
                name: members.name,
                poll: members.poll,
                lifetime: members.lifetime,
            }),
            identity: members.identity,
            entered_usec: members.entered_usec,
            extra: extra.boxed(),
        }
    }
}
