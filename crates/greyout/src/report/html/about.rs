//! What was measured on, by what, and how one does it again.

use maud::{Markup, html};

use crate::duration::show;
use crate::result::{Results, Run};

pub(super) fn draw(results: &Results) -> Markup {
    html! {
        section id="about" {
            h2 { "Machine, versions, command" }
            @if !results.command.is_empty() {
                p { "To measure again:" }
                pre { code { (results.command) } }
            }
            table {
                thead {
                    tr {
                        th { "record" } th { "manager" } th { "case" } th { "view" } th { "accelerator" } th { "events" }
                        th { "probe's CPU" } th { "probe late (median, p99)" }
                    }
                }
                tbody {
                    @for run in &results.runs { (row(run)) }
                }
            }
            @for machine in machines(results) {
                p class="faint" { (machine) }
            }
            @if !results.notes.is_empty() {
                h3 { "Notes" }
                ul { @for note in &results.notes { li { (note) } } }
            }
            h3 { "How to read this" }
            p {
                "The " b { "grey-out" } " of a client on an endpoint is its longest silence that touches the event: from one \
                 good reply to the next. One attempt is in flight, the next is due at a fixed rate, and latency counts \
                 from the due time, so a stall counts for all that it delayed. The " b { "control" } " is the same \
                 computation on pseudo-events of the same length in the quiet time before each event: a grey-out of that \
                 size is noise, and it is never less than the time from one attempt to the next. Intervals are those of a \
                 bootstrap over the cycles."
            }
            p class="faint" { "Made by " (results.program) "." }
        }
    }
}

fn row(run: &Run) -> Markup {
    let cost = run.ending.as_ref().map(|ending| &ending.cost);
    let late = |pick: fn(&crate::record::EndpointCost) -> u64| {
        let all = cost.into_iter().flat_map(|cost| &cost.endpoints);
        show(all.map(pick).max().unwrap_or(0) as f64)
    };
    html! {
        tr {
            th { (run.file) }
            td data-l="manager" class="text" { (or_dash(&run.labels.manager)) }
            td data-l="case" class="text" { (or_dash(&run.labels.case)) }
            td data-l="view" class="text" { (or_dash(&run.labels.view)) }
            td data-l="accelerator" class="text" { (or_dash(run.other.get("accelerator").map_or("", String::as_str))) }
            td data-l="events" { (run.events.len()) }
            @match cost {
                Some(cost) => {
                    td data-l="probe's CPU" {
                        (format!("{:.1} %", cost.cpu as f64 / cost.wall.max(1) as f64 * 100.0))
                    }
                    td data-l="probe late (median, p99)" {
                        (late(|endpoint| endpoint.late_median)) ", " (late(|endpoint| endpoint.late_p99))
                    }
                },
                None => {
                    td data-l="probe's CPU" { "–" }
                    td data-l="probe late" { "–" }
                },
            }
        }
    }
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "–" } else { text }
}

/// Each machine once.
fn machines(results: &Results) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for run in &results.runs {
        let machine = &run.machine;
        let mut parts = vec![
            machine.cpu.clone(),
            format!("{} CPUs", machine.cpus),
            format!("{} MiB", machine.memory / 1024),
            machine.kernel.clone(),
            machine.virtualization.clone(),
            run.program.clone(),
        ];
        parts.extend(
            run.other
                .iter()
                .filter(|(name, _)| *name != "accelerator")
                .map(|(name, value)| format!("{name} {value}")),
        );
        parts.retain(|part| !part.is_empty());
        let text = parts.join(" · ");
        if !all.contains(&text) {
            all.push(text);
        }
    }
    all
}
