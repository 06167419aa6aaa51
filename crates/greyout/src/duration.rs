//! Spans of time as people write and read them.

use std::time::Duration;

const UNITS: [(&str, u64); 5] = [
    // Longer names first: `ms` also begins with the `m` of minutes.
    ("ms", 1_000_000),
    ("us", 1_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Why a text is no span of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no span of time; write a number with a unit: 500us, 250ms, 10s, 2m, 1h30m")]
pub struct DurationError(String);

/// Reads `250ms`, `10s`, `1h30m`; a number needs its unit.
///
/// # Errors
/// It is no such text, or longer than 500 years.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let wrong = || DurationError(text.to_owned());
    let mut rest = text.trim();
    let mut total = 0_u64;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, after) = rest.split_at_checked(digits).ok_or_else(wrong)?;
        let (unit, factor) = UNITS
            .iter()
            .find(|(unit, _)| after.starts_with(unit))
            .ok_or_else(wrong)?;
        let value: u64 = number.parse().map_err(|_| wrong())?;
        let nanos = value.checked_mul(*factor).ok_or_else(wrong)?;
        total = total.checked_add(nanos).ok_or_else(wrong)?;
        rest = after.strip_prefix(unit).unwrap_or("");
    }
    Ok(Duration::from_nanos(total))
}

/// Nanoseconds with three significant figures and a unit: `950 ns`, `1.25 ms`, `146 ms`, `2.50 s`.
pub fn show(nanos: f64) -> String {
    let size = nanos.abs();
    let (value, unit) = match size {
        _ if size < 1e3 => (nanos, "ns"),
        _ if size < 1e6 => (nanos / 1e3, "µs"),
        _ if size < 1e9 => (nanos / 1e6, "ms"),
        _ => (nanos / 1e9, "s"),
    };
    let digits = match value.abs() {
        _ if unit == "ns" => 0,
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_needs_its_unit() {
        assert_eq!(parse("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse("5us"), Ok(Duration::from_micros(5)));
        for wrong in ["", "5", "ms", "5 ms", "-1s", "1.5s", "99999999999h"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn three_figures_are_shown() {
        let shown = [950.0, 1_250.0, 12_500.0, 146_400_000.0, 2.5e9, 0.0].map(show);
        assert_eq!(
            shown,
            ["950 ns", "1.25 µs", "12.5 µs", "146 ms", "2.50 s", "0 ns"]
        );
    }
}
