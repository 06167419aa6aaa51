//! `blame`, `critical-chain` and `greyout`.

use softboot_control::api::{DependenciesReply, GreyoutReply, Request, TimelineReply};

use super::session::Session;
use super::single;
use crate::error::Error;
use crate::exit;
use crate::view::{boot_time as view, greyout as greyout_view};

pub(super) fn blame(session: &mut Session) -> Result<u8, Error> {
    let timeline = timeline(session)?;
    let list = view::starts(&timeline);
    if session.out.json() {
        let list: Vec<_> = list
            .iter()
            .map(|(usec, name)| serde_json::json!({ "unit": name, "startUsec": usec }))
            .collect();
        session.out.print_json(&list)?;
    } else {
        session.out.print(&view::blame(&list))?;
    }
    Ok(exit::OK)
}

pub(super) fn critical_chain(session: &mut Session, word: &str) -> Result<u8, Error> {
    let name = session.unit(&single(word)?)?.unit.name;
    let timeline = timeline(session)?;
    let relations = vec!["After".to_owned()];
    let reply: DependenciesReply =
        session.call("list of dependencies", &Request::ListDependencies { relations })?;
    let chain = view::chain(&name, &timeline, &reply.units);
    if session.out.json() {
        let list: Vec<_> = chain
            .iter()
            .map(|link| {
                serde_json::json!({ "unit": link.name, "activeAfterUsec": link.at, "startUsec": link.took })
            })
            .collect();
        session.out.print_json(&list)?;
    } else {
        session
            .out
            .show(&(), |shown| view::critical_chain(&chain, shown))?;
    }
    Ok(exit::OK)
}

pub(super) fn greyout(session: &mut Session, last: u32) -> Result<u8, Error> {
    let request = Request::Greyout { last: Some(last) };
    let reply: GreyoutReply = session.call("looking at the last soft-reboots", &request)?;
    session
        .out
        .show(&reply.cycles, |shown| greyout_view::cycles(&reply.cycles, shown))?;
    Ok(exit::OK)
}

fn timeline(session: &mut Session) -> Result<TimelineReply, Error> {
    let reply: TimelineReply = session.call("looking at the time line", &Request::Timeline {})?;
    if reply.boot_finished_usec.is_none() {
        session
            .out
            .note("The boot is not complete yet; `softctl list-jobs` shows what it waits for.");
    }
    Ok(reply)
}
