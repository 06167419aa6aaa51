//! Booleans, numbers, sizes, times.

use crate::model::{Amount, Usec};
use crate::syntax::shown;

/// `1 yes y true t on` and their opposites.
pub(crate) fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "yes" | "y" | "true" | "t" | "on" => Ok(true),
        "0" | "no" | "n" | "false" | "f" | "off" => Ok(false),
        _ => Err(format!("{} is no boolean; expected yes or no", shown(text))),
    }
}

/// A whole number.
pub(crate) fn integer<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("{} is no whole number in range", shown(text)))
}

/// A file mode.
pub(crate) fn octal(text: &str) -> Result<u32, String> {
    u32::from_str_radix(text, 8)
        .ok()
        .filter(|mode| *mode <= 0o7777)
        .ok_or_else(|| format!("{} is no octal file mode such as 0644", shown(text)))
}

const UNITS: [(&[&str], u64); 9] = [
    (&["us", "usec", "µs"], 1),
    (&["ms", "msec"], 1_000),
    (&["s", "sec", "second", "seconds", ""], 1_000_000),
    (&["min", "m", "minute", "minutes"], 60_000_000),
    (&["h", "hr", "hour", "hours"], 3_600_000_000),
    (&["d", "day", "days"], 86_400_000_000),
    (&["w", "week", "weeks"], 604_800_000_000),
    // The reference's month and year: 30.44 and 365.25 days.
    (&["M", "month", "months"], 2_629_800_000_000),
    (&["y", "year", "years"], 31_557_600_000_000),
];

/// `5min 20s`; a bare number is seconds; `infinity`.
pub(crate) fn time(text: &str) -> Result<Usec, String> {
    let wrong = || {
        format!(
            "{} is no time span such as 90, 500ms, 1min 30s or infinity",
            shown(text)
        )
    };
    if text == "infinity" {
        return Ok(Usec::INFINITY);
    }
    let mut total: u64 = 0;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let number_end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, after) = rest.split_at(number_end);
        let after = after.trim_start();
        let unit_end = after
            .find(|c: char| c.is_ascii_digit() || c.is_whitespace())
            .unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_end);
        let (_, factor) = UNITS
            .iter()
            .find(|(names, _)| names.contains(&unit))
            .ok_or_else(wrong)?;
        total = total
            .checked_add(scaled(number, *factor).ok_or_else(wrong)?)
            .ok_or_else(wrong)?;
        rest = next.trim_start();
    }
    Ok(Usec(total))
}

/// A decimal number times `factor`, without floating point.
fn scaled(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let digits = fraction.get(..fraction.len().min(15))?;
    let part: u128 = if digits.is_empty() {
        0
    } else {
        digits.parse().ok()?
    };
    let divisor = 10_u128.checked_pow(u32::try_from(digits.len()).ok()?)?;
    let part = u64::try_from(part.checked_mul(u128::from(factor))? / divisor).ok()?;
    whole.checked_mul(factor)?.checked_add(part)
}

/// Bytes with K M G T P E to the base 1024; `None` for infinity.
pub(crate) fn size(text: &str) -> Result<Option<u64>, String> {
    let wrong = || format!("{} is no size such as 512M, or infinity", shown(text));
    if text == "infinity" {
        return Ok(None);
    }
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(split);
    let power = match suffix.trim() {
        "" | "B" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        "P" => 50,
        "E" => 60,
        _ => return Err(wrong()),
    };
    scaled(number, 1_u64 << power).map(Some).ok_or_else(wrong)
}

/// Hundredths of a percent of `12.5%`, at most `most`.
pub(crate) fn percent(text: &str, most: u32) -> Result<u32, String> {
    text.strip_suffix('%')
        .and_then(|number| scaled(number.trim(), 100))
        .and_then(|share| u32::try_from(share).ok())
        .filter(|share| *share <= most)
        .ok_or_else(|| format!("{} is no percentage in range", shown(text)))
}

/// A size, a percentage of all there is, or infinity.
pub(crate) fn amount(text: &str) -> Result<Amount, String> {
    if text.ends_with('%') {
        return percent(text, 10_000).map(Amount::Share);
    }
    Ok(match size(text)? {
        Some(bytes) => Amount::Absolute(bytes),
        None => Amount::Infinity,
    })
}

/// `soft:hard` or one value for both; infinity is `None`.
pub(crate) fn resource_limit(text: &str) -> Result<(Option<u64>, Option<u64>), String> {
    let (soft, hard) = text.split_once(':').unwrap_or((text, text));
    let (soft, hard) = (size(soft.trim())?, size(hard.trim())?);
    if hard.is_some_and(|hard| soft.is_none_or(|soft| soft > hard)) {
        return Err(format!("{}: the soft limit is above the hard limit", shown(text)));
    }
    Ok((soft, hard))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, usec) in [
            ("90", 90_000_000),
            ("1min 30s", 90_000_000),
            ("1min30s", 90_000_000),
            ("1.5s", 1_500_000),
            ("500ms", 500_000),
            ("20us", 20),
            ("2 h", 7_200_000_000),
            ("0", 0),
            (".5", 500_000),
        ] {
            assert_eq!(time(text), Ok(Usec(usec)), "{text}");
        }
        assert_eq!(time("infinity"), Ok(Usec::INFINITY));
        for bad in ["", "soon", "5 parsecs", "-1", ".", "99999999999999y", "s"] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_count_in_1024() {
        assert_eq!(size("4K"), Ok(Some(4096)));
        assert_eq!(size("1.5M"), Ok(Some(1_572_864)));
        assert_eq!(size("infinity"), Ok(None));
        assert!(size("4X").is_err() && size("").is_err() && size("99999999E").is_err());
    }

    #[test]
    fn amounts_are_sizes_or_shares() {
        assert_eq!(amount("12.5%"), Ok(Amount::Share(1250)));
        assert_eq!(amount("100%").map(|all| all.of(4096)), Ok(Some(4096)));
        assert_eq!(amount("1K"), Ok(Amount::Absolute(1024)));
        assert_eq!(amount("infinity").map(|all| all.of(1)), Ok(None));
        assert_eq!(percent("250%", u32::MAX), Ok(25_000));
        for bad in ["101%", "%", "-1%", "many", "99999999999%"] {
            assert!(amount(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_soft_limit_is_not_above_the_hard_one() {
        assert_eq!(resource_limit("1024:4096"), Ok((Some(1024), Some(4096))));
        assert_eq!(resource_limit("infinity"), Ok((None, None)));
        assert!(resource_limit("10:5").is_err());
        assert!(resource_limit("infinity:5").is_err());
    }

    #[test]
    fn modes_are_octal() {
        assert_eq!(octal("0755"), Ok(0o755));
        assert!(octal("0999").is_err() && octal("77777").is_err());
    }
}
