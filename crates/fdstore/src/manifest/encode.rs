//! Writing.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde::ser::{SerializeSeq as _, SerializeTuple as _, Serializer};
use serde_json::{Map, Value};

use crate::identity::{Access, FdKind};
use crate::name::FdName;
use crate::record::Record;
use crate::store::Lifetime;

/// What the rows of a group say, in this order; the last one only where there is one.
const COLUMNS: [&str; 5] = ["id", "fd", "inode", "entered_usec", "cookie"];

#[derive(Serialize)]
struct Whole<'m> {
    writer: &'m str,
    next_id: u64,
    groups: Vec<Group<'m>>,
    #[serde(flatten)]
    unknown: &'m Map<String, Value>,
}

#[derive(Serialize)]
struct Group<'m> {
    owner: &'m str,
    name: &'m FdName,
    kind: &'m FdKind,
    device: u64,
    #[serde(skip_serializing_if = "is_zero")]
    rdev: u64,
    access: Access,
    #[serde(skip_serializing_if = "Option::is_none")]
    seals: Option<u32>,
    poll: bool,
    lifetime: Lifetime,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: &'m BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_usec: Option<u64>,
    #[serde(flatten)]
    unknown: Option<&'m Map<String, Value>>,
    columns: &'m [&'static str],
    rows: Rows<'m>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// An entry and the number that the manifest gives its descriptor.
pub(crate) type Numbered<'m> = (&'m Record, i32);

struct Rows<'m>(&'m [Numbered<'m>]);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.0.len()))?;
        for numbered in self.0 {
            rows.serialize_element(&Row(*numbered))?;
        }
        rows.end()
    }
}

struct Row<'m>(Numbered<'m>);

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Row((record, fd)) = self;
        let mut row = serializer.serialize_tuple(COLUMNS.len())?;
        row.serialize_element(&record.id.0)?;
        row.serialize_element(fd)?;
        row.serialize_element(&record.identity.inode)?;
        row.serialize_element(&record.entered_usec)?;
        if let Some(cookie) = record.identity.cookie {
            row.serialize_element(&cookie)?;
        }
        row.end()
    }
}

/// Whether two entries differ in nothing but what a row says.
fn alike((a, _): &Numbered<'_>, (b, _): &Numbered<'_>) -> bool {
    let (one, other) = (&a.identity, &b.identity);
    // Entries that are alike usually share what they have in common.
    (Arc::ptr_eq(&a.who, &b.who) || a.who == b.who)
        && (Arc::ptr_eq(&one.common, &other.common) || one.common == other.common)
        && one.cookie.is_some() == other.cookie.is_some()
        && a.extra == b.extra
}

fn group<'m>(entries: &'m [Numbered<'m>]) -> Option<Group<'m>> {
    let (record, _) = entries.first()?;
    let (who, common) = (&record.who, &record.identity.common);
    let columns = if record.identity.cookie.is_some() {
        COLUMNS.len()
    } else {
        COLUMNS.len().saturating_sub(1)
    };
    Some(Group {
        owner: &who.owner,
        name: &who.name,
        kind: &common.kind,
        device: common.device,
        rdev: common.rdev,
        access: common.access,
        seals: common.seals,
        poll: who.poll,
        lifetime: who.lifetime,
        labels: record.labels(),
        expires_usec: record.expires_usec(),
        unknown: record.extra.as_ref().map(|extra| &extra.unknown),
        columns: COLUMNS.get(..columns)?,
        rows: Rows(entries),
    })
}

/// Writes the payload. `entries` are in the order of their ids.
pub(super) fn encode(
    writer: &str,
    next_id: u64,
    entries: &[Numbered<'_>],
    unknown: &Map<String, Value>,
) -> serde_json::Result<Vec<u8>> {
    let whole = Whole {
        writer,
        next_id,
        groups: entries.chunk_by(alike).filter_map(group).collect(),
        unknown,
    };
    let mut bytes = Vec::with_capacity(entries.len().saturating_mul(48).saturating_add(1024));
    serde_json::to_writer(&mut bytes, &whole)?;
    Ok(bytes)
}
