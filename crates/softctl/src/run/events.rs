//! `events`.

use softboot_control::api::{EventReply, Request, SubscribeRequest};

use super::session::Session;
use crate::cli::Events;
use crate::error::Error;
use crate::exit;
use crate::names;
use crate::view::Now;
use crate::view::events as event_view;

pub(super) fn events(session: &mut Session, events: &Events) -> Result<u8, Error> {
    let units = events
        .patterns
        .iter()
        .map(|pattern| names::complete(pattern))
        .collect();
    let out = session.out;
    let request = Request::Subscribe(SubscribeRequest { units });
    let mut written = Ok(());
    session.call_more("subscribing to events", &request, |event: EventReply| {
        written = if out.json() {
            out.print_json_line(&event)
        } else {
            out.print(&event_view::event(&event, Now::read()))
        };
        written.is_ok()
    })?;
    written.map(|()| exit::OK)
}
