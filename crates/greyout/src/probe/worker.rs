//! The loop of one endpoint.

use std::sync::atomic::{AtomicBool, Ordering};

use super::Schedule;
use crate::attempt::Attempt;
use crate::clock;
use crate::endpoint::Client;

/// What the loop tells.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// An attempt begins.
    Begun { due: u64, started: u64 },
    /// It is done.
    Done {
        attempt: Attempt,
        /// The loop slept before it, so that its lateness is not the endpoint's doing.
        woken: bool,
        /// It was answered over a connection in the place of one that was lost.
        reconnected: bool,
    },
}

/// Makes attempts until `stop`.
pub(super) fn probe(client: &mut Client, schedule: Schedule, stop: &AtomicBool, mut tell: impl FnMut(Step)) {
    // A sleep of this thread may end late by its timer slack, 50 us unless one says otherwise (prctl(2)).
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
    for index in 0.. {
        let due = schedule.due(index);
        let woken = clock::sleep_unless(due, stop);
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let started = clock::now();
        tell(Step::Begun { due, started });
        let outcome = client.attempt();
        tell(Step::Done {
            attempt: Attempt {
                due,
                started,
                finished: clock::now(),
                outcome,
            },
            woken,
            reconnected: client.reconnected(),
        });
    }
}
