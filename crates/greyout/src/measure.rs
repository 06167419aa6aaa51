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
    let good = good_replies(attempts);
    let before = good.partition_point(|&finished| finished <= event.begin);
    let after = good.partition_point(|&finished| finished <= event.end);
    let Some(first) = before.checked_sub(1) else {
        let first_good = good.first().copied();
        return counted(None, first_good, attempts, event.begin, event.end);
    };
    // The last good reply that is not after the event has to have a next one.
    let touching = good.get(first..).unwrap_or_default();
    let pauses = touching.iter().copied().zip(touching.iter().copied().skip(1));
    let pauses = pauses.take(after.saturating_sub(first));
    let longest = pauses.reduce(|best, pause| {
        if pause.1 - pause.0 > best.1 - best.0 {
            pause
        } else {
            best
        }
    });
    let (last_good, first_good) = match longest {
        Some((from, to)) if after < good.len() => (Some(from), Some(to)),
        _ => (good.get(after.saturating_sub(1)).copied(), None),
    };
    let until = event.end.max(first_good.unwrap_or(u64::MAX));
    counted(last_good, first_good, attempts, event.begin, until)
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

fn good_replies(attempts: &[Attempt]) -> Vec<u64> {
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
mod tests {
    use super::*;

    fn attempt(due: u64, started: u64, finished: u64, outcome: Outcome) -> Attempt {
        Attempt {
            due,
            started,
            finished,
            outcome,
        }
    }

    #[test]
    fn runs_from_the_last_good_reply_before_to_the_first_good_reply_after() {
        let record = [
            attempt(0, 0, 1, Outcome::Good),
            attempt(10, 10, 11, Outcome::Good),
            attempt(20, 20, 21, Outcome::Refused),
            attempt(30, 30, 34, Outcome::Good),
            attempt(40, 40, 41, Outcome::Good),
        ];
        let result = greyout(&record, 15);
        assert_eq!(
            (result.last_good, result.first_good, result.length),
            (Some(11), Some(34), Some(23))
        );
        assert_eq!((result.refused, result.attempts), (1, 3));
    }

    #[test]
    fn a_probe_that_the_event_stalls_counts_for_all_it_delayed() {
        // Begun just before the event, answered 1000 later; the attempts it held up were due long before they ran.
        let record = [
            attempt(0, 0, 1, Outcome::Good),
            attempt(10, 10, 1010, Outcome::Good),
            attempt(20, 1010, 1011, Outcome::Good),
        ];
        let result = greyout(&record, 12);
        assert_eq!(result.length, Some(1009));
        assert_eq!(result.worst_latency, 1000);
        assert_eq!(record[2].latency(), 991);
    }

    #[test]
    fn an_endpoint_that_stays_away_has_no_length() {
        let record = [
            attempt(0, 0, 1, Outcome::Good),
            attempt(10, 10, 20, Outcome::TimedOut),
        ];
        let result = greyout(&record, 5);
        assert_eq!(
            (result.first_good, result.length, result.timed_out),
            (None, None, 1)
        );
    }

    #[test]
    fn a_record_that_begins_after_the_event_has_no_length() {
        let result = greyout(&[attempt(10, 10, 11, Outcome::Good)], 5);
        assert_eq!((result.last_good, result.length), (None, None));
    }

    #[test]
    fn failures_before_the_event_are_not_its_doing() {
        let record = [
            attempt(0, 0, 1, Outcome::Reset),
            attempt(10, 10, 11, Outcome::Reset),
        ];
        assert_eq!(greyout(&record, 5).reset, 1);
    }

    #[test]
    fn the_longest_silence_is_between_neighbours_in_time_not_in_the_record() {
        let record = [
            attempt(0, 0, 50, Outcome::Good),
            attempt(0, 0, 10, Outcome::Good),
            attempt(0, 0, 30, Outcome::Refused),
            attempt(0, 0, 20, Outcome::Good),
        ];
        assert_eq!(longest_silence(&record), Some(30));
    }

    /// Good replies at these times, and nothing else.
    fn answered(finished: &[u64]) -> Vec<Attempt> {
        let each = finished.iter();
        each.map(|&time| attempt(time - 1, time - 1, time, Outcome::Good))
            .collect()
    }

    #[test]
    fn an_event_that_takes_a_while_counts_the_longest_pause_that_touches_it() {
        // The request at 25 is answered for a while; the endpoint is away from 40 to 90 and, after the event, to 400.
        let record = answered(&[10, 20, 30, 40, 90, 100, 400]);
        let within = |begin, end| greyout_within(&record, Window { begin, end }).length;
        assert_eq!(within(25, 60), Some(50));
        assert_eq!(within(25, 99), Some(50));
        assert_eq!(
            within(25, 100),
            Some(300),
            "the event ends with the reply that the second pause begins with"
        );
        assert_eq!(within(45, 50), Some(50), "both ends are inside one pause");
    }

    #[test]
    fn an_event_of_no_length_is_an_instant() {
        let record = answered(&[10, 20, 33, 40, 90]);
        for instant in 10..90 {
            let window = Window {
                begin: instant,
                end: instant,
            };
            assert_eq!(
                greyout_within(&record, window).length,
                greyout(&record, instant).length,
                "{instant}"
            );
        }
    }

    #[test]
    fn an_endpoint_that_does_not_come_back_has_no_length_whatever_it_did_before() {
        let record = answered(&[10, 60, 70]);
        let seen = greyout_within(&record, Window { begin: 20, end: 80 });
        assert_eq!(
            (seen.last_good, seen.first_good, seen.length),
            (Some(70), None, None)
        );
        let late = greyout_within(&record, Window { begin: 5, end: 8 });
        assert_eq!(
            (late.last_good, late.first_good, late.length),
            (None, Some(10), None)
        );
    }

    #[test]
    fn a_socket_that_is_closed_for_a_while_refuses_each_attempt_that_was_due() {
        // One attempt a millisecond for a second; nobody listens from 300.5 to 425.5 ms.
        let record: Vec<Attempt> = (0..1000_u64)
            .map(|tick| {
                let due = tick * 1_000_000;
                let closed = (300_500_000..425_500_000).contains(&due);
                let outcome = if closed { Outcome::Refused } else { Outcome::Good };
                attempt(due, due + 20_000, due + 70_000, outcome)
            })
            .collect();
        let event = Window {
            begin: 300_400_000,
            end: 425_600_000,
        };
        let seen = greyout_within(&record, event);
        assert_eq!((seen.refused, seen.lost()), (125, 125));
        assert_eq!(
            seen.length,
            Some(126_000_000),
            "from the reply at 300.07 ms to the one at 426.07 ms"
        );
    }

    #[test]
    fn a_stall_counts_from_due_time_to_reply() {
        // A server stops for exactly 250 ms; the client has one attempt in flight, the others wait their turn.
        let mut record = Vec::new();
        let mut free = 0;
        for tick in 0..1000_u64 {
            let due = tick * 1_000_000;
            let started = due.max(free);
            let served = started + 50_000;
            free = if (400_000_000..650_000_000).contains(&served) {
                650_000_000
            } else {
                served
            };
            record.push(attempt(due, started, free, Outcome::Good));
        }
        let event = Window {
            begin: 399_900_000,
            end: 650_000_000,
        };
        let seen = greyout_within(&record, event);
        // One pause of 250 ms, on top of the time since the reply before: at most an interval.
        assert_eq!(seen.length, Some(250_950_000));
        assert_eq!(seen.worst_latency, 250_000_000);
        let delayed = record
            .iter()
            .filter(|attempt| attempt.latency() > 1_000_000)
            .count();
        assert!(
            delayed > 250,
            "the attempts that were held up waited, too: {delayed}"
        );
        let quiet = Window {
            begin: 100_000_000,
            end: 350_000_000,
        };
        assert_eq!(greyout_within(&record, quiet).length, Some(1_000_000));
    }
}
