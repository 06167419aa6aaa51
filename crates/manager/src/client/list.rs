//! `io.systemd.Unit.List` of everything, with `more`: reply by reply, as the client takes them.
//!
//! No more is rendered than fills a small part of the client's buffer. The next is rendered when it has read that, from
//! what holds then, so a client that reads slowly, or not at all, costs as little as one that is idle. One entry is kept
//! in hand, because the last one is sent differently, and the units after it may be gone when their turn comes.

use serde_json::Value;
use softboot_engine::UnitId;

use super::Waiting;
use crate::run::Manager;

/// Unread bytes after which nothing more is rendered.
const ENOUGH: usize = 64 * 1024;
/// Entries rendered in one turn, whoever takes them.
const PER_TURN: usize = 128;

impl Manager {
    /// Begins the list. False when there is no unit at all.
    pub(super) fn begin_unit_list(&mut self, client: u64) -> bool {
        let Some((after, held)) = self.units_after(None).next() else {
            return false;
        };
        self.clients
            .set_waiting(client, Some(Waiting::Units { after, held }));
        true
    }

    /// Gives a client what there is room for. Room for more wakes it again.
    pub(super) fn feed_unit_list(&mut self, client: u64) {
        let Some(Waiting::Units { mut after, mut held }) = self.clients.waiting(client).cloned() else {
            return;
        };
        let room = ENOUGH.saturating_sub(self.clients.unread(client));
        let mut replies = Vec::new();
        let mut used = 0_usize;
        let mut next = self.units_after(Some(after));
        let mut last = false;
        while used < room && replies.len() < PER_TURN {
            used = used.saturating_add(held.to_string().len());
            match next.next() {
                Some((unit, entry)) => {
                    replies.push(std::mem::replace(&mut held, entry));
                    after = unit;
                }
                None => {
                    last = true;
                    break;
                }
            }
        }
        drop(next);
        for reply in replies {
            self.send(client, |connection| connection.reply_continues(&reply));
        }
        if last {
            return self.finish(client, &held);
        }
        self.clients
            .set_waiting(client, Some(Waiting::Units { after, held }));
        self.write_client(client);
    }

    /// The entries of the units after one, in the order of their numbers.
    fn units_after(&self, after: Option<UnitId>) -> impl Iterator<Item = (UnitId, Value)> {
        self.engine
            .ids()
            .filter(move |unit| after.is_none_or(|after| *unit > after))
            .filter_map(|unit| {
                let entry = serde_json::to_value(self.unit_entry(unit)?).ok()?;
                Some((unit, entry))
            })
    }
}
