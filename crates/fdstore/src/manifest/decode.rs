//! Reading what this version writes, at once. Anything else is an error here, and [`super::loose`] has a second look.

use std::fmt;
use std::sync::Arc;

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::Manifest;
use super::shared::{Member, Shared};
use crate::identity::Common;
use crate::record::Record;
use crate::store::EntryId;

pub(super) fn decode(payload: &[u8]) -> serde_json::Result<Manifest> {
    serde_json::from_slice(payload)
}

impl<'de> Deserialize<'de> for Manifest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Manifest, D::Error> {
        deserializer.deserialize_map(Whole)
    }
}

struct Whole;

impl<'de> Visitor<'de> for Whole {
    type Value = Manifest;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a manifest")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Manifest, A::Error> {
        let mut manifest = Manifest::default();
        let mut has_groups = false;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "writer" => manifest.writer = map.next_value()?,
                "next_id" => manifest.next_id = map.next_value()?,
                "groups" => {
                    map.next_value_seed(Groups {
                        records: &mut manifest.entries,
                        common: None,
                    })?;
                    has_groups = true;
                }
                _ => drop(manifest.unknown.insert(key, map.next_value()?)),
            }
        }
        match has_groups {
            true => Ok(manifest),
            false => Err(de::Error::missing_field("groups")),
        }
    }
}

/// All groups, into one list.
struct Groups<'r> {
    records: &'r mut Vec<Record>,
    /// What the descriptors of the last group are: those of the next one are often the same.
    common: Option<Arc<Common>>,
}

impl<'de> DeserializeSeed<'de> for Groups<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Groups<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("groups of entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut groups: A) -> Result<(), A::Error> {
        while groups.next_element_seed(Group(&mut self))?.is_some() {}
        Ok(())
    }
}

struct Group<'g, 'r>(&'g mut Groups<'r>);

impl<'de> DeserializeSeed<'de> for Group<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Group<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a group of entries")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut shared = Shared::default();
        let mut columns: Option<Vec<Column>> = None;
        let mut has_rows = false;
        while let Some(key) = map.next_key::<Member>()? {
            match (key, &columns) {
                (_, _) if has_rows => return Err(de::Error::custom("members after the rows")),
                (Member::Columns, None) => columns = Some(map.next_value()?),
                // Everything shared comes before the rows, so that they become entries at once.
                (Member::Rows, Some(columns)) => {
                    let prototype = std::mem::take(&mut shared).prototype(&mut self.0.common)?;
                    let records = &mut *self.0.records;
                    map.next_value_seed(Rows {
                        prototype,
                        columns,
                        records,
                    })?;
                    has_rows = true;
                }
                (Member::Rows | Member::Columns, _) => return Err(de::Error::custom("an unusual order")),
                (Member::OfRows, _) => return Err(de::Error::custom("a column is shared")),
                (Member::Owner, _) => shared.owner = Some(map.next_value()?),
                (Member::Name, _) => shared.name = Some(map.next_value()?),
                (Member::Kind, _) => shared.kind = Some(map.next_value()?),
                (Member::Device, _) => shared.device = Some(map.next_value()?),
                (Member::Rdev, _) => shared.rdev = map.next_value()?,
                (Member::Cookie, _) => shared.cookie = map.next_value()?,
                (Member::Access, _) => shared.access = Some(map.next_value()?),
                (Member::Seals, _) => shared.seals = map.next_value()?,
                (Member::Poll, _) => shared.poll = map.next_value()?,
                (Member::Lifetime, _) => shared.lifetime = map.next_value()?,
                (Member::EnteredUsec, _) => shared.entered_usec = map.next_value()?,
                (Member::Labels, _) => shared.extra.labels = map.next_value()?,
                (Member::ExpiresUsec, _) => shared.extra.expires_usec = map.next_value()?,
                (Member::Unknown(key), _) => drop(shared.extra.unknown.insert(key, map.next_value()?)),
            }
        }
        match has_rows {
            true => Ok(()),
            false => Err(de::Error::custom("no rows")),
        }
    }
}

/// The numbers that differ between the entries of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Column {
    Id,
    Fd,
    Inode,
    EnteredUsec,
    Cookie,
}

struct Rows<'r> {
    prototype: Record,
    columns: &'r [Column],
    records: &'r mut Vec<Record>,
}

impl<'de> DeserializeSeed<'de> for Rows<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        for (position, column) in self.columns.iter().enumerate() {
            if self
                .columns
                .iter()
                .skip(position.saturating_add(1))
                .any(|other| other == column)
            {
                return Err(de::Error::custom("a column comes twice"));
            }
        }
        if [Column::Id, Column::Fd, Column::Inode]
            .iter()
            .any(|needed| !self.columns.contains(needed))
        {
            return Err(de::Error::custom("a column is missing"));
        }
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        let row = || Row {
            prototype: &self.prototype,
            columns: self.columns,
        };
        while let Some(record) = rows.next_element_seed(row())? {
            self.records.push(record);
        }
        Ok(())
    }
}

struct Row<'r> {
    prototype: &'r Record,
    columns: &'r [Column],
}

impl<'de> DeserializeSeed<'de> for Row<'_> {
    type Value = Record;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Record, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Row<'_> {
    type Value = Record;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a row of {} numbers", self.columns.len())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut row: A) -> Result<Record, A::Error> {
        let mut record = self.prototype.clone();
        let few = || de::Error::custom("a row is too short");
        for column in self.columns {
            let number: u64 = row.next_element()?.ok_or_else(few)?;
            match column {
                Column::Id => record.id = EntryId(number),
                Column::Fd => record.fd = i32::try_from(number).map_err(de::Error::custom)?,
                Column::Inode => record.identity.inode = number,
                Column::EnteredUsec => record.entered_usec = number,
                Column::Cookie => record.identity.cookie = Some(number),
            }
        }
        // A longer row is refused by the deserializer itself.
        Ok(record)
    }
}
