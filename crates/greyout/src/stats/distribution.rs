//! Distributions of latencies.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::attempt::Attempt;

/// Bars of a distribution in a power of ten.
const BARS_PER_DECADE: f64 = 12.0;

/// Latencies of the attempts of one endpoint and period, of however many cycles. Three significant figures, up to an
/// hour.
#[derive(Clone, Debug)]
pub struct Latencies {
    histogram: Option<Histogram<u64>>,
}

impl Default for Latencies {
    fn default() -> Latencies {
        Latencies {
            histogram: Histogram::new_with_bounds(1, 3_600_000_000_000, 3).ok(),
        }
    }
}

impl Latencies {
    /// Counts the good ones among these.
    pub fn add<'a>(&mut self, attempts: impl IntoIterator<Item = &'a Attempt>) {
        if let Some(histogram) = &mut self.histogram {
            for attempt in attempts.into_iter().filter(|attempt| attempt.is_good()) {
                histogram.saturating_record(attempt.latency());
            }
        }
    }

    /// What a result keeps of it.
    pub fn summary(&self) -> Distribution {
        let Some(histogram) = self.histogram.as_ref().filter(|all| !all.is_empty()) else {
            return Distribution::default();
        };
        let mut bars: Vec<(u64, u64)> = Vec::new();
        for value in histogram.iter_recorded() {
            let upper = upper(value.value_iterated_to());
            match bars.last_mut() {
                Some((bar, count)) if *bar == upper => *count = count.saturating_add(value.count_at_value()),
                _ => bars.push((upper, value.count_at_value())),
            }
        }
        Distribution {
            count: histogram.len(),
            p50: histogram.value_at_quantile(0.5),
            p90: histogram.value_at_quantile(0.9),
            p99: histogram.value_at_quantile(0.99),
            p999: histogram.value_at_quantile(0.999),
            max: histogram.max(),
            bars,
        }
    }
}

/// The upper bound of the bar that a latency is in.
fn upper(value: u64) -> u64 {
    let bar = ((value.max(1) as f64).log10() * BARS_PER_DECADE).floor() + 1.0;
    10_f64.powf(bar / BARS_PER_DECADE).round() as u64
}

/// A distribution of latencies of good attempts, in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Distribution {
    /// How many.
    pub count: u64,
    /// The median.
    pub p50: u64,
    /// Nine of ten are not above it.
    pub p90: u64,
    /// 99 percent are not above it.
    pub p99: u64,
    /// 99.9 percent are not above it.
    pub p999: u64,
    /// The largest.
    pub max: u64,
    /// Upper bound and count of each bar that is not empty; twelve bars in a power of ten.
    pub bars: Vec<(u64, u64)>,
}

/// How far values lie apart, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spread {
    /// How many.
    pub count: u64,
    /// The median.
    pub median: u64,
    /// 95 of 100 are not above it.
    pub p95: u64,
    /// The largest.
    pub max: u64,
}

impl Spread {
    /// Of these values.
    pub fn of(mut values: Vec<u64>) -> Spread {
        values.sort_unstable();
        let at = |of: usize| {
            let last = values.len().saturating_sub(1);
            values.get(last.saturating_mul(of) / 100).copied().unwrap_or(0)
        };
        Spread {
            count: values.len() as u64,
            median: at(50),
            p95: at(95),
            max: at(100),
        }
    }

    /// By how much a value may differ from another for no reason.
    pub fn noise(&self) -> u64 {
        self.p95.saturating_sub(self.median)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::Outcome;

    fn attempt(latency: u64, outcome: Outcome) -> Attempt {
        Attempt {
            due: 1000,
            started: 1000,
            finished: 1000 + latency,
            outcome,
        }
    }

    #[test]
    fn latencies_of_good_attempts_are_counted_from_the_due_time() {
        let mut latencies = Latencies::default();
        let all: Vec<Attempt> = (1..=100).map(|n| attempt(n * 1000, Outcome::Good)).collect();
        latencies.add(&all);
        latencies.add(&[attempt(1, Outcome::Refused)]);
        let summary = latencies.summary();
        assert_eq!(summary.count, 100);
        assert!((50_000..50_100).contains(&summary.p50), "{summary:?}");
        assert_eq!(summary.bars.iter().map(|bar| bar.1).sum::<u64>(), 100);
        assert!(summary.bars.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!((100_000..101_000).contains(&summary.max));
    }

    #[test]
    fn noise_is_the_way_from_the_median_to_the_95th_percentile() {
        let spread = Spread::of((0..=100).rev().collect());
        assert_eq!(
            (spread.median, spread.p95, spread.max, spread.noise()),
            (50, 95, 100, 45)
        );
        assert_eq!(Spread::of(Vec::new()), Spread::default());
    }
}
