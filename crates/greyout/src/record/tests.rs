//! What a record promises: nothing is lost, and an early end costs the last record alone.

use proptest::prelude::*;

use super::*;
use crate::attempt::{Attempt, Outcome};

fn header() -> Header {
    let endpoint = |name: &str, interval| EndpointHeader {
        name: name.to_owned(),
        address: format!("tcp:127.0.0.1:{interval}"),
        interval,
        timeout: 5_000_000_000,
    };
    Header {
        program: "softboot-probe 0".to_owned(),
        started: 1_000_000_000,
        endpoints: vec![endpoint("a", 1_000_000), endpoint("b", 2_000_000)],
        ..Header::default()
    }
}

#[derive(Clone, Debug)]
enum Entry {
    Attempt(u32, Attempt),
    Mark(Mark),
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let times = prop_oneof![
        (0..10_000_u64, 0..200_000_u64, 0..400_000_u64).prop_map(|(tick, late, took)| (
            tick * 1_000_000,
            tick * 1_000_000 + late,
            tick * 1_000_000 + late + took
        )),
        any::<(u64, u64, u64)>(),
    ];
    let attempt = (0..2_u32, times, 0..9_u8).prop_map(|(endpoint, (due, started, finished), code)| {
        let outcome = Outcome::of_code(code).unwrap();
        Entry::Attempt(
            endpoint,
            Attempt {
                due,
                started,
                finished,
                outcome,
            },
        )
    });
    let kinds = prop_oneof![Just(MarkKind::Begin), Just(MarkKind::End), Just(MarkKind::Note)];
    let mark = (any::<u64>(), kinds, ".{0,12}", proptest::option::of(0..2_u32)).prop_map(
        |(time, kind, name, endpoint)| {
            Entry::Mark(Mark {
                time,
                kind,
                name,
                endpoint,
            })
        },
    );
    proptest::collection::vec(prop_oneof![4 => attempt, 1 => mark], 0..24)
}

fn put(writer: &mut Writer<&mut Vec<u8>>, entry: &Entry) {
    match entry {
        Entry::Attempt(endpoint, attempt) => writer.attempt(*endpoint, attempt).unwrap(),
        Entry::Mark(mark) => writer.mark(mark).unwrap(),
    }
}

fn file(entries: &[Entry], ending: Option<&Ending>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, &header()).unwrap();
    for entry in entries {
        put(&mut writer, entry);
    }
    if let Some(ending) = ending {
        writer.finish(ending).unwrap();
    }
    bytes
}

/// The file without an end, and where its header and each of its records end.
fn write(entries: &[Entry]) -> (Vec<u8>, Vec<usize>) {
    let ends = (0..=entries.len()).map(|count| file(&entries[..count], None).len());
    (file(entries, None), ends.collect())
}

/// What the first `count` entries read as.
fn expected(entries: &[Entry], count: usize) -> (Vec<Vec<Attempt>>, Vec<Mark>) {
    let mut attempts = vec![Vec::new(); 2];
    let mut marks = Vec::new();
    for entry in &entries[..count] {
        match entry {
            Entry::Attempt(endpoint, attempt) => attempts[*endpoint as usize].push(*attempt),
            Entry::Mark(mark) => marks.push(mark.clone()),
        }
    }
    (attempts, marks)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_is_lost(entries in entries()) {
        let ending = Ending { finished: 7, reason: "duration".to_owned(), ..Ending::default() };
        let bytes = file(&entries, Some(&ending));
        let read = Recording::read(&bytes).unwrap();
        prop_assert_eq!((read.attempts, read.marks), expected(&entries, entries.len()));
        prop_assert_eq!((read.header, read.ending, read.tail), (header(), Some(ending), Tail::Whole));
    }

    #[test]
    fn a_file_cut_anywhere_is_read_up_to_its_last_whole_record(entries in entries()) {
        let (bytes, ends) = write(&entries);
        for length in 0..=bytes.len() {
            let read = Recording::read(&bytes[..length]);
            if length < ends[0] {
                prop_assert!(read.is_err(), "cut at {} of the header", length);
                continue;
            }
            let whole = ends.iter().filter(|&&end| end <= length).count() - 1;
            let read = read.unwrap();
            prop_assert_eq!((read.attempts, read.marks), expected(&entries, whole));
            let tail = match length - ends[whole] {
                0 => Tail::Whole,
                bytes => Tail::Torn { bytes: bytes as u64 },
            };
            prop_assert_eq!(read.tail, tail);
        }
    }

    #[test]
    fn what_comes_before_a_damaged_byte_is_kept(entries in entries(), place in any::<prop::sample::Index>(), flip in 1..=255_u8) {
        let (mut bytes, ends) = write(&entries);
        let place = place.index(bytes.len());
        bytes[place] ^= flip;
        match Recording::read(&bytes) {
            Err(_) => prop_assert!(place < ends[0]),
            Ok(read) => {
                prop_assert!(place >= ends[0]);
                let whole = ends.iter().filter(|&&end| end <= place).count() - 1;
                let (attempts, marks) = expected(&entries, whole);
                prop_assert_eq!(&read.marks[..marks.len()], &marks[..]);
                for (read, known) in read.attempts.iter().zip(&attempts) {
                    prop_assert_eq!(&read[..known.len()], &known[..]);
                }
                prop_assert_ne!(read.tail, Tail::Whole);
            }
        }
    }
}

#[test]
fn another_file_and_a_newer_version_are_named() {
    let message = |bytes: &[u8]| Recording::read(bytes).unwrap_err().to_string();
    assert!(message(b"{\"a\": 1}").contains("begins with \"{\\\"a\\\": 1}\""));
    assert!(message(b"").contains("empty"));
    let (mut bytes, _) = write(&[]);
    bytes[8] = 9;
    assert!(message(&bytes).contains("version 9"));
    assert!(message(&bytes[..9]).contains("inside its header"));
}

#[test]
fn a_record_of_an_unknown_kind_is_passed_over() {
    let attempt = Attempt {
        due: 1,
        started: 2,
        finished: 3,
        outcome: Outcome::Good,
    };
    let (mut bytes, ends) = write(&[Entry::Attempt(0, attempt)]);
    let mut crc = crc32fast::Hasher::new();
    // All but the bytes that are checks themselves.
    let header = ends[0] - 4;
    crc.update(&bytes[..header]);
    crc.update(&bytes[header + 4..bytes.len() - 4]);
    let unknown = [2, 0x0f, 0xaa];
    crc.update(&unknown);
    bytes.extend_from_slice(&unknown);
    bytes.extend_from_slice(&crc.finalize().to_le_bytes());
    let read = Recording::read(&bytes).unwrap();
    assert_eq!(
        (read.attempts[0].len(), read.unknown, read.tail),
        (1, 1, Tail::Whole)
    );
}

#[test]
fn an_attempt_in_time_takes_little_room() {
    let attempts: Vec<Entry> = (0..1000_u64)
        .map(|tick| {
            let due = 1_000_000_000 + tick * 1_000_000;
            Entry::Attempt(
                0,
                Attempt {
                    due,
                    started: due + 60_000,
                    finished: due + 160_000,
                    outcome: Outcome::Good,
                },
            )
        })
        .collect();
    let length = file(&attempts, None).len();
    assert!(length < 16_000, "{length}");
}

proptest! {
    #[test]
    fn whatever_follows_a_header_is_read_without_harm(garbage in proptest::collection::vec(any::<u8>(), 0..200)) {
        let (mut bytes, _) = write(&[]);
        bytes.extend_from_slice(&garbage);
        let read = Recording::read(&bytes).unwrap();
        prop_assert_eq!(read.tail == Tail::Whole, garbage.is_empty());
        prop_assert!(Recording::read(&garbage).is_err());
    }
}
