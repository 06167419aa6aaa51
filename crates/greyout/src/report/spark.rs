//! A row of blocks: time from left to right, the largest latency of each step on a logarithmic scale.

use crate::attempt::Outcome;
use crate::result::Shown;

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// A step in which an attempt failed.
pub(super) const FAILED: char = '×';

/// The row, so wide; `None` if nothing was attempted.
pub(super) fn row(shown: &Shown, width: usize) -> Option<String> {
    let (&first, &last) = (shown.due.first()?, shown.due.last()?);
    let span = last.saturating_sub(first).max(1) as f64;
    let mut steps: Vec<Option<(u64, bool)>> = vec![None; width];
    let attempts = shown.due.iter().zip(&shown.latency).zip(&shown.outcome);
    for ((&due, &latency), &code) in attempts {
        let place = due.saturating_sub(first) as f64 / span * (width.saturating_sub(1)) as f64;
        if let Some(step) = steps.get_mut(place as usize) {
            let failed = Outcome::of_code(code) != Some(Outcome::Good);
            let (worst, any) = step.unwrap_or((0, false));
            *step = Some((worst.max(latency), any || failed));
        }
    }
    let latencies = || steps.iter().flatten().map(|step| step.0.max(1) as f64);
    let low = latencies().fold(f64::INFINITY, f64::min).log10();
    let high = latencies().fold(0.0, f64::max).log10();
    let block = |latency: u64| {
        // Less than a power of ten between the extremes is no difference to show.
        let height = (latency.max(1) as f64).log10() - low;
        let place = height / (high - low).max(1.0) * 7.0;
        BLOCKS
            .get(place.round().max(0.0) as usize)
            .copied()
            .unwrap_or('█')
    };
    let character = |step: &Option<(u64, bool)>| match step {
        None => ' ',
        Some((_, true)) => FAILED,
        Some((latency, false)) => block(*latency),
    };
    Some(steps.iter().map(character).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_stands_out_and_failures_are_crosses() {
        let mut shown = Shown::default();
        for tick in 0..20_i64 {
            shown.due.push(tick * 1000);
            shown.latency.push(if tick == 10 { 100_000 } else { 100 });
            shown.outcome.push(u8::from(tick == 5));
        }
        assert_eq!(row(&shown, 20).as_deref(), Some("▁▁▁▁▁×▁▁▁▁█▁▁▁▁▁▁▁▁▁"));
        assert_eq!(row(&Shown::default(), 20), None);
    }

    #[test]
    fn steps_without_an_attempt_stay_empty() {
        let shown = Shown {
            due: vec![0, 9000],
            latency: vec![1, 1],
            outcome: vec![0, 0],
            ..Shown::default()
        };
        assert_eq!(row(&shown, 10).as_deref(), Some("▁        ▁"));
    }
}
