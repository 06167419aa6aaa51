//! The clocks of an entry.

use rustix::time::{ClockId, clock_gettime};

/// CLOCK_BOOTTIME in microseconds: it goes on through suspend, through every handoff, and nobody sets it. Expiries are
/// points of this clock.
pub fn boottime_usec() -> u64 {
    usec(ClockId::Boottime)
}

/// CLOCK_REALTIME in microseconds: for people.
pub(crate) fn realtime_usec() -> u64 {
    usec(ClockId::Realtime)
}

pub(crate) fn usec(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let micros = u64::try_from(now.tv_nsec).unwrap_or(0) / 1_000;
    seconds.saturating_mul(1_000_000).saturating_add(micros)
}
