//! What a person sees.

use softboot_greyout::result::{Group, Results};

/// One line a system and case: the grey-out in milliseconds, its noise, what failed, and how much longer than that of the
/// first system in its case. The figures are those of the page and of the JSON result.
pub fn render(results: &Results) -> String {
    let mut rows = vec![
        [
            "case",
            "system",
            "median ms",
            "min",
            "max",
            "control ms",
            "failed",
            "ratio",
        ]
        .map(str::to_owned),
    ];
    for group in &results.groups {
        let first = results
            .groups
            .iter()
            .find(|other| other.labels.case == group.labels.case);
        let lengths = group.lengths.iter();
        let ratio = first.and_then(|first| Some(group.median? / first.median?));
        rows.push([
            group.labels.case.clone(),
            group.labels.manager.clone(),
            group.median.map_or_else(none, milliseconds),
            lengths
                .clone()
                .min()
                .map_or_else(none, |&least| milliseconds(least as f64)),
            lengths.max().map_or_else(none, |&most| milliseconds(most as f64)),
            milliseconds(group.control.median as f64),
            failed(group),
            ratio.map_or_else(none, |ratio| format!("{ratio:.1}")),
        ]);
    }
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(String::len)
            .max()
    };
    let mut text = String::new();
    for row in &rows {
        for (column, cell) in row.iter().enumerate() {
            let width = width(column).unwrap_or(0);
            // Names to the left, numbers to the right.
            let cell = if column < 2 {
                format!("{cell:<width$}")
            } else {
                format!("{cell:>width$}")
            };
            text.push_str(if column == 0 { "" } else { "  " });
            text.push_str(&cell);
        }
        text.push('\n');
    }
    text
}

fn none() -> String {
    "none".to_owned()
}

fn milliseconds(nanoseconds: f64) -> String {
    format!("{:.1}", nanoseconds / 1e6)
}

/// Attempts of one cycle, the mean. All of them failed where the service did not come back.
fn failed(group: &Group) -> String {
    let cycles = group.cycles().max(1);
    let mean = group.lost() as f64 / cycles as f64;
    // One failure in many cycles must not look like none.
    if mean > 0.0 && mean < 1.0 {
        return format!("{mean:.2}");
    }
    format!("{mean:.0}")
}

#[cfg(test)]
mod tests {
    use softboot_greyout::Outcome;
    use softboot_greyout::result::Labels;
    use softboot_greyout::stats::Spread;

    use super::*;

    #[test]
    fn a_row_has_the_median_and_how_much_longer_than_ours_it_is() {
        let group = |system: &str, median: u64, lengths: &[u64], refused: u64| Group {
            labels: Labels {
                case: "stopped".into(),
                manager: system.into(),
                ..Labels::default()
            },
            lengths: lengths.iter().map(|length| length * 1_000_000).collect(),
            median: Some(median as f64 * 1e6),
            control: Spread {
                median: 1_100_000,
                ..Spread::default()
            },
            failed: [(Outcome::Refused, refused)].into(),
            ..Group::default()
        };
        let never = Group {
            median: None,
            without_length: 3,
            ..group("other", 0, &[], 9)
        };
        let text = render(&Results {
            groups: vec![
                group("softbootd", 5, &[4, 5, 9], 1),
                group("systemd", 100, &[100, 50, 200], 9),
                never,
            ],
            ..Results::default()
        });
        let words =
            |line: usize| -> Vec<&str> { text.lines().nth(line).unwrap().split_whitespace().collect() };
        assert_eq!(
            words(1),
            ["stopped", "softbootd", "5.0", "4.0", "9.0", "1.1", "0.33", "1.0"]
        );
        assert_eq!(
            words(2),
            ["stopped", "systemd", "100.0", "50.0", "200.0", "1.1", "3", "20.0"]
        );
        assert_eq!(
            words(3),
            ["stopped", "other", "none", "none", "none", "1.1", "3", "none"]
        );
    }
}
