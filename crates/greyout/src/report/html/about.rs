//! What was measured on, by what, and how one does it again.

use maud::{Markup, html};

use crate::duration::show;
use crate::result::{Kind, Results};

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
                    @for kind in results.kinds() { (row(&kind)) }
                }
            }
            @for machine in results.machines() {
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

fn row(kind: &Kind<'_>) -> Markup {
    let (median, p99) = kind.lateness();
    html! {
        tr {
            th {
                @if let [one] = kind.runs.as_slice() { (one.file) } @else { (kind.runs.len()) " records" }
            }
            td data-l="manager" class="text" { (or_dash(&kind.labels.manager)) }
            td data-l="case" class="text" { (or_dash(&kind.labels.case)) }
            td data-l="view" class="text" { (or_dash(&kind.labels.view)) }
            td data-l="accelerator" class="text" { (or_dash(kind.accelerator)) }
            td data-l="events" { (kind.events()) }
            @match kind.cpu() {
                Some(cpu) => {
                    td data-l="probe's CPU" { (format!("{cpu:.1} %")) }
                    td data-l="probe late (median, p99)" { (show(median as f64)) ", " (show(p99 as f64)) }
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
