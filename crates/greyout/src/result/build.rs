//! From records to a result.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::ResultError;
use super::group::{Cycle, Key, drawn, group, within};
use super::schema::{EndpointResult, EventResult, Labels, Results, Run, SCHEMA, VERSION};
use super::timeline::Timeline;
use crate::attempt::Attempt;
use crate::measure::{Window, good_replies, greyout_within, silence};
use crate::record::{Recording, Tail};
use crate::stats::{Event, Spread, events, pseudo_events};

/// A record, and what belongs to it.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name in the result.
    pub file: String,
    /// The record.
    pub recording: Recording,
    /// Phases, units and marks, if somebody has them.
    pub timeline: Option<Timeline>,
}

impl Source {
    /// Of the contents of a file.
    ///
    /// # Errors
    /// It is no record.
    pub fn read(path: &Path, bytes: &[u8]) -> Result<Source, ResultError> {
        Ok(Source {
            file: path.display().to_string(),
            recording: Recording::read(bytes)?,
            timeline: None,
        })
    }

    /// Of a file.
    ///
    /// # Errors
    /// It cannot be read, or is no record.
    pub fn load(path: &Path) -> Result<Source, ResultError> {
        Source::read(path, &std::fs::read(path)?)
    }
}

/// What only the caller knows.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What one types to measure again; if it is empty, the first probe's command line.
    pub command: String,
    /// Stand in every result beside what the records say.
    pub notes: Vec<String>,
}

/// Makes a result. Groups stand in the order in which their first cycle was found; the first manager of the first
/// source is the one that others are compared with.
///
/// # Errors
/// A time line is of another clock than its record.
pub fn build(sources: Vec<Source>, options: &Options) -> Result<Results, ResultError> {
    let mut results = Results {
        schema: SCHEMA.to_owned(),
        version: VERSION,
        program: concat!("softboot-greyout ", env!("CARGO_PKG_VERSION")).to_owned(),
        command: options.command.clone(),
        notes: options.notes.clone(),
        ..Results::default()
    };
    let mut all = Vec::with_capacity(sources.len());
    for mut source in sources {
        if let Some(timeline) = &source.timeline {
            if !timeline.boot_id.is_empty() && timeline.boot_id != source.recording.header.boot_id {
                return Err(ResultError::Clock { file: source.file });
            }
            source.recording.marks.extend_from_slice(&timeline.marks);
        }
        results.notes.extend(notes(&source));
        let found = events(&source.recording.marks, extent(&source.recording));
        if found.is_empty() {
            results.notes.push(format!(
                "{}: no event is marked in it, so it has no grey-out",
                source.file
            ));
        }
        all.push((source, found));
    }
    let mut groups: Vec<(Key, Vec<Cycle<'_>>)> = Vec::new();
    for (place, (source, found)) in all.iter().enumerate() {
        let mut run = run(source);
        for (index, event) in found.iter().enumerate() {
            let mut measured = event_result(source, event);
            for (endpoint, attempts) in run.endpoints.iter().zip(&source.recording.attempts) {
                let cycle = cycle((place, index), event, attempts, endpoint.interval);
                measured.endpoints.push(EndpointResult {
                    greyout: cycle.greyout.clone(),
                    control: Spread::of(cycle.control.clone()),
                });
                let key = Key {
                    labels: run.labels.clone(),
                    event: event.name.clone(),
                    endpoint: endpoint.name.clone(),
                };
                match groups.iter_mut().find(|(known, _)| *known == key) {
                    Some((_, cycles)) => cycles.push(cycle),
                    None => groups.push((key, vec![cycle])),
                }
            }
            run.events.push(measured);
        }
        results.runs.push(run);
    }
    let places: Vec<_> = groups
        .iter()
        .map(|(key, _)| {
            let same = |other: &Key| other.labels == key.labels && other.event == key.event;
            let beside = groups.iter().filter(|(other, _)| same(other));
            drawn(beside.flat_map(|(_, cycles)| cycles))
        })
        .collect();
    results.groups = groups
        .into_iter()
        .zip(places)
        .map(|((key, cycles), place)| group(key, cycles, place))
        .collect();
    results.comparisons = within(&results.groups);
    if results.command.is_empty()
        && let Some(run) = results.runs.first()
    {
        results.command = typed(&run.command);
    }
    Ok(results)
}

/// From the beginning of a record to its last attempt or its end.
fn extent(recording: &Recording) -> Window {
    let last = recording.attempts.iter().filter_map(|attempts| attempts.last());
    let last = last.map(|attempt| attempt.finished).max();
    let end = recording.ending.as_ref().map(|ending| ending.finished);
    Window {
        begin: recording.header.started,
        end: end.or(last).unwrap_or(recording.header.started),
    }
}

fn cycle<'a>(
    (run, index): (usize, usize),
    event: &'a Event,
    attempts: &'a [Attempt],
    interval: u64,
) -> Cycle<'a> {
    // What is due in the time of this event and its sides, and no neighbour's grey-out.
    let from = attempts.partition_point(|attempt| attempt.due < event.control.begin);
    let to = attempts.partition_point(|attempt| attempt.due < event.after.end);
    let attempts = attempts.get(from..to.max(from)).unwrap_or_default();
    let good = good_replies(attempts);
    // Without what came after the begin of the event.
    let quiet = good.partition_point(|&finished| finished <= event.control.end);
    let quiet = good.get(..quiet).unwrap_or_default();
    let control = pseudo_events(event, quiet, interval)
        .into_iter()
        .filter_map(|window| {
            let (from, to) = silence(quiet, window);
            Some(to?.saturating_sub(from?))
        })
        .collect();
    Cycle {
        run,
        index,
        event,
        greyout: greyout_within(attempts, event.window),
        control,
        attempts,
    }
}

fn event_result(source: &Source, event: &Event) -> EventResult {
    let around = Window {
        begin: event.window.begin,
        end: event.after.end,
    };
    let spans = source.timeline.iter().flat_map(|timeline| &timeline.spans);
    let marks = source.recording.marks.iter();
    EventResult {
        name: event.name.clone(),
        window: event.window,
        control: event.control,
        after: event.after,
        endpoints: Vec::new(),
        spans: spans.filter(|span| span.touches(event.window)).cloned().collect(),
        marks: marks
            .filter(|mark| mark.kind == crate::record::MarkKind::Note)
            .filter(|mark| (around.begin..around.end).contains(&mark.time))
            .cloned()
            .collect(),
    }
}

fn run(source: &Source) -> Run {
    let header = &source.recording.header;
    let mut other: BTreeMap<String, String> = header.labels.clone();
    let mut label = |name: &str| other.remove(name).unwrap_or_default();
    let labels = Labels {
        manager: label("manager"),
        case: label("case"),
        view: label("view"),
    };
    Run {
        file: source.file.clone(),
        labels,
        other,
        program: header.program.clone(),
        command: header.command.clone(),
        started: header.started,
        realtime: header.realtime,
        boot_id: header.boot_id.clone(),
        machine: header.machine.clone(),
        endpoints: header.endpoints.clone(),
        tail: source.recording.tail,
        ending: source.recording.ending.clone(),
        events: Vec::new(),
    }
}

fn notes(source: &Source) -> Vec<String> {
    let file = &source.file;
    let mut notes = Vec::new();
    match source.recording.tail {
        Tail::Whole => {}
        Tail::Torn { bytes } => {
            notes.push(format!(
                "{file} ends inside a record; its last {bytes} bytes are left out"
            ));
        }
        Tail::Damaged { offset, bytes } => {
            notes.push(format!(
                "{file} is damaged at byte {offset}; {bytes} bytes from there on are left out"
            ));
        }
    }
    match &source.recording.ending {
        None => notes.push(format!(
            "{file} has no end: the probe was killed, and what it costs is not known"
        )),
        Some(ending) if !ending.in_flight.is_empty() => notes.push(format!(
            "{file}: {} attempts had no outcome when the probe ended",
            ending.in_flight.len()
        )),
        Some(_) => {}
    }
    if source.recording.unknown > 0 {
        notes.push(format!(
            "{file} has {} records of a kind that this program does not know",
            source.recording.unknown
        ));
    }
    notes
}

/// A command line as one types it into a shell.
fn typed(command: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    let word = |word: &String| match word.is_empty() || !word.chars().all(plain) {
        true => format!("'{}'", word.replace('\'', "'\\''")),
        false => word.clone(),
    };
    command.iter().map(word).collect::<Vec<_>>().join(" ")
}
