//! What the entries of a group have in common.

use std::fmt;
use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer, Visitor};

use crate::identity::{Access, Common, FdKind, Identity};
use crate::name::FdName;
use crate::record::{Extra, Record, Who};
use crate::store::{EntryId, Lifetime};

/// The name of a member of a group.
pub(super) enum Member {
    Columns,
    Rows,
    Owner,
    Name,
    Kind,
    Device,
    Rdev,
    Cookie,
    Access,
    Seals,
    Poll,
    Lifetime,
    EnteredUsec,
    Labels,
    ExpiresUsec,
    /// What every row says for itself.
    OfRows,
    Unknown(String),
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Member, D::Error> {
        deserializer.deserialize_identifier(MemberName)
    }
}

struct MemberName;

impl Visitor<'_> for MemberName {
    type Value = Member;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Member, E> {
        Ok(match name {
            "columns" => Member::Columns,
            "rows" => Member::Rows,
            "owner" => Member::Owner,
            "name" => Member::Name,
            "kind" => Member::Kind,
            "device" => Member::Device,
            "rdev" => Member::Rdev,
            "cookie" => Member::Cookie,
            "access" => Member::Access,
            "seals" => Member::Seals,
            "poll" => Member::Poll,
            "lifetime" => Member::Lifetime,
            "entered_usec" => Member::EnteredUsec,
            "labels" => Member::Labels,
            "expires_usec" => Member::ExpiresUsec,
            "id" | "fd" | "inode" => Member::OfRows,
            _ => Member::Unknown(name.to_owned()),
        })
    }
}

/// What holds for every entry of a group.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) owner: Option<String>,
    pub(super) name: Option<FdName>,
    pub(super) kind: Option<FdKind>,
    pub(super) device: Option<u64>,
    pub(super) rdev: u64,
    pub(super) cookie: Option<u64>,
    pub(super) access: Option<Access>,
    pub(super) seals: Option<u32>,
    pub(super) poll: bool,
    pub(super) lifetime: Lifetime,
    pub(super) entered_usec: u64,
    pub(super) extra: Extra,
}

impl Shared {
    /// The entry that all rows begin as.
    pub(super) fn prototype<E: de::Error>(self, last: &mut Option<Arc<Common>>) -> Result<Record, E> {
        let missing = E::missing_field;
        let common = Common {
            kind: self.kind.ok_or_else(|| missing("kind"))?,
            device: self.device.ok_or_else(|| missing("device"))?,
            rdev: self.rdev,
            access: self.access.ok_or_else(|| missing("access"))?,
            seals: self.seals,
        };
        let common = match last {
            Some(last) if **last == common => Arc::clone(last),
            _ => Arc::clone(last.insert(Arc::new(common))),
        };
        Ok(Record {
            id: EntryId(0),
            fd: 0,
            who: Arc::new(Who {
                owner: self.owner.ok_or_else(|| missing("owner"))?.into(),
                name: self.name.ok_or_else(|| missing("name"))?,
                poll: self.poll,
                lifetime: self.lifetime,
            }),
            identity: Identity {
                common,
                inode: 0,
                cookie: self.cookie,
            },
            entered_usec: self.entered_usec,
            extra: self.extra.boxed(),
        })
    }
}
