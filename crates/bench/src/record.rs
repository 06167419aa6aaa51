//! What is written down of one figure.

use serde::{Deserialize, Serialize};

/// One figure beside its floor. The list of these is what `--json` writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What was done, such as `push/socket/1000`.
    pub case: String,
    /// What was measured of it, such as `time-per-descriptor`.
    pub metric: String,
    /// The unit of all values.
    pub unit: String,
    /// The median of the runs.
    pub value: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// How many runs.
    pub runs: usize,
    /// The median of the floor: the bare kernel doing the same work, in turns with it.
    pub floor: Option<f64>,
    /// `value / floor`.
    pub ratio: Option<f64>,
    /// Who else did the same.
    pub peer: Option<String>,
    /// The peer's median.
    pub peer_value: Option<f64>,
    /// What the ratio (or the value, where there is no floor) should be at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aim: Option<f64>,
}

impl Record {
    /// A figure of these runs; `floor` are the floor's.
    pub fn new(case: impl Into<String>, metric: &str, unit: &str, runs: &[f64], floor: &[f64]) -> Record {
        let value = median(runs);
        let floor = (!floor.is_empty()).then(|| median(floor));
        Record {
            case: case.into(),
            metric: metric.to_owned(),
            unit: unit.to_owned(),
            value,
            min: runs.iter().copied().fold(f64::INFINITY, f64::min),
            max: runs.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            runs: runs.len(),
            ratio: floor.filter(|floor| *floor > 0.0).map(|floor| value / floor),
            floor,
            peer: None,
            peer_value: None,
            aim: None,
        }
    }

    /// With a peer that did the same.
    #[must_use]
    pub fn peer(mut self, name: &str, runs: &[f64]) -> Record {
        if !runs.is_empty() {
            self.peer = Some(name.to_owned());
            self.peer_value = Some(median(runs));
        }
        self
    }

    /// With what it should be at most.
    #[must_use]
    pub fn aim(mut self, aim: f64) -> Record {
        self.aim = Some(aim);
        self
    }

    /// Whether the aim is met; `None` without one.
    pub fn met(&self) -> Option<bool> {
        let aim = self.aim?;
        Some(self.ratio.unwrap_or(self.value) <= aim)
    }
}

/// The median; of an even number the mean of the two in the middle, of none NaN.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.get(middle), sorted.len().is_multiple_of(2)) {
        (Some(upper), true) => sorted
            .get(middle.saturating_sub(1))
            .map_or(*upper, |lower| f64::midpoint(*lower, *upper)),
        (Some(value), false) => *value,
        (None, _) => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn the_ratio_is_of_the_medians_and_the_aim_is_of_the_ratio() {
        let record = Record::new("c", "m", "us", &[3.0, 9.0, 4.0], &[2.0, 2.0]).aim(2.0);
        assert_eq!((record.value, record.min, record.max), (4.0, 3.0, 9.0));
        assert_eq!((record.ratio, record.met()), (Some(2.0), Some(true)));
        let alone = Record::new("c", "m", "B", &[3.0], &[]).aim(2.0);
        assert_eq!((alone.ratio, alone.met()), (None, Some(false)));
    }
}
