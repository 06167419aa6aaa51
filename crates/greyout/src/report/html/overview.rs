//! Every group at a glance: medians with their intervals on one logarithmic axis, and the control beside them.

use maud::{Markup, html};

use super::scale::{Log, WIDTH, short, word_at};
use super::section::Section;
use crate::duration::show;
use crate::report::comparison::figure;
use crate::result::{Group, Results};
use crate::stats::Verdict;

pub(super) fn draw(results: &Results, sections: &[Section<'_>], managers: &[&str]) -> Markup {
    let values = results.groups.iter().flat_map(|group| {
        let interval = group
            .interval
            .map(|interval| [interval.low as u64, interval.high as u64]);
        let median = group.median.map(|median| median as u64);
        interval.into_iter().flatten().chain(median).chain(control(group))
    });
    let scale = Log::over(values);
    html! {
        section id="overview" {
            h2 { "Grey-out at a glance" }
            p class="legend" {
                span { i class="dot" {} "median over the cycles" }
                span { i class="line" {} "95 % interval of it" }
                span { i class="control" {} "control: the same computation on quiet time" }
            }
            @for section in sections {
                h3 { a href=(format!("#{}", section.id)) { (section.title) } }
                div class="overview" {
                    @for group in &section.groups {
                        @let place = managers.iter().position(|name| *name == group.labels.manager);
                        (row(results, group, scale, place.unwrap_or(0)))
                    }
                }
                div class="overview" {
                    div class="row" {
                        span class="name" {}
                        div class="axis" {
                            @for tick in scale.ticks() {
                                @let (place, edge) = word_at(scale.share(tick) * 100.0);
                                span style=(place) class=[edge] { (show(tick)) }
                            }
                        }
                        span class="took" {}
                    }
                }
            }
        }
    }
}

/// What a grey-out of nothing looks like; `None` if the quiet time was too short to say.
fn control(group: &Group) -> Option<u64> {
    (group.control.count > 0).then_some(group.control.median)
}

fn row(results: &Results, group: &Group, scale: Log, manager: usize) -> Markup {
    let x = |value: f64| short(scale.share(value) * WIDTH);
    html! {
        div class=(format!("row m{}", manager % 4)) {
            span class="name" { b { (group.endpoint) } " " span class="faint" { (group.labels.manager) } }
            div class="bar" {
                svg viewBox="0 0 1000 20" preserveAspectRatio="none" role="img"
                    aria-label=(format!("{} {}", group.endpoint, group.labels.manager)) {
                    @for tick in scale.ticks() {
                        path class="grid" d=(format!("M{} 0V20", x(tick))) {}
                    }
                    @if let Some(control) = control(group) {
                        path class="controlmark" d=(format!("M{} 3V17", x(control as f64))) {}
                    }
                    @if let Some(interval) = group.interval {
                        path class="intervalmark" d=(format!("M{} 10H{}", x(interval.low), x(interval.high))) {}
                    }
                    @if let Some(median) = group.median {
                        path class="medianmark" d=(format!("M{} 10h0", x(median))) {}
                    }
                }
            }
            span class="took" {
                b {
                    @match group.median {
                        Some(median) => { (show(median)) },
                        None => { "no grey-out to give" },
                    }
                }
                @let lost = group.lost();
                @if lost > 0 { " · " span class="lost" { (lost) " lost" } }
                @if let Some(text) = beside(results, group) { " · " (text) }
            }
        }
    }
}

/// How it compares with the first manager.
fn beside(results: &Results, group: &Group) -> Option<String> {
    let one = results.comparisons.iter().find(|one| {
        (&one.case, &one.view, &one.event, &one.endpoint, &one.to)
            == (
                &group.labels.case,
                &group.labels.view,
                &group.event,
                &group.endpoint,
                &group.labels.manager,
            )
    })?;
    let ratio = one.comparison.ratio.map(figure);
    Some(match (one.comparison.verdict, ratio) {
        (Verdict::NoDifference, _) => format!("no difference to {}", one.from),
        (Verdict::TooFew, Some(ratio)) => format!("{ratio}x {}, too few cycles to tell", one.from),
        (Verdict::Shorter | Verdict::Longer, Some(ratio)) => match one.comparison.interval {
            Some(interval) => {
                format!(
                    "{ratio}x {} ({}–{})",
                    one.from,
                    figure(interval.low),
                    figure(interval.high)
                )
            }
            None => format!("{ratio}x {}", one.from),
        },
        _ => format!("not comparable with {}", one.from),
    })
}
