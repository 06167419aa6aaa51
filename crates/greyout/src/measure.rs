//! The computation, pure: a record of attempts and the instant of an event in, the grey-out out.

use serde::{Deserialize, Serialize};

use crate::attempt::{Attempt, Outcome};

/// The grey-out of one client on one endpoint. Times are CLOCK_MONOTONIC nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greyout {
    /// The last good reply before the event; `None`: there was none, and the record began too late.
    pub last_good: Option<u64>,
    /// The first good reply after the event; `None`: there was none, and the endpoint did not come back.
    pub first_good: Option<u64>,
    /// From the one to the other; `None` while either is missing.
    pub length: Option<u64>,
    /// The largest time from due to done among all attempts that ended after the event.
    pub worst_latency: u64,
    /// Attempts that ended after the event.
    pub attempts: u64,
    /// Of those: refused.
    pub refused: u64,
    /// Of those: cut.
    pub reset: u64,
    /// Of those: given up.
    pub timed_out: u64,
    /// Of those: answered with something else than expected.
    pub wrong: u64,
    /// Of those: failed on the client's side.
    pub failed: u64,
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
    let mut result = Greyout {
        last_good,
        first_good,
        length: last_good.zip(first_good).map(|(from, to)| to - from),
        ..Greyout::default()
    };
    for attempt in attempts.iter().filter(|attempt| attempt.finished > event) {
        result.attempts += 1;
        result.worst_latency = result.worst_latency.max(attempt.latency());
        match attempt.outcome {
            Outcome::Good => {}
            Outcome::Refused => result.refused += 1,
            Outcome::Reset => result.reset += 1,
            Outcome::TimedOut => result.timed_out += 1,
            Outcome::Wrong => result.wrong += 1,
            Outcome::Failed => result.failed += 1,
        }
    }
    result
}

/// The longest time between two neighbouring good replies of the record: what the client saw, whichever instant
/// between request and last start one takes for "the event". `None` with fewer than two good replies.
pub fn longest_silence(attempts: &[Attempt]) -> Option<u64> {
    let mut good: Vec<u64> = attempts
        .iter()
        .filter(|attempt| attempt.is_good())
        .map(|attempt| attempt.finished)
        .collect();
    good.sort_unstable();
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
}
