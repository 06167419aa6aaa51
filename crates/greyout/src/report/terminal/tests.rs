//! What a person reads.

use super::*;
use crate::attempt::Outcome;
use crate::record::Recording;
use crate::report::record::record;
use crate::result::tests::{MS, results};

const LONG: &str = "a manager with a name that is far too long for any column of a table";

#[test]
fn the_summary_fits_80_columns_and_has_no_colour_unless_asked() {
    let results = results(&[
        (LONG, &[150, 148, 152, 151], Outcome::Refused),
        ("b", &[15, 14, 15, 16], Outcome::Reset),
    ]);
    let text = summary(&results, Paint::off());
    for line in text.lines() {
        assert!(line.chars().count() <= WIDTH, "{} {line}", line.chars().count());
    }
    assert!(!text.contains('\x1b'));
    for part in [
        "soft-reboot · plain",
        "151 ms",
        "refused 601",
        "×",
        "shorter",
        "again: probe echo",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
}

#[test]
fn an_endpoint_that_stays_away_is_said_so() {
    let mut results = results(&[("a", &[20, 20], Outcome::Refused)]);
    results.groups[0].without_length = 1;
    assert!(summary(&results, Paint::off()).contains("did not come back"));
}

#[test]
fn comparing_with_itself_says_no_difference() {
    let results = results(&[("a", &[20, 22, 21], Outcome::Refused)]);
    let text = comparison(&crate::result::between(&results, &results), Paint::off());
    assert!(text.contains("no difference"), "{text}");
    assert!(text.contains("1.00x"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= WIDTH));
}

#[test]
fn a_record_shows_its_endpoints_outcomes_and_marks() {
    let bytes = crate::result::tests::record("a", &[20], Outcome::Refused);
    let recording = Recording::read(&bytes[..bytes.len() - 3]).unwrap();
    let text = record("file", &recording, Paint::off());
    for part in [
        "tcp:127.0.0.1:7",
        "20 refused",
        "begin soft-reboot",
        "not whole",
        "killed",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    assert_eq!(signed(-(250 * MS as i64)), "−250 ms");
}
