//! The prober: attempts at a fixed rate, one in flight, until it is told to stop.

mod costs;
mod machine;
mod marks;
mod session;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::attempt::Attempt;
use crate::clock;
use crate::endpoint::{Client, Endpoint};

pub use marks::{MarkError, parse_mark, send_mark};
pub use session::{Finished, Plan, Probe, SessionError, header, run};

/// The due times of the attempts: fixed, whatever the attempts do.
///
/// An attempt that takes longer than the interval makes the next ones late; they keep their due times, run one after
/// the other, and so their latencies show what a client would have waited (no coordinated omission).
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    start: u64,
    interval: u64,
}

impl Schedule {
    /// Due at `start` (nanoseconds) and every `interval` from then on.
    pub fn new(start: u64, interval: Duration) -> Schedule {
        Schedule {
            start,
            interval: clock::span(interval).max(1),
        }
    }

    /// When attempt `index` is due.
    pub fn due(&self, index: u64) -> u64 {
        self.start.saturating_add(self.interval.saturating_mul(index))
    }
}

/// A prober at work in a thread of its own.
#[derive(Debug)]
pub struct Prober {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Attempt>>,
}

impl Prober {
    /// Begins to probe `endpoint` every `interval`; each step of an attempt may take `timeout`.
    pub fn start(endpoint: Endpoint, interval: Duration, timeout: Duration) -> Prober {
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut client = Client::new(endpoint, timeout);
            let mut record = Vec::new();
            let schedule = Schedule::new(clock::now(), interval);
            worker::probe(&mut client, schedule, &flag, |step| {
                if let worker::Step::Done { attempt, .. } = step {
                    record.push(attempt);
                }
            });
            record
        });
        Prober { stop, thread }
    }

    /// Ends the probing once the attempt in flight is done, and hands out the record, in order of due time.
    pub fn stop(self) -> Vec<Attempt> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
