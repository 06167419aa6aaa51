//! Reading what is damaged, or newer: entry by entry, so that a bad one costs only itself.

use serde::Deserialize as _;
use serde_json::{Map, Value};

use super::Manifest;
use crate::envelope::ManifestError;
use crate::name::FdName;
use crate::record::{Members, Record};

/// An entry that is none, with what can still be read of it.
#[derive(Debug)]
pub(crate) struct Malformed {
    pub(crate) fd: Option<i32>,
    pub(crate) owner: Option<String>,
    pub(crate) name: Option<FdName>,
    pub(crate) reason: String,
}

impl Malformed {
    fn new(members: &Map<String, Value>, reason: String) -> Malformed {
        let text = |member: &str| members.get(member).and_then(Value::as_str);
        Malformed {
            fd: members
                .get("fd")
                .and_then(Value::as_i64)
                .and_then(|fd| i32::try_from(fd).ok()),
            owner: text("owner").map(str::to_owned),
            name: text("name").and_then(|name| FdName::new(name).ok()),
            reason: format!("its entry in the manifest cannot be decoded: {reason}"),
        }
    }
}

pub(super) fn decode(payload: &[u8]) -> Result<(Manifest, Vec<Malformed>), ManifestError> {
    let mut whole: Map<String, Value> = serde_json::from_slice(payload)?;
    let Some(Value::Array(groups)) = whole.remove("groups") else {
        return Err(ManifestError::Inconsistent("it has no list of groups".to_owned()));
    };
    let mut manifest = Manifest {
        writer: match whole.remove("writer") {
            Some(Value::String(writer)) => writer,
            _ => String::new(),
        },
        next_id: whole
            .remove("next_id")
            .and_then(|next| next.as_u64())
            .unwrap_or(0),
        entries: Vec::new(),
        unknown: whole,
    };
    let mut malformed = Vec::new();
    for value in groups {
        for members in rows(value) {
            let members = match members {
                Ok(members) => members,
                Err(bad) => {
                    malformed.push(bad);
                    continue;
                }
            };
            match Members::deserialize(&Value::Object(members.clone())) {
                Ok(read) => manifest.entries.push(Record::from(read)),
                Err(error) => malformed.push(Malformed::new(&members, error.to_string())),
            }
        }
    }
    Ok((manifest, malformed))
}

/// All members of each entry of a group.
fn rows(group: Value) -> Vec<Result<Map<String, Value>, Malformed>> {
    let Value::Object(mut shared) = group else {
        return vec![Err(Malformed::new(
            &Map::new(),
            "its group is no object".to_owned(),
        ))];
    };
    let columns = match shared.remove("columns") {
        Some(columns) => Vec::<String>::deserialize(columns).map_err(|error| error.to_string()),
        None => Err("there are none".to_owned()),
    };
    let columns = match columns {
        Ok(columns) => columns,
        Err(error) => return vec![Err(Malformed::new(&shared, format!("the columns: {error}")))],
    };
    let Some(Value::Array(rows)) = shared.remove("rows") else {
        return vec![Err(Malformed::new(&shared, "its group has no rows".to_owned()))];
    };
    let whole = |row: Value| {
        let Value::Array(row) = row else {
            return Err(Malformed::new(&shared, "its row is no list".to_owned()));
        };
        let fits = row.len() == columns.len();
        let mut members = shared.clone();
        members.extend(columns.iter().cloned().zip(row));
        match fits {
            true => Ok(members),
            false => Err(Malformed::new(
                &members,
                "its row does not fit the columns".to_owned(),
            )),
        }
    };
    rows.into_iter().map(whole).collect()
}
