//! Medians, and how sure one can be of them: percentile bootstrap with a fixed seed, so that the same data give the
//! same interval everywhere.

use serde::{Deserialize, Serialize};

/// Resamples of an interval.
const RESAMPLES: usize = 4000;
const SEED: u64 = 0x736f_6674_626f_6f74;

/// Where the true value is with a probability of 95 percent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
}

impl Interval {
    /// Whether a value is within, bounds included.
    pub fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// The median; `None` of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    middle(&sorted)
}

fn middle(sorted: &[f64]) -> Option<f64> {
    let half = sorted.len() / 2;
    let upper = *sorted.get(half)?;
    if sorted.len().is_multiple_of(2) {
        Some((sorted.get(half.checked_sub(1)?)? + upper) / 2.0)
    } else {
        Some(upper)
    }
}

/// The interval of the median; `None` of less than two values.
pub fn median_interval(values: &[f64]) -> Option<Interval> {
    let mut random = Random(SEED);
    interval(values.len() < 2, || random.median(values))
}

/// The interval of the ratio `median(b) / median(a)` of two independent samples; `None` if one has less than two
/// values, or zeros make a ratio impossible.
pub fn ratio_interval(a: &[f64], b: &[f64]) -> Option<Interval> {
    let mut random = Random(SEED);
    interval(a.len() < 2 || b.len() < 2, || {
        Some(random.median(b)? / random.median(a)?)
    })
}

fn interval(too_few: bool, mut draw: impl FnMut() -> Option<f64>) -> Option<Interval> {
    if too_few {
        return None;
    }
    let mut drawn = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        drawn.push(draw().filter(|value| value.is_finite())?);
    }
    drawn.sort_unstable_by(f64::total_cmp);
    Some(Interval {
        low: *drawn.get(RESAMPLES / 40)?,
        high: *drawn.get(RESAMPLES - 1 - RESAMPLES / 40)?,
    })
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// The median of as many values, drawn with putting back.
    fn median(&mut self, values: &[f64]) -> Option<f64> {
        let count = values.len() as u64;
        let mut drawn = Vec::with_capacity(values.len());
        for _ in values {
            let place = self.draw().checked_rem(count)?;
            drawn.push(*values.get(usize::try_from(place).ok()?)?);
        }
        drawn.sort_unstable_by(f64::total_cmp);
        middle(&drawn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn the_same_data_give_the_same_interval_and_it_holds_the_median() {
        let values: Vec<f64> = (0..20).map(|i| f64::from(i * 7 % 20) + 100.0).collect();
        let interval = median_interval(&values).unwrap();
        assert_eq!(median_interval(&values), Some(interval));
        assert!(interval.contains(109.5));
        assert!(interval.low > 100.0 && interval.high < 119.0, "{interval:?}");
    }

    #[test]
    fn more_values_make_the_interval_narrower() {
        let spread = |count: u32| {
            let values: Vec<f64> = (0..count).map(|i| f64::from(i * 37 % 101)).collect();
            let interval = median_interval(&values).unwrap();
            interval.high - interval.low
        };
        assert!(spread(400) < spread(12));
    }

    #[test]
    fn the_ratio_of_constant_samples_is_exact() {
        let interval = ratio_interval(&[10.0; 5], &[25.0; 5]).unwrap();
        assert_eq!((interval.low, interval.high), (2.5, 2.5));
        assert_eq!(ratio_interval(&[0.0; 5], &[1.0; 5]), None);
        assert_eq!(ratio_interval(&[1.0], &[1.0; 5]), None);
    }
}
