//! Results of records that are made up.

use proptest::prelude::*;

use super::*;
use crate::attempt::{Attempt, Outcome};
use crate::measure::Window;
use crate::record::{EndpointHeader, Header, Mark, MarkKind, Recording, Writer};
use crate::stats::Verdict;

pub(crate) const MS: u64 = 1_000_000;

/// A record in which one attempt a millisecond is answered at once, but for `away` milliseconds of each event.
/// Events begin each second, and last 300 ms.
pub(crate) fn record(manager: &str, away: &[u64], outcome: Outcome) -> Vec<u8> {
    let header = Header {
        program: "test".to_owned(),
        command: vec!["probe".to_owned(), "echo".to_owned()],
        boot_id: "here".to_owned(),
        labels: [("manager", manager), ("case", "plain"), ("accelerator", "none")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        endpoints: vec![EndpointHeader {
            name: "echo".to_owned(),
            address: "tcp:127.0.0.1:7".to_owned(),
            interval: MS,
            timeout: 100 * MS,
        }],
        ..Header::default()
    };
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, &header).unwrap();
    let mut free = 0;
    for tick in 0..(away.len() as u64 + 1) * 1000 {
        let due = tick * MS;
        let (second, within) = (tick / 1000, tick % 1000);
        if within == 0 && second > 0 {
            let mark = |time, kind| Mark {
                time,
                kind,
                name: "soft-reboot".to_owned(),
                endpoint: None,
            };
            writer.mark(&mark(due - 500_000, MarkKind::Begin)).unwrap();
            writer.mark(&mark(due + 300 * MS, MarkKind::End)).unwrap();
        }
        let gone = second.checked_sub(1).map_or(0, |event| away[event as usize]);
        let is_away = (100..100 + gone).contains(&within);
        let started = due.max(free);
        let stalled = outcome == Outcome::Good && (within == 100 && gone > 0);
        // Jitter that repeats itself, so that control periods have something to show.
        let took = 60_000 + tick * 7919 % 40_000;
        let finished = if stalled {
            started + gone * MS
        } else {
            started + took
        };
        free = finished;
        let attempt = Attempt {
            due,
            started,
            finished,
            outcome: if is_away && outcome != Outcome::Good {
                outcome
            } else {
                Outcome::Good
            },
        };
        writer.attempt(0, &attempt).unwrap();
    }
    bytes
}

fn source(name: &str, bytes: &[u8]) -> Source {
    Source::read(Path::new(name), bytes).unwrap()
}

pub(crate) fn results(sources: &[(&str, &[u64], Outcome)]) -> Results {
    let sources = sources
        .iter()
        .map(|&(manager, away, outcome)| source(manager, &record(manager, away, outcome)));
    build(sources.collect(), &Options::default()).unwrap()
}

#[test]
fn each_event_of_a_record_is_a_cycle_of_its_group() {
    let results = results(&[("a", &[150, 150, 150, 150], Outcome::Refused)]);
    assert_eq!(results.groups.len(), 1);
    let group = &results.groups[0];
    assert_eq!((group.lengths.len(), group.without_length), (4, 0));
    assert_eq!(group.failed.get(&Outcome::Refused), Some(&600));
    for &length in &group.lengths {
        assert!(length.abs_diff(151 * MS) < MS / 10, "{length}");
    }
    // A pseudo-event sees the usual millisecond, and no neighbour's grey-out.
    assert!(group.control.count > 0);
    assert!(group.control.max.abs_diff(MS) < MS / 10, "{:?}", group.control);
    assert_eq!(results.command, "probe echo");
    assert_eq!(
        results.runs[0].other.get("accelerator").map(String::as_str),
        Some("none")
    );
}

#[test]
fn a_stall_of_250_ms_is_measured_as_250_ms_within_the_noise_of_the_control_period() {
    let results = results(&[("a", &[250, 250, 250], Outcome::Good)]);
    let group = &results.groups[0];
    assert_eq!(group.lost(), 0);
    for &length in &group.lengths {
        // On top of the stall comes what passes between two replies anyway.
        let beside_usual = length - group.control.median;
        assert!(beside_usual.abs_diff(250 * MS) <= group.control.max, "{length}");
    }
    assert!(group.worst_latency >= 250 * MS);
    assert!(group.latency.before.p999 < MS);
    assert!(
        group.latency.during.p50 > MS,
        "the attempts that were held up count"
    );
    assert!(group.latency.after.p50 < MS);
}

#[test]
fn the_cycle_in_the_middle_is_kept_for_drawing() {
    let results = results(&[("a", &[10, 90, 50], Outcome::Refused)]);
    let shown = results.groups[0].shown.as_ref().unwrap();
    assert_eq!((shown.run, shown.event), (0, 2));
    assert!(shown.due[0] < 0, "it begins before the event");
    assert_eq!(shown.due.len(), shown.latency.len());
    assert_eq!(shown.due.len(), shown.outcome.len());
    let refused = shown
        .outcome
        .iter()
        .filter(|&&code| code == Outcome::Refused.code())
        .count();
    assert_eq!(refused, 50);
}

#[test]
fn managers_stand_beside_the_first_and_a_result_beside_itself_does_not_differ() {
    let away = [150, 148, 152, 151, 149, 150];
    let short = [15, 14, 15, 16, 15, 15];
    let results = results(&[
        ("old", &away, Outcome::Refused),
        ("new", &short, Outcome::Refused),
    ]);
    assert_eq!(results.comparisons.len(), 1);
    let comparison = &results.comparisons[0];
    assert_eq!((comparison.from.as_str(), comparison.to.as_str()), ("old", "new"));
    assert_eq!(comparison.comparison.verdict, Verdict::Shorter);
    let with_itself = between(&results, &results);
    assert_eq!(with_itself.len(), 2);
    for comparison in with_itself {
        assert_eq!(comparison.comparison.verdict, Verdict::NoDifference);
    }
}

#[test]
fn a_result_is_read_as_it_was_written_and_others_are_refused() {
    let results = results(&[("a", &[20, 30], Outcome::Reset)]);
    let json = results.to_json().unwrap();
    assert_eq!(Results::parse(&json).unwrap(), results);
    assert!(matches!(Results::parse("{}"), Err(ResultError::Schema)));
    let newer = json.replacen("\"version\":1", "\"version\":2", 1);
    assert!(matches!(
        Results::parse(&newer),
        Err(ResultError::Version { version: 2 })
    ));
}

#[test]
fn a_record_that_was_cut_still_has_the_events_before_the_cut() {
    let bytes = record("a", &[20, 20, 20], Outcome::Refused);
    let results = build(
        vec![source("cut", &bytes[..bytes.len() * 3 / 4])],
        &Options::default(),
    )
    .unwrap();
    assert!(results.groups[0].lengths.len() >= 2);
    assert!(results.notes.iter().any(|note| note.contains("inside a record")));
    assert!(results.notes.iter().any(|note| note.contains("no end")));
}

#[test]
fn a_time_line_is_shown_with_the_events_that_it_touches() {
    let mut source = source("a", &record("a", &[20, 20], Outcome::Refused));
    let span = |begin, end| Span {
        lane: Lane::Phase,
        name: "stop".to_owned(),
        begin,
        end,
        critical: false,
        note: String::new(),
    };
    source.timeline = Some(Timeline {
        boot_id: "here".to_owned(),
        spans: vec![span(1050 * MS, 1090 * MS), span(500 * MS, 510 * MS)],
        marks: Vec::new(),
    });
    let elsewhere = Source {
        timeline: Some(Timeline {
            boot_id: "elsewhere".to_owned(),
            ..Timeline::default()
        }),
        ..source.clone()
    };
    let results = build(vec![source], &Options::default()).unwrap();
    let spans: Vec<usize> = results.runs[0]
        .events
        .iter()
        .map(|event| event.spans.len())
        .collect();
    assert_eq!(spans, [1, 0]);
    assert!(matches!(
        build(vec![elsewhere], &Options::default()),
        Err(ResultError::Clock { .. })
    ));
}

#[test]
fn the_whole_window_of_a_made_up_record_is_what_it_says() {
    let recording = Recording::read(&record("a", &[20], Outcome::Refused)).unwrap();
    let found = crate::stats::events(
        &recording.marks,
        Window {
            begin: 0,
            end: 2000 * MS,
        },
    );
    assert_eq!(found[0].window.length(), 300 * MS + 500_000);
}

/// Every member's name, at any depth. What stands below `other` and `labels` is the caller's.
fn members(value: &serde_json::Value, names: &mut std::collections::BTreeSet<String>) {
    match value {
        serde_json::Value::Object(object) => {
            for (name, value) in object {
                names.insert(name.clone());
                if name != "other" && name != "labels" {
                    members(value, names);
                }
            }
        }
        serde_json::Value::Array(all) => all.iter().for_each(|value| members(value, names)),
        _ => {}
    }
}

#[test]
fn every_member_of_a_result_is_documented() {
    let document = include_str!("../../../../docs/greyout-format.md");
    let mut results = results(&[("a", &[20, 30], Outcome::Reset), ("b", &[20, 30], Outcome::Reset)]);
    results.runs[0].ending = Some(crate::record::Ending {
        in_flight: vec![crate::record::InFlight::default()],
        cost: crate::record::Cost {
            endpoints: vec![crate::record::EndpointCost::default()],
            ..crate::record::Cost::default()
        },
        ..crate::record::Ending::default()
    });
    let mut names = std::collections::BTreeSet::new();
    members(&serde_json::to_value(&results).unwrap(), &mut names);
    assert!(names.len() > 60, "{names:?}");
    for name in names {
        assert!(
            document.contains(&format!("`{name}`")),
            "{name} is not in docs/greyout-format.md"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_a_record_holds_it_can_be_shown(
        attempts in proptest::collection::vec((any::<[u64; 3]>(), 0..9_u8), 0..30),
        small in proptest::collection::vec((0..500_u64, 0..9_u8), 0..60),
        marks in proptest::collection::vec((prop_oneof![any::<u64>(), 0..600_u64], 0..3_u8), 0..6),
        (started, interval) in any::<(u64, u64)>(),
    ) {
        let header = Header {
            started,
            endpoints: vec![EndpointHeader { interval, ..EndpointHeader::default() }; 2],
            ..Header::default()
        };
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes, &header).unwrap();
        let outcome = |code| Outcome::of_code(code).unwrap();
        for ([due, started, finished], code) in attempts {
            writer.attempt(0, &Attempt { due, started, finished, outcome: outcome(code) }).unwrap();
        }
        for (due, code) in small {
            writer.attempt(1, &Attempt { due, started: due, finished: due + 3, outcome: outcome(code) }).unwrap();
        }
        for (time, kind) in marks {
            let kind = [MarkKind::Begin, MarkKind::End, MarkKind::Note][usize::from(kind)];
            writer.mark(&Mark { time, kind, name: "e".to_owned(), endpoint: Some(9) }).unwrap();
        }
        let recording = Recording::read(&bytes).unwrap();
        crate::report::record("file", &recording, crate::report::Paint::off());
        let results = build(vec![source("a", &bytes), source("b", &bytes)], &Options::default()).unwrap();
        prop_assert!(!crate::report::summary(&results, crate::report::Paint::off()).contains("NaN"));
        prop_assert!(!crate::report::page(&results).contains("NaN"));
        prop_assert_eq!(Results::parse(&results.to_json().unwrap()).unwrap().groups.len(), results.groups.len());
        between(&results, &results);
    }
}
