//! `list`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::connection::Connection;
use super::output::Output;
use super::{CtlError, cli, some, table};
use crate::api::{ALL_OWNERS, EntryInfo, ListReply, Request};
use crate::duration;

pub(super) fn run(
    connection: &mut Connection,
    list: &cli::List,
    owner: Option<String>,
    out: &Output,
) -> Result<(), CtlError> {
    let owner = if list.all {
        Some(ALL_OWNERS.to_owned())
    } else {
        owner
    };
    let entries = all(connection, some(&list.patterns), owner)?;
    out.value(&entries, || text(&entries, list.all))
}

/// All entries, page by page.
pub(super) fn all(
    connection: &mut Connection,
    patterns: Option<Vec<String>>,
    owner: Option<String>,
) -> Result<Vec<EntryInfo>, CtlError> {
    let mut entries: Vec<EntryInfo> = Vec::new();
    let mut after = None;
    loop {
        let request = Request::List {
            patterns: patterns.clone(),
            owner: owner.clone(),
            after,
        };
        let (page, _): (ListReply, _) = connection.call(&request, &[])?;
        entries.extend(page.entries);
        match page.next {
            Some(next) if after.is_none_or(|after| next > after) => after = Some(next),
            _ => return Ok(entries),
        }
    }
}

fn text(entries: &[EntryInfo], owners: bool) -> String {
    if owners {
        let rows: Vec<[String; 6]> = entries
            .iter()
            .map(|entry| {
                let [name, kind, id, age, expires] = row(entry);
                [name, entry.owner.clone(), kind, id, age, expires]
            })
            .collect();
        table::layout(["NAME", "OWNER", "KIND", "ID", "AGE", "EXPIRES"], &rows)
    } else {
        let rows: Vec<[String; 5]> = entries.iter().map(row).collect();
        table::layout(["NAME", "KIND", "ID", "AGE", "EXPIRES"], &rows)
    }
}

fn row(entry: &EntryInfo) -> [String; 5] {
    let entered = UNIX_EPOCH
        .checked_add(Duration::from_micros(entry.entered_realtime_usec))
        .unwrap_or(UNIX_EPOCH);
    let age = SystemTime::now().duration_since(entered).unwrap_or_default();
    let expires = entry.expires_in_usec.map_or_else(
        || "never".to_owned(),
        |usec| format!("in {}", duration::brief(Duration::from_micros(usec))),
    );
    [
        if entry.name.is_empty() {
            "\"\"".to_owned()
        } else {
            entry.name.clone()
        },
        entry.kind.clone(),
        entry.id.to_string(),
        duration::brief(age),
        expires,
    ]
}
