//! Whether two samples differ by more than noise.

use serde::{Deserialize, Serialize};

use super::bootstrap::{Interval, median, ratio_interval};

/// Fewer cycles say nothing of how far they lie apart.
const ENOUGH: usize = 3;

/// What is compared: the grey-out of each cycle, and the noise of the control periods, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// One for each cycle in which the endpoint came back.
    pub lengths: &'a [u64],
    /// Cycles in which it did not.
    pub never_back: u64,
    /// By how much lengths differ in the control periods.
    pub noise: u64,
}

/// What a comparison says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The second is shorter than the first.
    Shorter,
    /// The second is longer than the first.
    Longer,
    /// Whatever difference there is, is noise.
    NoDifference,
    /// Too few cycles to tell.
    TooFew,
    /// One has no grey-out to compare.
    Incomparable,
}

/// Two samples beside each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Median of the first, in nanoseconds.
    pub a: Option<f64>,
    /// Median of the second.
    pub b: Option<f64>,
    /// The second by the first.
    pub ratio: Option<f64>,
    /// Where the true ratio is with a probability of 95 percent.
    pub interval: Option<Interval>,
    /// What that means.
    pub verdict: Verdict,
    /// Why, for people.
    pub reason: String,
}

/// Compares the second with the first.
pub fn compare(a: Sample<'_>, b: Sample<'_>) -> Comparison {
    let floats = |lengths: &[u64]| -> Vec<f64> { lengths.iter().map(|&length| length as f64).collect() };
    let (first, second) = (floats(a.lengths), floats(b.lengths));
    let (middle_a, middle_b) = (median(&first), median(&second));
    let mut result = Comparison {
        a: middle_a,
        b: middle_b,
        ratio: None,
        interval: None,
        verdict: Verdict::Incomparable,
        reason: String::new(),
    };
    let (Some(from), Some(to)) = (middle_a, middle_b) else {
        result.reason = "one of them has no cycle in which the endpoint came back".to_owned();
        return result;
    };
    let ratio = to / from;
    result.ratio = ratio.is_finite().then_some(ratio);
    result.interval = ratio_interval(&first, &second);
    let (verdict, reason) = judge(a, b, from, to, result.interval);
    result.verdict = verdict;
    result.reason = reason;
    result
}

fn judge(a: Sample<'_>, b: Sample<'_>, from: f64, to: f64, interval: Option<Interval>) -> (Verdict, String) {
    let noise = a.noise.max(b.noise);
    if a.never_back != b.never_back {
        let reason = format!(
            "the endpoint did not come back in {} cycles of the first and {} of the second",
            a.never_back, b.never_back
        );
        return (Verdict::Incomparable, reason);
    }
    if a.lengths == b.lengths {
        return (Verdict::NoDifference, "the figures are the same".to_owned());
    }
    if a.lengths.len().min(b.lengths.len()) < ENOUGH {
        return (
            Verdict::TooFew,
            format!("less than {ENOUGH} cycles say nothing of noise"),
        );
    }
    if interval.is_some_and(|interval| interval.contains(1.0)) {
        return (
            Verdict::NoDifference,
            "the interval of the ratio includes 1".to_owned(),
        );
    }
    if (from - to).abs() <= noise as f64 {
        let noise = crate::duration::show(noise as f64);
        return (
            Verdict::NoDifference,
            format!("control periods differ by {noise} among themselves"),
        );
    }
    let verdict = if to < from {
        Verdict::Shorter
    } else {
        Verdict::Longer
    };
    (verdict, "more than noise".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(lengths: &[u64], noise: u64) -> Sample<'_> {
        Sample {
            lengths,
            never_back: 0,
            noise,
        }
    }

    const HUNDRED: [u64; 8] = [
        98_000, 104_000, 101_000, 99_000, 103_000, 97_000, 100_000, 102_000,
    ];
    const FIFTY: [u64; 8] = [52_000, 49_000, 50_000, 51_000, 48_000, 53_000, 50_500, 49_500];

    #[test]
    fn a_sample_does_not_differ_from_itself() {
        for lengths in [&HUNDRED[..], &HUNDRED[..1]] {
            let result = compare(sample(lengths, 0), sample(lengths, 0));
            assert_eq!(result.verdict, Verdict::NoDifference);
            assert_eq!(result.ratio, Some(1.0));
        }
    }

    #[test]
    fn half_of_it_is_shorter_and_the_other_way_round_longer() {
        let result = compare(sample(&HUNDRED, 1000), sample(&FIFTY, 1000));
        assert_eq!(result.verdict, Verdict::Shorter);
        let interval = result.interval.unwrap();
        assert!(interval.contains(0.5) && !interval.contains(0.6), "{interval:?}");
        assert_eq!(
            compare(sample(&FIFTY, 0), sample(&HUNDRED, 0)).verdict,
            Verdict::Longer
        );
    }

    #[test]
    fn other_figures_of_the_same_distribution_do_not_differ() {
        let mut shifted = HUNDRED;
        shifted[0] += 500;
        shifted[3] -= 700;
        assert_eq!(
            compare(sample(&HUNDRED, 0), sample(&shifted, 0)).verdict,
            Verdict::NoDifference
        );
    }

    #[test]
    fn what_the_control_periods_differ_by_is_no_difference() {
        let result = compare(sample(&HUNDRED, 0), sample(&FIFTY, 60_000));
        assert_eq!(result.verdict, Verdict::NoDifference);
        assert!(result.reason.contains("control periods"));
    }

    #[test]
    fn few_cycles_say_nothing_and_an_endpoint_that_stays_away_cannot_be_compared() {
        assert_eq!(
            compare(sample(&[5], 0), sample(&[500], 0)).verdict,
            Verdict::TooFew
        );
        assert_eq!(
            compare(sample(&[], 0), sample(&HUNDRED, 0)).verdict,
            Verdict::Incomparable
        );
        let away = Sample {
            never_back: 1,
            ..sample(&FIFTY, 0)
        };
        assert_eq!(compare(sample(&HUNDRED, 0), away).verdict, Verdict::Incomparable);
    }
}
