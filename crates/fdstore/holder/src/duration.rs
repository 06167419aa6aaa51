//! Spans of time as people write them.

use std::time::Duration;

const UNITS: [(&str, u64); 5] = [
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
];

/// Why a text is no span of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no span of time; write a number with a unit: 500ms, 90s, 15m, 12h, 7d")]
pub struct DurationError(String);

/// Reads `90s`, `1h`, `1h30m`; a number needs its unit.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let wrong = || DurationError(text.to_owned());
    let mut rest = text.trim();
    let mut total: u64 = 0;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .filter(|digits| *digits > 0)
            .ok_or_else(wrong)?;
        let (number, after) = rest.split_at_checked(digits).ok_or_else(wrong)?;
        let (unit, factor) = UNITS
            .iter()
            .find(|(unit, _)| after.starts_with(unit))
            .ok_or_else(wrong)?;
        let value: u64 = number.parse().map_err(|_| wrong())?;
        total = value
            .checked_mul(*factor)
            .and_then(|usec| total.checked_add(usec))
            .ok_or_else(wrong)?;
        rest = after.strip_prefix(unit).unwrap_or("");
    }
    Ok(Duration::from_micros(total))
}

/// In the largest unit that says enough: `3d`, `12h`, `5m`, `20s`.
pub fn brief(duration: Duration) -> String {
    let usec = usec(duration);
    for (unit, factor) in UNITS.iter().rev() {
        if usec >= factor.saturating_mul(2) || *factor == 1_000_000 {
            return format!("{}{unit}", usec / factor);
        }
    }
    "0s".to_owned()
}

/// In microseconds.
pub fn usec(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_units_and_add_up() {
        assert_eq!(parse("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse("1h30m"), Ok(Duration::from_secs(5_400)));
        assert_eq!(parse("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse("2d"), Ok(Duration::from_secs(172_800)));
        for bad in [
            "",
            "5",
            "s",
            "-1s",
            "1.5h",
            "1y",
            "99999999999999999999s",
            "999999999999999d",
            "1sä",
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_brief_form_rounds_down() {
        let of = |text| brief(parse(text).unwrap());
        assert_eq!(
            [of("3d"), of("47h"), of("90s"), of("119m"), of("300ms")],
            ["3d", "47h", "90s", "119m", "0s"]
        );
    }
}
