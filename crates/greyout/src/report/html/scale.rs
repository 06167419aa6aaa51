//! From values to places on a drawing that is 1000 wide, and the values to write at its edge.

/// Width and height of every drawing's own coordinates; the page stretches them.
pub(super) const WIDTH: f64 = 1000.0;

/// Time from left to right.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time {
    from: f64,
    to: f64,
}

impl Time {
    /// From an instant to another, in nanoseconds relative to the event.
    pub(super) fn new(from: i64, to: i64) -> Time {
        let (from, to) = (from as f64, to as f64);
        // Far from zero the next number is more than a nanosecond away.
        let least = (from.abs() * 1e-12).max(1.0);
        Time {
            from,
            to: to.max(from + least),
        }
    }

    /// The place of an instant, at most a little outside.
    pub(super) fn x(self, instant: f64) -> f64 {
        ((instant - self.from) / (self.to - self.from) * WIDTH).clamp(-5.0, WIDTH + 5.0)
    }

    /// The place in percent.
    pub(super) fn percent(self, instant: f64) -> f64 {
        (self.x(instant) / WIDTH * 100.0).clamp(0.0, 100.0)
    }

    /// Round instants, about five.
    pub(super) fn ticks(self) -> Vec<f64> {
        let rough = (self.to - self.from) / 5.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|factor| factor * power)
            .find(|step| *step >= rough)
            .unwrap_or(rough);
        let first = (self.from / step).ceil();
        let count = ((self.to / step).floor() - first).clamp(0.0, 20.0) as u32;
        (0..=count)
            .map(|index| (first + f64::from(index)) * step)
            .collect()
    }
}

/// Latencies on a logarithmic scale, whole powers of ten.
#[derive(Clone, Copy, Debug)]
pub(super) struct Log {
    low: f64,
    high: f64,
}

impl Log {
    /// Over all of these.
    pub(super) fn over(values: impl Iterator<Item = u64> + Clone) -> Log {
        let low = values.clone().min().unwrap_or(1).max(1) as f64;
        let high = values.max().unwrap_or(1).max(1) as f64;
        let (low, high) = (low.log10().floor(), high.log10().ceil());
        Log {
            low,
            high: high.max(low + 1.0),
        }
    }

    /// From 0 for the lowest to 1 for the highest.
    pub(super) fn share(self, value: f64) -> f64 {
        ((value.max(1.0).log10() - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// The powers of ten; of many only every other, or every third.
    pub(super) fn ticks(self) -> Vec<f64> {
        let count = (self.high - self.low) as u32;
        (0..=count)
            .step_by(count.div_ceil(6).max(1) as usize)
            .map(|index| 10_f64.powf(self.low + f64::from(index)))
            .collect()
    }
}

/// Where a word at an axis stands, in percent: at the edges within, elsewhere around its place.
pub(super) fn word_at(percent: f64) -> (String, Option<&'static str>) {
    let edge = match percent {
        low if low < 5.0 => Some("low"),
        high if high > 95.0 => Some("high"),
        _ => None,
    };
    (format!("left:{}%", short(percent)), edge)
}

/// A place with a tenth of precision, as short as it can be written.
pub(super) fn short(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        let ticks = Time::new(-171_000_000, 513_000_000).ticks();
        assert_eq!(ticks, [0.0, 200e6, 400e6]);
        let ticks = Time::new(0, 7).ticks();
        assert_eq!(ticks, [0.0, 2.0, 4.0, 6.0]);
        assert!(Time::new(5, 5).ticks().len() < 30);
    }

    #[test]
    fn instants_that_are_the_same_number_still_have_a_place() {
        // Found by whatever_a_record_holds_it_can_be_shown: a nanosecond is less than a step of f64 there.
        let time = Time::new(i64::MAX - 1, i64::MAX);
        assert!(time.x(i64::MAX as f64).is_finite() && time.ticks().len() < 30);
    }

    #[test]
    fn a_logarithmic_scale_has_whole_powers_of_ten() {
        let scale = Log::over([30_000_u64, 250_000_000].into_iter());
        assert_eq!(scale.ticks().len(), 6);
        assert_eq!(scale.ticks()[0].round(), 10_000.0);
        assert!((scale.share(1e9) - 1.0).abs() < 1e-9 && scale.share(1e4).abs() < 1e-9);
        assert_eq!(Log::over([5_u64].into_iter()).ticks().len(), 2);
        assert_eq!(
            Log::over([1_u64, 10_000_000_000].into_iter()).ticks().len(),
            6,
            "every other of ten"
        );
    }

    #[test]
    fn places_are_short() {
        assert_eq!(
            (short(3.04), short(2.96), short(0.12)),
            ("3".into(), "3".into(), "0.1".into())
        );
    }
}
