//! Two results, or two managers of one, beside each other.

use std::fmt::Write as _;

use super::terminal::heading;
use super::text::{Paint, Tone, WIDTH, clean, fit, wrap};
use crate::duration::show;
use crate::result::GroupComparison;
use crate::stats::Verdict;

/// Comparisons in a table.
pub fn comparison(comparisons: &[GroupComparison], paint: Paint) -> String {
    let mut text = String::new();
    if comparisons.is_empty() {
        return "Nothing to compare: no case, event and endpoint is in both.\n".to_owned();
    }
    let mut last = String::new();
    for one in comparisons {
        let names = if one.from == one.to {
            String::new()
        } else {
            format!("{} beside {}", one.to, one.from)
        };
        let title = heading(&one.event, &one.case, &one.view);
        let title = if names.is_empty() {
            title
        } else {
            format!("{title}: {}", clean(&names))
        };
        if title != last {
            let _ = writeln!(text, "{}", paint.tone(Tone::Bold, fit(&title, WIDTH).trim_end()));
            last = title;
        }
        let what = &one.comparison;
        let (word, tone) = match what.verdict {
            Verdict::Shorter => ("shorter", Tone::Good),
            Verdict::Longer => ("longer", Tone::Bad),
            Verdict::NoDifference => ("no difference", Tone::Faint),
            Verdict::TooFew => ("too few cycles", Tone::Faint),
            Verdict::Incomparable => ("not comparable", Tone::Bad),
        };
        let both = format!(
            "{} → {}",
            what.a.map_or("none".to_owned(), show),
            what.b.map_or("none".to_owned(), show)
        );
        let _ = writeln!(
            text,
            "  {} {} {:>7} {} {}",
            fit(&one.endpoint, 16),
            fit(&both, 19),
            what.ratio
                .map_or("–".to_owned(), |ratio| format!("{}x", figure(ratio))),
            fit(
                &what.interval.map_or(String::new(), |interval| format!(
                    "[{}, {}]",
                    figure(interval.low),
                    figure(interval.high)
                )),
                16
            ),
            paint.tone(tone, word)
        );
        if matches!(
            what.verdict,
            Verdict::NoDifference | Verdict::TooFew | Verdict::Incomparable
        ) {
            text.push_str(&paint.tone(Tone::Faint, &wrap(&what.reason, 4, 4)));
        }
    }
    text
}

/// Three figures of a ratio.
pub(super) fn figure(ratio: f64) -> String {
    match ratio.abs() {
        size if size >= 100.0 => format!("{ratio:.0}"),
        size if size >= 10.0 => format!("{ratio:.1}"),
        size if size >= 0.1 => format!("{ratio:.2}"),
        _ => format!("{ratio:.3}"),
    }
}
