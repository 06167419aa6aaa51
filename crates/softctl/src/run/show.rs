//! `show`.

use serde_json::{Map, Value, json};
use softboot_control::api::{ApiError, PropertiesReply, Request};

use super::session::Session;
use super::unit_files;
use crate::cli::Show;
use crate::error::Error;
use crate::exit;
use crate::view::show as show_view;

/// Whether a unit is enabled: not softbootd's to say.
const FILE_STATE: &str = "UnitFileState";

pub(super) fn show(session: &mut Session, show: &Show) -> Result<u8, Error> {
    let (names, all_found) = session.expand(&show.units)?;
    let mut sheets = Vec::new();
    if show.units.is_empty() {
        let reply: PropertiesReply =
            session.call("looking at softbootd", &Request::GetProperties { name: None })?;
        sheets.push(reply.properties);
    }
    let wanted: Vec<String> = show
        .property
        .iter()
        .chain(&show.property_value)
        .cloned()
        .collect();
    // Only the disk knows it, and reading it costs.
    let with_state = wanted.is_empty() || wanted.iter().any(|name| name == FILE_STATE);
    for name in names {
        let mut sheet = properties(session, &name)?;
        if with_state {
            sheet.insert(FILE_STATE.to_owned(), json!(unit_files::state_word(&name)));
        }
        sheets.push(sheet);
    }
    let sheets: Vec<_> = sheets.into_iter().map(|sheet| chosen(sheet, &wanted)).collect();
    if session.out.json() {
        let objects: Vec<Map<String, Value>> = sheets
            .into_iter()
            .map(|sheet| sheet.into_iter().collect())
            .collect();
        session.out.print_json(&objects)?;
    } else {
        let options = show_view::Options {
            only_values: show.value || !show.property_value.is_empty(),
            empty_too: show.all || !wanted.is_empty(),
        };
        let texts: Vec<String> = sheets
            .iter()
            .map(|sheet| show_view::properties(sheet, options))
            .collect();
        session.out.print(&texts.join("\n"))?;
    }
    Ok(if all_found { exit::OK } else { exit::NO_SUCH_UNIT })
}

/// A unit's properties; those of a unit that does not exist say so.
fn properties(session: &mut Session, name: &str) -> Result<Map<String, Value>, Error> {
    let request = Request::GetProperties {
        name: Some(name.to_owned()),
    };
    match session.call::<PropertiesReply>(&format!("looking at {name}"), &request) {
        Ok(reply) => Ok(reply.properties),
        Err(Error::Refused { error, .. }) if matches!(*error, ApiError::NoSuchUnit { .. }) => {
            let absent = [
                ("Id", json!(name)),
                ("Names", json!([name])),
                ("LoadState", json!("not-found")),
                ("ActiveState", json!("inactive")),
                ("SubState", json!("dead")),
            ];
            Ok(absent
                .map(|(key, value)| (key.to_owned(), value))
                .into_iter()
                .collect())
        }
        Err(error) => Err(error),
    }
}

/// The wanted properties in the order in which they were asked for; all of them, by name, if none was.
fn chosen(mut sheet: Map<String, Value>, wanted: &[String]) -> Vec<(String, Value)> {
    if wanted.is_empty() {
        return sheet.into_iter().collect();
    }
    let entries = wanted.iter().filter_map(|name| sheet.remove_entry(name));
    entries.collect()
}
