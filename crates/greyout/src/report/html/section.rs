//! A section: one case and event, with all managers and endpoints.

use maud::{Markup, html};

use super::scale::{Time, word_at};
use super::strip::Strip;
use super::{latency, strip, waterfall};
use crate::attempt::Outcome;
use crate::duration::show;
use crate::report::terminal::{beside, heading};
use crate::result::{EndpointResult, EventResult, Group, Results, Shown};

/// Groups that belong beside each other.
pub(super) struct Section<'a> {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) groups: Vec<&'a Group>,
}

/// The sections of a result, in its order.
pub(super) fn sections(results: &Results) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    for group in &results.groups {
        let title = heading(&group.event, &group.labels.case, &group.labels.view);
        match sections.iter_mut().find(|section| section.title == title) {
            Some(section) => section.groups.push(group),
            None => sections.push(Section {
                id: format!("s{}", sections.len()),
                title,
                groups: vec![group],
            }),
        }
    }
    for section in &mut sections {
        section.groups = beside(&section.groups);
    }
    sections
}

pub(super) fn draw(results: &Results, section: &Section<'_>) -> Markup {
    let mut managers: Vec<&str> = Vec::new();
    for group in &section.groups {
        if !managers.contains(&group.labels.manager.as_str()) {
            managers.push(&group.labels.manager);
        }
    }
    html! {
        section id=(section.id) {
            h2 { (section.title) }
            @for manager in managers {
                (one(results, section, manager))
            }
            h3 { "Attempts that failed, all cycles" }
            (failed(section))
            h3 { "Latency of good attempts, all cycles" }
            p class="faint" {
                "Counted from the due time. Each outline is scaled to its own highest bar; the table has the counts."
            }
            div class="two" {
                @for group in &section.groups {
                    @let all = [&group.latency.before, &group.latency.during, &group.latency.after];
                    @if all.iter().any(|period| period.count > 0) { (latency::draw(group)) }
                }
            }
        }
    }
}

/// The cycle of a manager that is drawn.
fn one(results: &Results, section: &Section<'_>, manager: &str) -> Markup {
    let groups = section
        .groups
        .iter()
        .filter(|group| group.labels.manager == manager);
    let drawn: Vec<_> = groups.filter_map(|group| found(results, group)).collect();
    let Some((_, _, event, _)) = drawn.first() else {
        return html! {};
    };
    let edges = || {
        drawn
            .iter()
            .flat_map(|(_, shown, _, _)| [shown.due.first(), shown.due.last()])
            .flatten()
    };
    let time = Time::new(
        edges().min().copied().unwrap_or(0),
        edges().max().copied().unwrap_or(1),
    );
    let first = drawn.first().map(|(_, shown, _, _)| *shown);
    let away = drawn
        .iter()
        .any(|(_, _, _, endpoint)| endpoint.greyout.length.is_none());
    let cycles = section
        .groups
        .iter()
        .find(|group| group.labels.manager == manager);
    let cycles = cycles.map_or(0, |group| group.cycles());
    html! {
        div class="cycle" {
            h3 { @if manager.is_empty() { "One cycle" } @else { (manager) } }
            p class="faint" {
                @if cycles == 1 {
                    "The only cycle. "
                } @else {
                    "One of " (cycles) " cycles"
                    @if let Some(shown) = first { " (record " (shown.run + 1) ", event " (shown.event + 1) ")" }
                    @if away {
                        ", the first in which an endpoint did not come back. "
                    } @else {
                        ", the one in the middle by its longest grey-out. "
                    }
                }
                "Time 0 is the begin of the event, which took "
                (show(event.window.length() as f64)) "."
            }
            (waterfall::draw(event, time))
            @for (group, shown, event, endpoint) in &drawn {
                (strip::draw(
                    &Strip { name: &group.endpoint, shown, greyout: &endpoint.greyout, event: event.window },
                    time,
                ))
            }
            div class="axis" {
                @for tick in time.ticks() {
                    @let (place, edge) = word_at(time.percent(tick));
                    span style=(place) class=[edge] {
                        @if tick < 0.0 { "−" } @if tick == 0.0 { "0" } @else { (show(tick.abs())) }
                    }
                }
            }
            p class="legend" {
                span { i class="good" {} "answered" }
                @for outcome in kinds(&drawn) {
                    span { i class=(format!("o{}", outcome.code())) {} (outcome.name()) }
                }
                span { i class="gap" {} "grey-out" }
                span { i class="event" {} "begin and end of the event" }
            }
        }
    }
}

type Drawn<'a> = (&'a Group, &'a Shown, &'a EventResult, &'a EndpointResult);

fn found<'a>(results: &'a Results, group: &'a Group) -> Option<Drawn<'a>> {
    let shown = group.shown.as_ref()?;
    let run = results.runs.get(shown.run)?;
    let event = run.events.get(shown.event)?;
    let place = run
        .endpoints
        .iter()
        .position(|endpoint| endpoint.name == group.endpoint)?;
    Some((group, shown, event, event.endpoints.get(place)?))
}

/// The ways to fail that are drawn.
fn kinds(drawn: &[Drawn<'_>]) -> Vec<Outcome> {
    let any = |outcome: &Outcome| {
        let code = outcome.code();
        drawn.iter().any(|(_, shown, _, _)| shown.outcome.contains(&code))
    };
    let all = Outcome::ALL
        .into_iter()
        .filter(|outcome| *outcome != Outcome::Good);
    all.filter(any).collect()
}

fn failed(section: &Section<'_>) -> Markup {
    let all = Outcome::ALL
        .into_iter()
        .filter(|outcome| *outcome != Outcome::Good);
    // The first three always stand there: that they are zero is what one wants to see.
    let usual = [Outcome::Refused, Outcome::Reset, Outcome::TimedOut];
    let columns: Vec<Outcome> = all
        .filter(|outcome| {
            usual.contains(outcome)
                || section
                    .groups
                    .iter()
                    .any(|group| group.failed.contains_key(outcome))
        })
        .collect();
    html! {
        table {
            thead {
                tr {
                    th { "endpoint" }
                    th { "manager" }
                    th { "attempts" }
                    @for outcome in &columns { th { (outcome.name()) } }
                    th { "lost" }
                    th { "largest latency" }
                    th { "not back" }
                }
            }
            tbody {
                @for group in &section.groups {
                    tr {
                        th { (group.endpoint) }
                        td data-l="manager" class="text" { (group.labels.manager) }
                        td data-l="attempts" { (group.attempts) }
                        @for outcome in &columns {
                            @let count = group.failed.get(outcome).copied().unwrap_or(0);
                            td data-l=(outcome.name()) class=[(count > 0).then_some("lost")] { (count) }
                        }
                        td data-l="lost" { (group.lost()) }
                        td data-l="largest latency" { (show(group.worst_latency as f64)) }
                        td data-l="not back" class=[(group.without_length > 0).then_some("lost")] {
                            (group.without_length)
                        }
                    }
                }
            }
        }
    }
}
