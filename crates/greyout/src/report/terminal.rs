//! On a terminal: at most 80 columns.

use std::fmt::Write as _;

use super::comparison::comparison;
use super::spark;
use super::text::{Paint, Tone, WIDTH, clean, fit, wrap};
use crate::duration::show;
use crate::result::{Group, Results};
use crate::stats::Interval;

/// The result in tables.
pub fn summary(results: &Results, paint: Paint) -> String {
    let mut text = String::new();
    let mut headings: Vec<String> = Vec::new();
    for group in &results.groups {
        let heading = heading(&group.event, &group.labels.case, &group.labels.view);
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    for title in headings {
        let of = |group: &&Group| heading(&group.event, &group.labels.case, &group.labels.view) == title;
        let _ = writeln!(text, "{}", paint.tone(Tone::Bold, fit(&title, WIDTH).trim_end()));
        let columns = format!(
            "  {:<15} {:<14} {:>3} {:>8} {:<19} {:>8}",
            "endpoint", "manager", "n", "grey-out", "95 % interval", "control"
        );
        let _ = writeln!(
            text,
            "{}",
            paint.tone(Tone::Faint, &format!("{columns} {:>5}", "lost"))
        );
        let groups: Vec<&Group> = results.groups.iter().filter(of).collect();
        for group in beside(&groups) {
            text.push_str(&row(group, paint));
        }
        text.push('\n');
    }
    if !results.comparisons.is_empty() {
        text.push_str(&comparison(&results.comparisons, paint));
        text.push('\n');
    }
    if !results.groups.is_empty() {
        text.push_str(&wrap(
            "n: cycles. grey-out: longest silence that touches the event, median. control: the same for pseudo-events \
             of the quiet time before, median. lost: attempts without a whole and right reply, all cycles. The rows are one cycle: \
             the largest latency of each step, logarithmic, each row by itself; × where an attempt failed.",
            0,
            0,
        ));
    }
    text.push_str(&about(results));
    for note in &results.notes {
        text.push_str(&wrap(&format!("note: {note}"), 0, 6));
    }
    if !results.command.is_empty() {
        text.push_str(&wrap(&format!("again: {}", results.command), 0, 7));
    }
    text
}

/// Managers of the same endpoint beside each other.
pub(super) fn beside<'a>(groups: &[&'a Group]) -> Vec<&'a Group> {
    let mut sorted: Vec<(usize, &Group)> = Vec::with_capacity(groups.len());
    for &group in groups {
        let first = groups.iter().position(|other| other.endpoint == group.endpoint);
        sorted.push((first.unwrap_or(0), group));
    }
    sorted.sort_by_key(|(place, _)| *place);
    sorted.into_iter().map(|(_, group)| group).collect()
}

pub(super) fn heading(event: &str, case: &str, view: &str) -> String {
    let parts = [event, case, view];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    clean(&parts.join(" · "))
}

fn row(group: &Group, paint: Paint) -> String {
    let lost = group.lost();
    let control = match group.control.count {
        0 => "–".to_owned(),
        _ => show(group.control.median as f64),
    };
    let count = format!("{lost:>5}");
    let mut text = format!(
        "  {} {} {:>3} {:>8} {} {:>8} {}\n",
        fit(&group.endpoint, 15),
        fit(&group.labels.manager, 14),
        group.cycles(),
        group.median.map_or("none".to_owned(), show),
        fit(&interval(group.interval), 19),
        control,
        if lost > 0 {
            paint.tone(Tone::Bad, &count)
        } else {
            count
        },
    );
    if let Some(shown) = &group.shown
        && let (Some(row), Some(&first), Some(&last)) =
            (spark::row(shown, 56), shown.due.first(), shown.due.last())
    {
        let row: String = row
            .split_inclusive(spark::FAILED)
            .map(|part| match part.strip_suffix(spark::FAILED) {
                Some(good) => format!("{good}{}", paint.tone(Tone::Bad, "×")),
                None => part.to_owned(),
            })
            .collect();
        let _ = writeln!(text, "  {:>9} {row} {:>9}", signed(first), signed(last));
    }
    if lost > 0 {
        let each = group
            .failed
            .iter()
            .map(|(outcome, count)| format!("{} {count}", outcome.name()));
        let each: Vec<String> = each.collect();
        text.push_str(&wrap(&format!("lost: {}", each.join(", ")), 4, 10));
    }
    if group.without_length > 0 {
        let line = format!(
            "    cycles in which it did not come back, or the record began too late: {}",
            group.without_length
        );
        let _ = writeln!(text, "{}", paint.tone(Tone::Bad, &line));
    }
    text
}

pub(super) fn signed(nanos: i64) -> String {
    let sign = if nanos < 0 { "−" } else { "+" };
    format!("{sign}{}", show(nanos.unsigned_abs() as f64))
}

fn interval(interval: Option<Interval>) -> String {
    match interval {
        Some(Interval { low, high }) => format!("{} – {}", show(low), show(high)),
        None => "too few cycles".to_owned(),
    }
}

/// What was measured on, and what the probes took.
fn about(results: &Results) -> String {
    let mut text = String::new();
    let kinds = results.kinds();
    let cpu = kinds.iter().filter_map(|kind| kind.cpu()).reduce(f64::max);
    if let Some(cpu) = cpu {
        let late = kinds.iter().map(|kind| kind.lateness().1).max().unwrap_or(0);
        let line = format!(
            "probe: at most {cpu:.1} % of a CPU; woke up at most {} late in 99 of 100 cases",
            show(late as f64)
        );
        text.push_str(&wrap(&line, 0, 7));
    }
    for machine in results.machines() {
        text.push_str(&wrap(&format!("on: {machine}"), 0, 4));
    }
    text
}

#[cfg(test)]
mod tests;
