//! The waterfall: phases and units, on the time of the strips below them.

use maud::{Markup, html};

use super::scale::{Time, WIDTH, short};
use crate::duration::show;
use crate::result::{EventResult, Lane, Span};

/// More are left out, the shortest first.
const ROWS: usize = 24;

pub(super) fn draw(event: &EventResult, time: Time) -> Markup {
    let (rows, left_out) = rows(&event.spans);
    html! {
        @if !rows.is_empty() {
            div class="waterfall" {
                @for span in &rows {
                    (row(span, event.window.begin, time))
                }
            }
            @if let Some((count, longest)) = left_out {
                p class="faint" { (count) " more that took at most " (show(longest as f64)) " are left out" }
            }
        }
    }
}

/// What is drawn, in order of lane and time; how many are not, and the longest of those.
fn rows(spans: &[Span]) -> (Vec<&Span>, Option<(usize, u64)>) {
    let length = |span: &Span| span.end.saturating_sub(span.begin);
    let mut sorted: Vec<&Span> = spans.iter().collect();
    // Phases and what is critical stay whatever they took.
    sorted.sort_by_key(|span| {
        let keep = span.lane == Lane::Phase || span.critical;
        std::cmp::Reverse((keep, length(span)))
    });
    let rest = sorted.split_off(sorted.len().min(ROWS));
    let left_out = rest
        .iter()
        .map(|span| length(span))
        .max()
        .map(|longest| (rest.len(), longest));
    sorted.sort_by_key(|span| (span.lane, span.begin, span.end));
    (sorted, left_out)
}

fn row(span: &Span, begin: u64, time: Time) -> Markup {
    let relative = |instant: u64| instant.wrapping_sub(begin) as i64 as f64;
    let (from, to) = (time.x(relative(span.begin)), time.x(relative(span.end)));
    let kind = match span.lane {
        Lane::Phase => "phase",
        Lane::Stop => "stop",
        Lane::Start => "start",
    };
    let took = show(span.end.saturating_sub(span.begin) as f64);
    let (before, after) = (from.clamp(0.0, WIDTH) / 10.0, to.clamp(0.0, WIDTH) / 10.0);
    // Beside the bar, where there is more room.
    let place = if 100.0 - after >= before {
        format!("left:{0}%;max-width:{1}%", short(after), short(100.0 - after))
    } else {
        format!("right:{0}%;max-width:{1}%", short(100.0 - before), short(before))
    };
    html! {
        div class="row" {
            div class="bar" {
                svg viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" {
                    rect class=(if span.critical { format!("{kind} critical") } else { kind.to_owned() })
                        x=(short(from)) y="1" width=(short((to - from).max(1.0))) height="8" {}
                }
            }
            span class="name" style=(place) {
                @match span.lane {
                    Lane::Phase => { b { (span.name) } },
                    Lane::Stop => { "stop " (span.name) },
                    Lane::Start => { "start " (span.name) },
                }
                span class="faint" {
                    " " (took)
                    @if span.critical { " · critical" }
                    @if !span.note.is_empty() { " · " (span.note) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(lane: Lane, name: &str, begin: u64, end: u64) -> Span {
        Span {
            lane,
            name: name.to_owned(),
            begin,
            end,
            critical: false,
            note: String::new(),
        }
    }

    #[test]
    fn the_shortest_units_are_left_out_and_phases_never() {
        let mut spans: Vec<Span> = (0..100)
            .map(|i| span(Lane::Stop, &format!("u{i}"), 0, 100 + i))
            .collect();
        spans.push(span(Lane::Phase, "verify", 0, 1));
        let (rows, left_out) = rows(&spans);
        assert_eq!(rows.len(), ROWS);
        assert_eq!(rows[0].name, "verify");
        assert_eq!(left_out, Some((77, 176)));
    }
}
