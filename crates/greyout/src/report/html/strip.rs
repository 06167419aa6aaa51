//! A strip: every attempt of an endpoint as a dot, time from left to right, latency upwards, and the gap shaded.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use maud::{Markup, html};

use super::scale::{Log, Time, short};
use crate::attempt::Outcome;
use crate::duration::show;
use crate::measure::{Greyout, Window};
use crate::result::Shown;

/// More attempts are drawn as columns.
const DOTS: usize = 3000;
const COLUMNS: f64 = 1000.0;
/// Height of the drawing: latencies down to `FLOOR`, the failed ones below.
const HEIGHT: f64 = 100.0;
const TOP: f64 = 6.0;
const FLOOR: f64 = 78.0;
const FAILED: f64 = 91.0;

/// What is drawn.
pub(super) struct Strip<'a> {
    pub(super) name: &'a str,
    pub(super) shown: &'a Shown,
    pub(super) greyout: &'a Greyout,
    pub(super) event: Window,
}

pub(super) fn draw(strip: &Strip<'_>, time: Time) -> Markup {
    let shown = strip.shown;
    let good = |code: &u8| *code == Outcome::Good.code();
    let latencies = shown
        .latency
        .iter()
        .zip(&shown.outcome)
        .filter(|(_, code)| good(code));
    let scale = Log::over(latencies.clone().map(|(&latency, _)| latency));
    let ticks = if latencies.count() > 0 {
        scale.ticks()
    } else {
        Vec::new()
    };
    let relative = |instant: u64| instant.wrapping_sub(strip.event.begin) as i64 as f64;
    let gap = strip.greyout.last_good.map(|from| {
        let to = strip.greyout.first_good.map_or(f64::INFINITY, relative);
        (time.x(relative(from)), time.x(to))
    });
    let end = time.x(strip.event.length() as f64);
    let many = shown.due.len() > DOTS;
    html! {
        figure class="strip" {
            figcaption {
                b { (strip.name) }
                span class="figure" {
                    @match (strip.greyout.length, strip.greyout.last_good) {
                        (Some(length), _) => { (show(length as f64)) },
                        (None, Some(_)) => { "did not come back" },
                        (None, None) => { "no good reply before the event" },
                    }
                }
                span class="faint" { (lost(strip.greyout)) }
                @if many {
                    span class="faint" {
                        (shown.due.len()) " attempts, drawn as columns from the lowest to the highest latency"
                    }
                }
            }
            div class="plot" {
                svg viewBox=(format!("0 0 1000 {HEIGHT}")) preserveAspectRatio="none" role="img"
                    aria-label=(format!("attempts on {}", strip.name)) {
                    @if let Some((from, to)) = gap {
                        rect class="gap" x=(short(from)) y="0" width=(short((to - from).max(0.5))) height=(HEIGHT) {}
                    }
                    @for &tick in &ticks {
                        path class="grid" d=(format!("M0 {}H1000", short(height(scale, tick)))) {}
                    }
                    path class="lane" d=(format!("M0 {}H1000", (FLOOR + HEIGHT - 14.0) / 2.0)) {}
                    path class="event" d=(format!("M{} 0V{HEIGHT}M{} 0V{HEIGHT}", short(time.x(0.0)), short(end))) {}
                    @if many {
                        path class="columns" d=(columns(shown, scale, time)) {}
                    } @else {
                        path class="good" d=(dots(shown, scale, time)) {}
                    }
                    @for (code, path) in failed(shown, time) {
                        path class=(format!("bad o{code}")) d=(path) {}
                    }
                }
                @for &tick in &ticks {
                    span class="y" style=(format!("top:{}%", short(height(scale, tick)))) { (show(tick)) }
                }
                @if strip.greyout.lost() > 0 {
                    span class="y" style=(format!("top:{FAILED}%")) { "failed" }
                }
            }
        }
    }
}

fn lost(greyout: &Greyout) -> String {
    let counts = Outcome::ALL
        .iter()
        .map(|&outcome| (greyout.count(outcome), outcome.name()));
    let counts: Vec<String> = counts
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    if counts.is_empty() {
        "nothing lost".to_owned()
    } else {
        counts.join(", ")
    }
}

fn height(scale: Log, latency: f64) -> f64 {
    FLOOR - scale.share(latency) * (FLOOR - TOP)
}

/// Attempts with one outcome or all the others, as places.
fn places(shown: &Shown, wanted: impl Fn(u8) -> bool) -> impl Iterator<Item = (i64, u64, u8)> {
    let all = shown.due.iter().zip(&shown.latency).zip(&shown.outcome);
    all.map(|((&due, &latency), &code)| (due, latency, code))
        .filter(move |(_, _, code)| wanted(*code))
}

/// A line of no length with round ends is a dot, and stays round however the drawing is stretched.
fn dots(shown: &Shown, scale: Log, time: Time) -> String {
    let mut path = String::new();
    for (due, latency, _) in places(shown, |code| code == Outcome::Good.code()) {
        // Never fails: it is a String.
        let _ = write!(
            path,
            "M{} {}h0",
            short(time.x(due as f64)),
            short(height(scale, latency as f64))
        );
    }
    path
}

fn columns(shown: &Shown, scale: Log, time: Time) -> String {
    let mut extremes: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for (due, latency, _) in places(shown, |code| code == Outcome::Good.code()) {
        let column = time.x(due as f64).clamp(0.0, COLUMNS) as u64;
        let (low, high) = extremes.entry(column).or_insert((latency, latency));
        (*low, *high) = ((*low).min(latency), (*high).max(latency));
    }
    let mut path = String::new();
    for (column, (low, high)) in extremes {
        let (low, high) = (height(scale, low as f64), height(scale, high as f64));
        let _ = write!(path, "M{column} {}V{}", short(low + 0.5), short(high - 0.5));
    }
    path
}

/// By outcome: the failed attempts on a line of their own. A reader who cannot tell the colours still sees that.
fn failed(shown: &Shown, time: Time) -> BTreeMap<u8, String> {
    let mut known = BTreeSet::new();
    let mut paths: BTreeMap<u8, String> = BTreeMap::new();
    for (due, _, code) in places(shown, |code| code != Outcome::Good.code()) {
        let place = short(time.x(due as f64));
        if known.insert((code, place.clone())) {
            let _ = write!(paths.entry(code).or_default(), "M{place} {FAILED}h0");
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(count: usize) -> String {
        let shown = Shown {
            due: (0..count).map(|i| i as i64 * 1000).collect(),
            latency: vec![50_000; count],
            outcome: (0..count).map(|i| u8::from(i == 7)).collect(),
            ..Shown::default()
        };
        let greyout = Greyout {
            refused: 1,
            last_good: Some(6500),
            first_good: Some(8500),
            length: Some(2000),
            ..Greyout::default()
        };
        let strip = Strip {
            name: "<echo>",
            shown: &shown,
            greyout: &greyout,
            event: Window { begin: 0, end: 5000 },
        };
        draw(&strip, Time::new(0, count as i64 * 1000)).into_string()
    }

    #[test]
    fn every_attempt_is_a_dot_until_there_are_too_many() {
        let few = drawn(100);
        assert_eq!(few.matches("h0").count(), 100);
        assert!(!few.contains("drawn as columns"));
        let many = drawn(20_000);
        assert!(many.contains("20000 attempts, drawn as columns"));
        assert!(many.len() < 40_000, "{}", many.len());
    }

    #[test]
    fn a_name_is_text_and_the_gap_is_shaded() {
        let drawn = drawn(100);
        assert!(drawn.contains("&lt;echo&gt;") && !drawn.contains("<echo>"));
        assert!(
            drawn.contains("class=\"gap\" x=\"65\" y=\"0\" width=\"20\""),
            "{drawn}"
        );
        assert!(drawn.contains("1 refused"));
    }
}
