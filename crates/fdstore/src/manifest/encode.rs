//! Writing.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::ser::{SerializeSeq as _, SerializeTuple as _, Serializer};
use serde_json::{Map, Value};

use super::Manifest;
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

struct Rows<'m>(&'m [Record]);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.0.len()))?;
        for record in self.0 {
            rows.serialize_element(&Row(record))?;
        }
        rows.end()
    }
}

struct Row<'m>(&'m Record);

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Row(record) = self;
        let mut row = serializer.serialize_tuple(COLUMNS.len())?;
        row.serialize_element(&record.id.0)?;
        row.serialize_element(&record.fd)?;
        row.serialize_element(&record.identity.inode)?;
        row.serialize_element(&record.entered_usec)?;
        if let Some(cookie) = record.identity.cookie {
            row.serialize_element(&cookie)?;
        }
        row.end()
    }
}

/// Whether two entries differ in nothing but what a row says.
fn alike(a: &Record, b: &Record) -> bool {
    let shared = |record: &Record| {
        let identity = &record.identity;
        (
            identity.device,
            identity.rdev,
            identity.access,
            identity.seals,
            identity.cookie.is_some(),
            record.poll,
            record.lifetime,
        )
    };
    shared(a) == shared(b)
        && a.owner == b.owner
        && a.name == b.name
        && a.identity.kind == b.identity.kind
        && a.extra == b.extra
}

fn group(records: &[Record]) -> Option<Group<'_>> {
    let record = records.first()?;
    let identity = &record.identity;
    let columns = if identity.cookie.is_some() {
        COLUMNS.len()
    } else {
        COLUMNS.len().saturating_sub(1)
    };
    Some(Group {
        owner: &record.owner,
        name: &record.name,
        kind: &identity.kind,
        device: identity.device,
        rdev: identity.rdev,
        access: identity.access,
        seals: identity.seals,
        poll: record.poll,
        lifetime: record.lifetime,
        labels: record.labels(),
        expires_usec: record.expires_usec(),
        unknown: record.extra.as_ref().map(|extra| &extra.unknown),
        columns: COLUMNS.get(..columns)?,
        rows: Rows(records),
    })
}

impl Manifest {
    pub(super) fn encode(&self) -> serde_json::Result<Vec<u8>> {
        let whole = Whole {
            writer: &self.writer,
            next_id: self.next_id,
            groups: self.entries.chunk_by(alike).filter_map(group).collect(),
            unknown: &self.unknown,
        };
        let mut bytes = Vec::with_capacity(self.entries.len().saturating_mul(48).saturating_add(1024));
        serde_json::to_writer(&mut bytes, &whole)?;
        Ok(bytes)
    }
}
