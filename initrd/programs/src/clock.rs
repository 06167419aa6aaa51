//! CLOCK_MONOTONIC, which a soft-reboot does not touch.

use rustix::time::{ClockId, clock_gettime};

/// Now, in microseconds.
pub fn now_usec() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000).saturating_add(nanos / 1_000)
}
