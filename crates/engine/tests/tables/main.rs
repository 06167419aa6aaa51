//! The tables of semantics chapters 1, 3 and 4 that are about states: row by row.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test program a panic is how a failure shows"
)]

#[path = "../common/mod.rs"]
mod common;

mod ends;
mod killing;
mod notifications;
mod places;
mod restarts;
mod sockets;
mod stops;
mod timers;

use common::World;
use softboot_engine::*;
use softboot_unit::*;

const UNIT: &str = "a.service";

/// The lists of commands that were begun, in order.
fn lists(world: &World) -> Vec<ExecList> {
    let spawned = world.trace.iter().filter_map(|action| match action {
        Action::Spawn(spawn) => Some(spawn.command.list),
        _ => None,
    });
    spawned.collect()
}

/// The signals that were sent, to whom.
fn signals(world: &World) -> Vec<(KillWhom, i32)> {
    let sent = world.trace.iter().filter_map(|action| match action {
        Action::Kill { whom, signal, .. } => Some((*whom, *signal)),
        _ => None,
    });
    sent.collect()
}

fn result(world: &World, unit: &str) -> String {
    world.status(unit).result.unwrap()
}

/// The limit of the state is over. What follows from processes that are signalled then is still on its way.
fn expire(world: &mut World, unit: &str) {
    let timer = TimerId {
        unit: world.id(unit),
        kind: TimerKind::State,
    };
    let at = world
        .timers
        .remove(&timer)
        .unwrap_or_else(|| panic!("{} has no limit", world.sub(unit)));
    world.now = world.now.max(at.0);
    world.step(Event::Timer(timer));
}

/// A main process says this.
fn says(world: &mut World, message: Notification) {
    let unit = world.id(UNIT);
    let sender = Sender::Main;
    world.feed(Event::Notify {
        unit,
        sender,
        message,
    });
}
