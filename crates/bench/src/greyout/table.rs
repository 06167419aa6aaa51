//! What a person sees.

use super::{Cycle, Outcome, is_ours, middle};
use crate::record::median;

/// One line a system and case: the grey-out in milliseconds, its noise, what failed, and how much longer than ours.
pub fn render(outcomes: &[Outcome]) -> String {
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
    for outcome in outcomes {
        let gaps = outcome.cycles.iter().map(Cycle::grey_out_ms);
        let quiet: Vec<f64> = outcome.cycles.iter().map(Cycle::quiet_ms).collect();
        let failed: Vec<f64> = outcome.cycles.iter().map(Cycle::failed_count).collect();
        let ours = outcomes
            .iter()
            .find(|other| other.case == outcome.case && is_ours(other));
        rows.push([
            outcome.case.name().to_owned(),
            outcome.system.clone(),
            format!("{:.1}", middle(outcome)),
            format!("{:.1}", gaps.clone().fold(f64::INFINITY, f64::min)),
            format!("{:.1}", gaps.fold(0.0, f64::max)),
            format!("{:.1}", median(&quiet)),
            format!("{:.0}", median(&failed)),
            ours.map_or_else(String::new, |ours| {
                format!("{:.1}", middle(outcome) / middle(ours))
            }),
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

#[cfg(test)]
mod tests {
    use super::super::Case;
    use super::*;

    #[test]
    fn a_row_has_the_median_and_how_much_longer_than_ours_it_is() {
        let outcome = |system: &str, gaps: &[u64]| Outcome {
            case: Case::Stopped,
            system: system.into(),
            cycles: gaps
                .iter()
                .map(|gap| Cycle {
                    grey_out: gap * 1_000_000,
                    quiet: 1_100_000,
                    failed: 3,
                    ..Cycle::default()
                })
                .collect(),
        };
        let text = render(&[
            outcome("softbootd", &[4, 5, 9]),
            outcome("systemd", &[100, 50, 200]),
        ]);
        let words =
            |line: usize| -> Vec<&str> { text.lines().nth(line).unwrap().split_whitespace().collect() };
        assert_eq!(
            words(1),
            ["stopped", "softbootd", "5.0", "4.0", "9.0", "1.1", "3", "1.0"]
        );
        assert_eq!(
            words(2),
            ["stopped", "systemd", "100.0", "50.0", "200.0", "1.1", "3", "20.0"]
        );
    }
}
