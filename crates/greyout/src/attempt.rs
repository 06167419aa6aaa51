//! One attempt of a client: when it was due, when it ran, what came of it.

use std::io;

use serde::{Deserialize, Serialize};

/// One attempt. All times are CLOCK_MONOTONIC nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When the schedule wanted it to begin.
    pub due: u64,
    /// When it began; later than `due` if the attempt before it was still under way.
    pub started: u64,
    /// When its reply was complete, or it was given up.
    pub finished: u64,
    /// What came of it.
    pub outcome: Outcome,
}

impl Attempt {
    /// What a client waited who wanted to be served at the due time: a stalled attempt counts for all it delayed.
    pub fn latency(&self) -> u64 {
        self.finished.saturating_sub(self.due)
    }

    /// True if a whole and right reply came.
    pub fn is_good(&self) -> bool {
        self.outcome == Outcome::Good
    }
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// A whole and right reply.
    Good,
    /// Nobody listened: ECONNREFUSED, or the path of a local socket was missing.
    Refused,
    /// An established connection was cut: ECONNRESET, EPIPE, or an end before the whole reply.
    Reset,
    /// No whole reply in time.
    TimedOut,
    /// A reply that is not the expected one.
    Wrong,
    /// The attempt could not be made, for a reason on the client's own side.
    Failed,
}

impl Outcome {
    /// The outcome that an I/O error of an attempt stands for.
    pub fn of_error(error: &io::Error) -> Outcome {
        match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Outcome::Refused,
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof => Outcome::Reset,
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Outcome::TimedOut,
            io::ErrorKind::InvalidData => Outcome::Wrong,
            _ => Outcome::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_cut_short_counts_as_a_reset() {
        assert_eq!(
            Outcome::of_error(&io::ErrorKind::UnexpectedEof.into()),
            Outcome::Reset
        );
    }

    #[test]
    fn a_receive_time_out_counts_as_a_time_out() {
        // SO_RCVTIMEO shows as EAGAIN (socket(7)), which std calls WouldBlock.
        assert_eq!(
            Outcome::of_error(&io::Error::from_raw_os_error(11)),
            Outcome::TimedOut
        );
    }
}
