//! Pressure stall information (Documentation/accounting/psi.rst).

use std::fs;

/// `LIMIT[/WINDOW]` or `SLICE:LIMIT[/WINDOW]`: the share of time in which processes waited for the resource is not
/// above the limit. Without pressure information it counts as low.
pub(super) fn low(resource: &str, line: &str, argument: &str) -> bool {
    let (slice, rest) = match argument.split_once(':') {
        Some((slice, rest)) => (Some(slice.trim()), rest),
        None => (None, argument),
    };
    let (limit, window) = rest.split_once('/').unwrap_or((rest, "5min"));
    let average = match window.trim() {
        "10s" | "10sec" => "avg10",
        "1min" | "60s" => "avg60",
        "5min" | "300s" => "avg300",
        _ => return false,
    };
    let Some(limit) = percent(limit) else { return false };
    let path = match slice {
        // Names of slices have no slash, so this is no way out.
        Some(name) if name.contains('/') => return false,
        Some(name) => format!("/sys/fs/cgroup/{name}/{resource}.pressure"),
        None => format!("/proc/pressure/{resource}"),
    };
    fs::read_to_string(path).map_or(true, |text| {
        average_of(&text, line, average).is_none_or(|share| share <= limit)
    })
}

/// Percent or permille, in percent.
fn percent(text: &str) -> Option<f64> {
    let text = text.trim();
    if let Some(number) = text.strip_suffix('%') {
        return number.trim().parse().ok();
    }
    let number: f64 = text.strip_suffix('‰')?.trim().parse().ok()?;
    Some(number / 10.0)
}

fn average_of(text: &str, line: &str, average: &str) -> Option<f64> {
    text.lines()
        .find_map(|found| found.strip_prefix(line))?
        .split_whitespace()
        .find_map(|word| word.strip_prefix(average)?.strip_prefix('='))?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "some avg10=12.50 avg60=1.00 avg300=0.10 total=5\nfull avg10=2.00 avg60=0.00 avg300=0.00 total=1\n";

    #[test]
    fn the_right_average_is_read() {
        assert_eq!(average_of(TEXT, "some", "avg10"), Some(12.5));
        assert_eq!(average_of(TEXT, "full", "avg60"), Some(0.0));
        assert_eq!(average_of(TEXT, "none", "avg60"), None);
    }

    #[test]
    fn limits_are_percent_or_permille() {
        assert_eq!(percent("10%"), Some(10.0));
        assert_eq!(percent("5‰"), Some(0.5));
        assert_eq!(percent("10"), None);
    }

    #[test]
    fn what_cannot_be_understood_does_not_hold() {
        assert!(low("memory", "full", "100%/10s"));
        assert!(!low("memory", "full", "100%/7min"));
        assert!(!low("memory", "full", "much"));
        assert!(!low("memory", "full", "../x:100%"));
    }
}
