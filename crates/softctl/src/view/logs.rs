//! Log lines.

use softboot_control::api::LogLine;

use super::Now;
use crate::text::clean_line;
use crate::time::log_timestamp;

/// Lines with their times, never cut: a log is read for its ends too.
pub(crate) fn lines(lines: &[LogLine], now: Now) -> String {
    lines
        .iter()
        .map(|line| {
            format!(
                "{} {}\n",
                log_timestamp(now.realtime_of(line.time_usec)),
                clean_line(&line.text)
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{VIEW, survivor};

    #[test]
    fn a_line_has_its_time_and_no_control_characters() {
        assert_eq!(
            super::lines(&survivor().detail.log_tail, VIEW.now),
            "2026-11-23 02:10:50.500 ready\\x07\n"
        );
    }
}
