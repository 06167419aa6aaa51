//! `watch`.

use super::connection::Connection;
use super::output::Output;
use super::{CtlError, cli, some};
use crate::api::{ALL_OWNERS, Event, Request, WatchReply};

pub(super) fn run(
    connection: &mut Connection,
    watch: &cli::Watch,
    owner: Option<String>,
    out: &Output,
) -> Result<(), CtlError> {
    let request = Request::Watch {
        patterns: some(&watch.patterns),
        owner: if watch.all {
            Some(ALL_OWNERS.to_owned())
        } else {
            owner
        },
    };
    let mut seen: u64 = 0;
    connection.call_more(&request, |reply: WatchReply| {
        out.value(&reply, || text(&reply))?;
        if reply.event != Event::Ready {
            seen = seen.saturating_add(1);
        }
        Ok(watch.count.is_none_or(|count| seen < count))
    })
}

fn text(reply: &WatchReply) -> String {
    let event = match reply.event {
        Event::Ready => "ready",
        Event::Put => "put",
        Event::Removed => "removed",
        Event::Expired => "expired",
        Event::Hangup => "hangup",
    };
    match &reply.entry {
        None => event.to_owned(),
        Some(entry) => format!(
            "{event:8} {} ({}, id {}, {})",
            entry.name, entry.kind, entry.id, entry.owner
        ),
    }
}
