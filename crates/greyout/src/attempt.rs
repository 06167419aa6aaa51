//! One attempt of a client: when it was due, when it ran, what came of it.

use std::io;

use rustix::io::Errno;
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// A whole and right reply.
    Good,
    /// Nobody listened: ECONNREFUSED.
    Refused,
    /// The path of a local socket was missing: ENOENT.
    NoEntry,
    /// An established connection was cut: ECONNRESET, ECONNABORTED, EPIPE.
    Reset,
    /// The other side closed before the first byte of a reply.
    Eof,
    /// The other side closed inside the reply.
    ShortReply,
    /// No whole reply in time.
    TimedOut,
    /// A reply that is not the expected one.
    Wrong,
    /// The attempt could not be made, for a reason on the client's own side.
    Failed,
}

impl Outcome {
    /// Every outcome. The place in this list is the number in a record file.
    pub const ALL: [Outcome; 9] = [
        Outcome::Good,
        Outcome::Refused,
        Outcome::NoEntry,
        Outcome::Reset,
        Outcome::Eof,
        Outcome::ShortReply,
        Outcome::TimedOut,
        Outcome::Wrong,
        Outcome::Failed,
    ];

    /// The outcome that an I/O error of an attempt stands for.
    pub fn of_error(error: &io::Error) -> Outcome {
        // Not every one of these has a kind of its own in std.
        match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::INPROGRESS | Errno::ALREADY) => return Outcome::TimedOut,
            Some(Errno::NOTDIR) => return Outcome::NoEntry,
            _ => {}
        }
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Outcome::Refused,
            io::ErrorKind::NotFound => Outcome::NoEntry,
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected => Outcome::Reset,
            io::ErrorKind::UnexpectedEof => Outcome::Eof,
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Outcome::TimedOut,
            io::ErrorKind::InvalidData => Outcome::Wrong,
            _ => Outcome::Failed,
        }
    }

    /// As a person reads it.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Good => "ok",
            Outcome::Refused => "refused",
            Outcome::NoEntry => "no entry",
            Outcome::Reset => "reset",
            Outcome::Eof => "eof",
            Outcome::ShortReply => "short reply",
            Outcome::TimedOut => "timed out",
            Outcome::Wrong => "wrong",
            Outcome::Failed => "failed",
        }
    }

    /// Its number in a record file.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The outcome of a number in a record file.
    pub fn of_code(code: u8) -> Option<Outcome> {
        Outcome::ALL.get(usize::from(code)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receive_time_out_counts_as_a_time_out() {
        // SO_RCVTIMEO shows as EAGAIN, SO_SNDTIMEO of a connect(2) over TCP as EINPROGRESS (socket(7)).
        for errno in [Errno::AGAIN, Errno::INPROGRESS] {
            assert_eq!(Outcome::of_error(&errno.into()), Outcome::TimedOut);
        }
    }

    #[test]
    fn a_missing_path_is_not_a_refusal() {
        assert_eq!(Outcome::of_error(&Errno::NOENT.into()), Outcome::NoEntry);
        assert_eq!(Outcome::of_error(&Errno::CONNREFUSED.into()), Outcome::Refused);
    }

    #[test]
    fn every_outcome_has_the_number_of_its_place() {
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::of_code(outcome.code()), Some(outcome));
        }
        assert_eq!(Outcome::of_code(9), None);
    }
}
