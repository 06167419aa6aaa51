//! Figures for a terminal of 80 columns.

use std::fmt::Write as _;

use crate::record::Record;

/// The table. `!` stands where an aim is missed.
pub fn render(records: &[Record]) -> String {
    let mut text = format!(
        "{:<25} {:>10} {:>10} {:>6} {:>6}  {}\n",
        "case", "median", "floor", "ratio", "aim", "peer"
    );
    for record in records {
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| figure(value, ""));
        let ratio = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
        let peer = match (&record.peer, record.peer_value) {
            (Some(name), Some(value)) => format!("{name} {}", figure(value, "")),
            _ => String::new(),
        };
        let missed = if record.met() == Some(false) { "!" } else { " " };
        // Nothing can go wrong when writing into a String.
        let _ = writeln!(
            text,
            "{:<25} {:>10} {:>10} {:>6} {:>6}{missed} {peer}",
            record.case,
            figure(record.value, &record.unit),
            number(record.floor),
            ratio(record.ratio),
            ratio(record.aim),
        );
    }
    text
}

/// Three significant digits and the unit.
fn figure(value: f64, unit: &str) -> String {
    let digits = match value.abs() {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        _ => 2,
    };
    match unit {
        "" => format!("{value:.digits$}"),
        _ => format!("{value:.digits$} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_fits_80_columns_and_marks_what_is_missed() {
        let records = [
            Record::new("handoff/socket/100000", "time", "us", &[123_456.0], &[100_000.0])
                .aim(2.0)
                .peer("ecdysis", &[1.0]),
            Record::new("size", "size", "B", &[400.0], &[]).aim(300.0),
        ];
        let text = render(&records);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        let marks: Vec<bool> = text.lines().skip(1).map(|line| line.contains('!')).collect();
        assert_eq!(marks, [false, true]);
    }
}
