//! The one clock of a measurement.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::thread::clock_nanosleep_absolute;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// How long a sleep goes on at most before it looks whether it is still wanted.
const SLICE: u64 = 100_000_000;

/// CLOCK_MONOTONIC in nanoseconds.
pub fn now() -> u64 {
    nanos(clock_gettime(ClockId::Monotonic))
}

/// Nanoseconds since 1970.
pub fn realtime() -> u64 {
    nanos(clock_gettime(ClockId::Realtime))
}

/// CPU time of this process, in nanoseconds.
pub fn process_cpu() -> u64 {
    nanos(clock_gettime(ClockId::ProcessCPUTime))
}

/// CPU time of this thread, in nanoseconds.
pub fn thread_cpu() -> u64 {
    nanos(clock_gettime(ClockId::ThreadCPUTime))
}

/// Waits until `due`, or not at all when that has passed. True if it waited.
pub fn sleep_until(due: u64) -> bool {
    sleep_unless(due, &AtomicBool::new(false))
}

/// Waits until `due`, but at most a tenth of a second longer than until `stop`. True if it waited.
pub(crate) fn sleep_unless(due: u64, stop: &AtomicBool) -> bool {
    let mut waited = false;
    loop {
        let now = now();
        if now >= due || stop.load(Ordering::Relaxed) {
            return waited;
        }
        let wake = due.min(now.saturating_add(SLICE));
        let time = Timespec {
            tv_sec: i64::try_from(wake / 1_000_000_000).unwrap_or(i64::MAX),
            tv_nsec: (wake % 1_000_000_000) as _,
        };
        // EINTR is a reason to look at the clock again.
        let _ = clock_nanosleep_absolute(rustix::thread::ClockId::Monotonic, &time);
        waited = true;
    }
}

/// A span in nanoseconds.
pub fn span(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn nanos(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}
