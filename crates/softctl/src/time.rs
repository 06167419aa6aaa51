//! Points in time and spans, for people. Points are in UTC: the machine that runs softctl in an early userspace has
//! no time zone.

use std::time::{SystemTime, UNIX_EPOCH};

const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Microseconds since 1970.
pub(crate) fn realtime_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// Microseconds of CLOCK_MONOTONIC, which a soft-reboot does not set back.
pub(crate) fn monotonic_now() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    seconds * SECOND + u64::try_from(now.tv_nsec).unwrap_or(0) / 1000
}

/// A span by its two largest units: `2d 3h`, `5min 12s`, `1.250s`, `12ms`.
pub(crate) fn span(usec: u64) -> String {
    let two = |large: u64, large_name: &str, small: u64, small_name: &str| {
        let rest = usec % large / small;
        let more = if rest == 0 {
            String::new()
        } else {
            format!(" {rest}{small_name}")
        };
        format!("{}{large_name}{more}", usec / large)
    };
    match usec {
        DAY.. => two(DAY, "d", HOUR, "h"),
        HOUR.. => two(HOUR, "h", MINUTE, "min"),
        MINUTE.. => two(MINUTE, "min", SECOND, "s"),
        SECOND.. => format!("{}.{:03}s", usec / SECOND, usec % SECOND / 1000),
        1000.. => format!("{}ms", usec / 1000),
        _ => format!("{usec}us"),
    }
}

/// How long ago `then` was: `5min 12s ago`, `now` within the first second, `in 3s` when clocks disagree.
pub(crate) fn ago(then: u64, now: u64) -> String {
    match (then.saturating_sub(now), now.saturating_sub(then)) {
        (0, past) if past < SECOND => "now".to_owned(),
        (0, past) => format!("{} ago", coarse(past)),
        (future, _) if future < SECOND => "now".to_owned(),
        (future, _) => format!("in {}", coarse(future)),
    }
}

/// `2026-11-23 02:10:52 UTC` for microseconds since 1970.
pub(crate) fn timestamp(usec: u64) -> String {
    let (year, month, day) = civil(usec / DAY);
    let clock = usec % DAY;
    let (hour, minute, second) = (clock / HOUR, clock % HOUR / MINUTE, clock % MINUTE / SECOND);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// The same as a log line has it: without the zone, with milliseconds.
pub(crate) fn log_timestamp(usec: u64) -> String {
    let full = timestamp(usec);
    format!("{}.{:03}", full.trim_end_matches(" UTC"), usec % SECOND / 1000)
}

/// A span in whole seconds at the finest: nobody reads an age to the millisecond.
fn coarse(usec: u64) -> String {
    if usec < MINUTE {
        format!("{}s", usec / SECOND)
    } else {
        span(usec)
    }
}

/// The day of the Gregorian calendar, `days` after 1970-01-01. Counts in eras of 400 years that begin in March, so
/// that the leap day is the last of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_at_most_two_units() {
        assert_eq!(span(0), "0us");
        assert_eq!(span(12_345), "12ms");
        assert_eq!(span(1_250_999), "1.250s");
        assert_eq!(span(5 * MINUTE + 12 * SECOND), "5min 12s");
        assert_eq!(span(2 * HOUR), "2h");
        assert_eq!(span(2 * DAY + 3 * HOUR + 59 * MINUTE), "2d 3h");
    }

    #[test]
    fn an_age_is_told_in_whole_seconds_and_may_lie_ahead() {
        assert_eq!(ago(10 * SECOND, 10 * SECOND + 999), "now");
        assert_eq!(ago(0, 59 * SECOND + 999_999), "59s ago");
        assert_eq!(ago(0, 61 * SECOND), "1min 1s ago");
        assert_eq!(ago(5 * SECOND, 0), "in 5s");
        assert_eq!(ago(5, 0), "now");
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(timestamp(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(timestamp(951_782_400 * SECOND), "2000-02-29 00:00:00 UTC");
        assert_eq!(timestamp(1_709_251_199 * SECOND), "2024-02-29 23:59:59 UTC");
        assert_eq!(timestamp(4_107_542_400 * SECOND), "2100-03-01 00:00:00 UTC");
        assert_eq!(
            log_timestamp(1_709_251_199 * SECOND + 7_999),
            "2024-02-29 23:59:59.007"
        );
    }
}
