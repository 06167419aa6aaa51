//! The interface `io.softboot.FdStore` (see the description beside this file), as types.

mod error;
mod request;

pub use error::ApiError;
pub use request::Request;

use std::collections::BTreeMap;

use fdstore::{Access, Entry, boottime_usec};
use serde::{Deserialize, Serialize};

/// The interface's name.
pub const INTERFACE: &str = "io.softboot.FdStore";
/// The standard interface beside it.
pub const SERVICE: &str = "org.varlink.service";
/// The interface as Varlink describes it.
pub const DESCRIPTION: &str = include_str!("io.softboot.FdStore.varlink");
/// The standard interface, as varlink.org defines it.
pub const SERVICE_DESCRIPTION: &str = include_str!("org.varlink.service.varlink");
/// The most entries in one reply of List.
pub const PAGE: usize = 512;
/// Stands for every owner where root only looks.
pub const ALL_OWNERS: &str = "*";

/// The owner that a user is.
pub fn owner_of(uid: u32) -> String {
    format!("uid:{uid}")
}

/// The user that an owner is.
pub fn uid_of(owner: &str) -> Option<u32> {
    let uid = owner.strip_prefix("uid:")?.parse().ok()?;
    (owner_of(uid) == owner).then_some(uid)
}

/// One stored descriptor, as clients see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EntryInfo {
    /// Names it, for good.
    pub id: u64,
    /// Its name, which others may have, too.
    pub name: String,
    /// Whose it is.
    pub owner: String,
    /// What it is.
    pub kind: String,
    /// How it may be used.
    pub access: Access,
    /// st_dev.
    pub device: u64,
    /// st_ino.
    pub inode: u64,
    /// SO_COOKIE of a socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookie: Option<u64>,
    /// It leaves when it hangs up.
    pub poll: bool,
    /// Free-form data.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// When it was stored, CLOCK_REALTIME.
    pub entered_realtime_usec: u64,
    /// How long it still stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_usec: Option<u64>,
    /// Where its duplicate is among the descriptors of this message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
}

impl From<&Entry> for EntryInfo {
    fn from(entry: &Entry) -> EntryInfo {
        let identity = entry.identity();
        EntryInfo {
            id: entry.id().0,
            name: entry.name().to_string(),
            owner: entry.owner().to_owned(),
            kind: identity.kind().to_string(),
            access: identity.access(),
            device: identity.device(),
            inode: identity.inode(),
            cookie: identity.cookie(),
            poll: entry.poll(),
            labels: entry.labels().clone(),
            entered_realtime_usec: entry.entered_usec(),
            expires_in_usec: entry.expires_usec().map(|at| at.saturating_sub(boottime_usec())),
            index: None,
        }
    }
}

/// One descriptor to be stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewEntry {
    /// Its name.
    pub name: String,
    /// Where it is among the descriptors of this message.
    pub index: usize,
    /// Free-form data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// How long to keep it; 0: for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_usec: Option<u64>,
    /// Let go of it when it hangs up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll: Option<bool>,
}

/// What became of one descriptor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Its id.
    pub id: u64,
    /// Its name; of a duplicate, the one that was there.
    pub name: String,
    /// The same open file description was there already.
    pub duplicate: bool,
    /// It leaves when it hangs up.
    pub watched: bool,
}

/// The reply of Put.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutReply {
    /// In the order of the call.
    pub stored: Vec<Stored>,
}

/// The reply of Get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetReply {
    /// Oldest first, with their indexes.
    pub entries: Vec<EntryInfo>,
}

/// The reply of List.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListReply {
    /// Oldest first.
    pub entries: Vec<EntryInfo>,
    /// Where to go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// The reply of Remove.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveReply {
    /// How many entries left.
    pub removed: u64,
}

/// What happened to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// Nothing yet: from now on events are told.
    Ready,
    /// It was stored.
    Put,
    /// Somebody removed or took it.
    Removed,
    /// Its time was over.
    Expired,
    /// It hung up.
    Hangup,
}

/// A reply of Watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchReply {
    /// What happened.
    pub event: Event,
    /// To what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<EntryInfo>,
}

/// The reply of Upgrade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpgradeReply {
    /// The process, which is the same.
    pub pid: i32,
    /// The new program's version.
    pub version: String,
    /// Descriptors that came over.
    pub entries: u64,
    /// Connections that came over.
    pub connections: u64,
    /// Descriptors that were not what they should be, and were let go.
    pub quarantined: u64,
}

#[cfg(test)]
mod tests;
