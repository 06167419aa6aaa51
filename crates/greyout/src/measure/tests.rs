//! The definition, case by case.

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
