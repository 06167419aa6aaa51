//! `list-sockets`.

use softboot_control::api::{ListUnitsReply, Request, UnitReply};

use super::session::Session;
use crate::cli::ListSockets;
use crate::error::Error;
use crate::exit;
use crate::names;
use crate::view::sockets as socket_view;

pub(super) fn list(session: &mut Session, list: &ListSockets) -> Result<u8, Error> {
    let request = Request::ListUnits {
        patterns: vec!["*.socket".to_owned()],
        all: true,
    };
    let reply: ListUnitsReply = session.call("list of sockets", &request)?;
    let wanted = |name: &str| {
        list.patterns.is_empty()
            || list
                .patterns
                .iter()
                .any(|pattern| softboot_control::api::glob_match(&completed(pattern), name))
    };
    let mut sockets: Vec<UnitReply> = Vec::new();
    for unit in reply.units {
        if !wanted(&unit.name) || (!list.all && unit.active != "active") {
            continue;
        }
        match session.unit(&unit.name) {
            Ok(socket) => sockets.push(socket),
            // It went away between the two calls, or is only a name.
            Err(Error::Refused { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    session
        .out
        .show(&sockets, |view| socket_view::sockets(&sockets, view))?;
    Ok(exit::OK)
}

/// `light` means `light.socket` here.
fn completed(pattern: &str) -> String {
    if names::is_pattern(pattern) || pattern.ends_with(".socket") {
        pattern.to_owned()
    } else {
        format!("{pattern}.socket")
    }
}
