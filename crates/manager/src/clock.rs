//! The clocks the engine is told.

use rustix::time::{ClockId, clock_gettime};
use softboot_engine::Now;
use softboot_unit::Usec;

/// One clock in microseconds since its epoch.
pub(crate) fn read(clock: ClockId) -> Usec {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    Usec(seconds.saturating_mul(1_000_000).saturating_add(nanos / 1_000))
}

/// CLOCK_MONOTONIC.
pub(crate) fn monotonic() -> Usec {
    read(ClockId::Monotonic)
}

/// All three clocks, read once.
pub(crate) fn now() -> Now {
    Now {
        monotonic: monotonic(),
        boottime: read(ClockId::Boottime),
        realtime: read(ClockId::Realtime),
    }
}
