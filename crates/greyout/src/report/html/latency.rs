//! Latencies before, during and after: outlines of histograms on one logarithmic axis, and the percentiles.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::scale::{Log, WIDTH, short, word_at};
use crate::duration::show;
use crate::result::Group;
use crate::stats::Distribution;

const HEIGHT: f64 = 100.0;
/// A bar is the twelfth part of a power of ten wide.
const BAR: f64 = 12.0;

pub(super) fn draw(group: &Group) -> Markup {
    let latency = &group.latency;
    let periods = [
        ("before", &latency.before),
        ("during", &latency.during),
        ("after", &latency.after),
    ];
    let bounds = periods
        .iter()
        .flat_map(|(_, all)| all.bars.iter().map(|bar| bar.0));
    // A bar goes from its lower bound on.
    let lowest = bounds.clone().min().unwrap_or(1) as f64 / 10_f64.powf(1.0 / BAR);
    let scale = Log::over(bounds.chain([lowest as u64]));
    html! {
        figure class="latency" {
            figcaption { b { (group.endpoint) } span class="faint" { (group.labels.manager) } }
            div class="plot low" {
                svg viewBox=(format!("0 0 1000 {HEIGHT}")) preserveAspectRatio="none" role="img"
                    aria-label=(format!("latencies of {}", group.endpoint)) {
                    @for tick in scale.ticks() {
                        path class="grid" d=(format!("M{} 0V{HEIGHT}", short(scale.share(tick) * WIDTH))) {}
                    }
                    @for (name, all) in periods {
                        path class=(format!("outline {name}")) d=(outline(all, scale)) {}
                    }
                }
            }
            div class="axis" {
                @for tick in scale.ticks() {
                    @let (place, edge) = word_at(scale.share(tick) * 100.0);
                    span style=(place) class=[edge] { (show(tick)) }
                }
            }
            table class="small" {
                thead { tr { th {} th { "attempts" } th { "p50" } th { "p90" } th { "p99" } th { "p99.9" } th { "max" } } }
                tbody {
                    @for (name, all) in periods {
                        tr {
                            th { span class=(format!("key {name}")) {} (name) }
                            td data-l="attempts" { (all.count) }
                            @for (label, value) in
                                [("p50", all.p50), ("p90", all.p90), ("p99", all.p99), ("p99.9", all.p999), ("max", all.max)]
                            {
                                td data-l=(label) {
                                    @if all.count > 0 { (show(value as f64)) } @else { "–" }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Each distribution by its own largest bar: there are few attempts during an event, and many before.
fn outline(all: &Distribution, scale: Log) -> String {
    let most = all.bars.iter().map(|bar| bar.1).max().unwrap_or(1).max(1) as f64;
    let mut path = format!("M0 {HEIGHT}");
    let mut edge = String::new();
    for &(upper, count) in &all.bars {
        let right = short(scale.share(upper as f64) * WIDTH);
        let left = short(scale.share(upper as f64 / 10_f64.powf(1.0 / BAR)) * WIDTH);
        let top = short(HEIGHT - count as f64 / most * (HEIGHT - 4.0));
        // Down to the floor only where the next bar is not beside this one.
        if left != edge {
            let _ = write!(path, "V{HEIGHT}H{left}");
        }
        // Never fails: it is a String.
        let _ = write!(path, "V{top}H{right}");
        edge = right;
    }
    path + &format!("V{HEIGHT}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outline_rises_to_its_largest_bar_and_returns_to_the_floor() {
        let all = Distribution {
            count: 3,
            bars: vec![(100, 1), (1000, 2)],
            ..Distribution::default()
        };
        let path = outline(&all, Log::over([10_u64, 1000].into_iter()));
        assert_eq!(path, "M0 100V100H458.3V52H500V100H958.3V4H1000V100");
    }
}
