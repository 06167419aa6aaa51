//! The prober: attempts at a fixed rate, one in flight, until it is told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::attempt::{Attempt, Outcome};
use crate::clock;
use crate::endpoint::Endpoint;

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
            interval: u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX).max(1),
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
        let thread = std::thread::spawn(move || run(&endpoint, interval, timeout, &flag));
        Prober { stop, thread }
    }

    /// Ends the probing once the attempt in flight is done, and hands out the record, in order of due time.
    pub fn stop(self) -> Vec<Attempt> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

fn run(endpoint: &Endpoint, interval: Duration, timeout: Duration, stop: &AtomicBool) -> Vec<Attempt> {
    let schedule = Schedule::new(clock::now(), interval);
    let mut record = Vec::new();
    for index in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let due = schedule.due(index);
        clock::sleep_until(due);
        let started = clock::now();
        let outcome = match endpoint.attempt(timeout) {
            Ok(()) => Outcome::Good,
            Err(error) => Outcome::of_error(&error),
        };
        record.push(Attempt {
            due,
            started,
            finished: clock::now(),
            outcome,
        });
    }
    record
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn due_times_do_not_depend_on_the_attempts() {
        let schedule = Schedule::new(100, Duration::from_nanos(10));
        assert_eq!(
            (schedule.due(0), schedule.due(1), schedule.due(50)),
            (100, 110, 600)
        );
    }

    #[test]
    fn records_good_replies_and_then_refusals() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            for _ in 0..3 {
                let (mut stream, _) = listener.accept().unwrap();
                let mut buffer = [0; 64];
                let length = stream.read(&mut buffer).unwrap();
                stream.write_all(&buffer[..length]).unwrap();
            }
        });
        let endpoint = Endpoint::Echo(address);
        let timeout = Duration::from_secs(10);
        for _ in 0..3 {
            endpoint.attempt(timeout).unwrap();
        }
        server.join().unwrap();
        let stop = AtomicBool::new(false);
        let record = std::thread::scope(|scope| {
            let probing = scope.spawn(|| run(&endpoint, Duration::from_millis(1), timeout, &stop));
            std::thread::sleep(Duration::from_millis(20));
            stop.store(true, Ordering::Relaxed);
            probing.join().unwrap()
        });
        assert!(record.iter().all(|attempt| attempt.outcome == Outcome::Refused));
        assert!(record.iter().all(|attempt| attempt.started >= attempt.due));
        assert!(!record.is_empty());
    }
}
