//! The computation, pure: a record of attempts and the instant of an event in, the grey-out out.

use serde::{Deserialize, Serialize};

use crate::attempt::{Attempt, Outcome};

/// The grey-out of one client on one endpoint. Times are CLOCK_MONOTONIC nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Greyout {
    /// The last good reply before it; `None`: there was none, and the record began too late.
    pub last_good: Option<u64>,
    /// The first good reply after it; `None`: there was none, and the endpoint did not come back.
    pub first_good: Option<u64>,
    /// From the one to the other; `None` while either is missing.
    pub length: Option<u64>,
    /// The largest time from due to done among the attempts that are counted.
    pub worst_latency: u64,
    /// Attempts that are counted: all that the event could touch.
    pub attempts: u64,
    /// Of those: refused.
    pub refused: u64,
    /// Of those: the path was missing.
    pub no_entry: u64,
    /// Of those: cut.
    pub reset: u64,
    /// Of those: closed before a reply.
    pub eof: u64,
    /// Of those: closed inside the reply.
    pub short_reply: u64,
    /// Of those: given up.
    pub timed_out: u64,
    /// Of those: answered with something else than expected.
    pub wrong: u64,
    /// Of those: failed on the client's side.
    pub failed: u64,
}

impl Greyout {
    /// Attempts that got no whole and right reply.
    pub fn lost(&self) -> u64 {
        Outcome::ALL.iter().map(|&outcome| self.count(outcome)).sum()
    }

    /// Attempts with this outcome, of those that failed; 0 for [`Outcome::Good`].
    pub fn count(&self, outcome: Outcome) -> u64 {
        match outcome {
            Outcome::Good => 0,
            Outcome::Refused => self.refused,
            Outcome::NoEntry => self.no_entry,
            Outcome::Reset => self.reset,
            Outcome::Eof => self.eof,
            Outcome::ShortReply => self.short_reply,
            Outcome::TimedOut => self.timed_out,
            Outcome::Wrong => self.wrong,
            Outcome::Failed => self.failed,
        }
    }

    fn add(&mut self, attempt: &Attempt) {
        self.attempts = self.attempts.saturating_add(1);
        self.worst_latency = self.worst_latency.max(attempt.latency());
        let count = match attempt.outcome {
            Outcome::Good => return,
            Outcome::Refused => &mut self.refused,
            Outcome::NoEntry => &mut self.no_entry,
            Outcome::Reset => &mut self.reset,
            Outcome::Eof => &mut self.eof,
            Outcome::ShortReply => &mut self.short_reply,
            Outcome::TimedOut => &mut self.timed_out,
            Outcome::Wrong => &mut self.wrong,
            Outcome::Failed => &mut self.failed,
        };
        *count = count.saturating_add(1);
    }
}

/// From an instant to another, the second not before the first. Nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The first instant.
    pub begin: u64,
    /// The last instant.
    pub end: u64,
}

impl Window {
    /// How long it is.
    pub fn length(&self) -> u64 {
        self.end.saturating_sub(self.begin)
    }
}

/// The grey-out that the event at `event` caused. The order of `attempts` does not matter.
///
/// A reply that is still under way when the event comes belongs to the time after it: a client that was made to wait
/// by the event is what is being measured.
pub fn greyout(attempts: &[Attempt], event: u64) -> Greyout {
    let good = || {
        attempts
            .iter()
            .filter(|attempt| attempt.is_good())
            .map(|attempt| attempt.finished)
    };
    let last_good = good().filter(|&finished| finished <= event).max();
    let first_good = good().filter(|&finished| finished > event).min();
    counted(last_good, first_good, attempts, event, u64::MAX)
}

/// The grey-out of an event that takes a while: the longest time without a good reply that touches it. The order of
/// `attempts` does not matter; give those from a good reply before the event on, up to the next event.
///
/// A manager that is asked for a soft-reboot goes on answering for a while, and some endpoints are away only later:
/// the two good replies around the instant of the request would say nothing of them. With an event that takes no time
/// this is [`greyout`], but that only attempts are counted that were due before it was over.
pub fn greyout_within(attempts: &[Attempt], event: Window) -> Greyout {
    let (last_good, first_good) = silence(&good_replies(attempts), event);
    let until = match last_good {
        Some(_) => event.end.max(first_good.unwrap_or(u64::MAX)),
        None => event.end,
    };
    counted(last_good, first_good, attempts, event.begin, until)
}

/// The longest time between neighbouring good replies that touches a window, by its ends; `good` is in order of time.
/// Without a beginning there was none before the window, without an end there was none after it.
pub fn silence(good: &[u64], window: Window) -> (Option<u64>, Option<u64>) {
    let before = good.partition_point(|&finished| finished <= window.begin);
    let after = good.partition_point(|&finished| finished <= window.end);
    let Some(first) = before.checked_sub(1) else {
        return (None, good.first().copied());
    };
    let last = good.get(after.saturating_sub(1)).copied();
    if after == good.len() {
        return (last, None);
    }
    let touching = good.get(first..=after).unwrap_or_default();
    let pauses = touching.iter().copied().zip(touching.iter().copied().skip(1));
    let length = |(from, to): (u64, u64)| to.saturating_sub(from);
    let longest = pauses.reduce(|best, pause| if length(pause) > length(best) { pause } else { best });
    (longest.map(|pause| pause.0), longest.map(|pause| pause.1))
}

fn counted(
    last_good: Option<u64>,
    first_good: Option<u64>,
    attempts: &[Attempt],
    after: u64,
    until: u64,
) -> Greyout {
    let mut result = Greyout {
        last_good,
        first_good,
        length: last_good
            .zip(first_good)
            .map(|(from, to)| to.saturating_sub(from)),
        ..Greyout::default()
    };
    for attempt in attempts {
        if attempt.finished > after && attempt.due <= until {
            result.add(attempt);
        }
    }
    result
}

/// When the good replies came, in order of time.
pub fn good_replies(attempts: &[Attempt]) -> Vec<u64> {
    let good = attempts.iter().filter(|attempt| attempt.is_good());
    let mut good: Vec<u64> = good.map(|attempt| attempt.finished).collect();
    good.sort_unstable();
    good
}

/// The longest time between two neighbouring good replies of the record: what the client saw, whichever instant
/// between request and last start one takes for "the event". `None` with fewer than two good replies.
pub fn longest_silence(attempts: &[Attempt]) -> Option<u64> {
    let good = good_replies(attempts);
    good.iter()
        .zip(good.iter().skip(1))
        .map(|(before, after)| after - before)
        .max()
}

#[cfg(test)]
mod tests;
