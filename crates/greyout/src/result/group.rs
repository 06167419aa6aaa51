//! Cycles of the same kind together.

use std::collections::BTreeMap;

use super::schema::{Group, GroupComparison, Labels, Latency, Results};
use super::shown;
use crate::attempt::{Attempt, Outcome};
use crate::measure::Greyout;
use crate::stats::{Event, Latencies, Sample, Spread, compare, median, median_interval};

/// One cycle of a group.
#[derive(Clone, Debug)]
pub(super) struct Cycle<'a> {
    pub(super) run: usize,
    pub(super) index: usize,
    pub(super) event: &'a Event,
    pub(super) greyout: Greyout,
    pub(super) control: Vec<u64>,
    pub(super) attempts: &'a [Attempt],
}

/// What makes cycles of the same kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) labels: Labels,
    pub(super) event: String,
    pub(super) endpoint: String,
}

/// The figures of cycles of the same kind, with the attempts of the cycle `drawn`: its run and its event.
pub(super) fn group(key: Key, cycles: Vec<Cycle<'_>>, drawn: Option<(usize, usize)>) -> Group {
    let mut group = Group {
        labels: key.labels,
        event: key.event,
        endpoint: key.endpoint,
        ..Group::default()
    };
    let mut latencies: [Latencies; 3] = Default::default();
    for cycle in &cycles {
        match cycle.greyout.length {
            Some(length) => group.lengths.push(length),
            None => group.without_length = group.without_length.saturating_add(1),
        }
        group.attempts = group.attempts.saturating_add(cycle.greyout.attempts);
        group.worst_latency = group.worst_latency.max(cycle.greyout.worst_latency);
        for outcome in Outcome::ALL {
            let count = cycle.greyout.count(outcome);
            if count > 0 {
                let sum = group.failed.entry(outcome).or_insert(0);
                *sum = sum.saturating_add(count);
            }
        }
        let (event, until) = (cycle.event, until(cycle));
        let [before, during, after] = &mut latencies;
        let due = |from: u64, to: u64| {
            cycle
                .attempts
                .iter()
                .filter(move |attempt| (from..to).contains(&attempt.due))
        };
        before.add(due(event.control.begin, event.control.end));
        // The attempt that the begin of the event found under way was made to wait by it.
        during.add(due(event.window.begin, until));
        after.add(due(until, event.after.end));
    }
    let [before, during, after] = latencies.map(|all| all.summary());
    group.latency = Latency {
        before,
        during,
        after,
    };
    let lengths: Vec<f64> = group.lengths.iter().map(|&length| length as f64).collect();
    group.median = median(&lengths);
    group.interval = median_interval(&lengths);
    let drawn = cycles.iter().find(|cycle| Some(cycle.place()) == drawn);
    group.shown = drawn.map(|cycle| {
        shown::shown(
            cycle.run,
            cycle.index,
            cycle.event,
            &cycle.greyout,
            cycle.attempts,
        )
    });
    group.control = Spread::of(cycles.into_iter().flat_map(|cycle| cycle.control).collect());
    group
}

fn until(cycle: &Cycle<'_>) -> u64 {
    let end = cycle.event.window.end;
    end.max(cycle.greyout.first_good.unwrap_or(end))
}

impl Cycle<'_> {
    fn place(&self) -> (usize, usize) {
        (self.run, self.index)
    }
}

/// Which cycle is drawn for the endpoints of one event, by its run and its event. All endpoints show the same one, so
/// that they fit beside each other and beside the time line: one in which an endpoint did not come back if there is
/// any, else the one in the middle by its longest grey-out.
pub(super) fn drawn<'a>(cycles: impl Iterator<Item = &'a Cycle<'a>>) -> Option<(usize, usize)> {
    let mut longest: BTreeMap<(usize, usize), u64> = BTreeMap::new();
    for cycle in cycles {
        let length = cycle.greyout.length.unwrap_or(u64::MAX);
        let known = longest.entry(cycle.place()).or_insert(0);
        *known = length.max(*known);
    }
    if let Some((&away, _)) = longest.iter().find(|(_, length)| **length == u64::MAX) {
        return Some(away);
    }
    let mut sorted: Vec<_> = longest.into_iter().collect();
    sorted.sort_by_key(|(_, length)| *length);
    let middle = sorted.len().saturating_sub(1) / 2;
    sorted.get(middle).map(|(place, _)| *place)
}

impl Group {
    /// What is compared.
    pub fn sample(&self) -> Sample<'_> {
        Sample {
            lengths: &self.lengths,
            never_back: self.without_length,
            noise: self.control.noise(),
        }
    }

    /// How many there were.
    pub fn cycles(&self) -> u64 {
        (self.lengths.len() as u64).saturating_add(self.without_length)
    }

    /// Attempts that got no whole and right reply.
    pub fn lost(&self) -> u64 {
        self.failed.values().sum()
    }

    /// The same case, view, event and endpoint.
    fn is_beside(&self, other: &Group) -> bool {
        (&self.labels.case, &self.labels.view, &self.event, &self.endpoint)
            == (
                &other.labels.case,
                &other.labels.view,
                &other.event,
                &other.endpoint,
            )
    }
}

/// Each group beside the one of the first manager.
pub(super) fn within(groups: &[Group]) -> Vec<GroupComparison> {
    let mut comparisons = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        let first = groups.iter().position(|other| other.is_beside(group));
        match first
            .filter(|&first| first < index)
            .and_then(|first| groups.get(first))
        {
            Some(first) if first.labels.manager != group.labels.manager => {
                comparisons.push(beside(first, group));
            }
            _ => {}
        }
    }
    comparisons
}

/// Every group of the second result beside its like in the first: of the same manager, or of the only one.
pub fn between(a: &Results, b: &Results) -> Vec<GroupComparison> {
    let like = |group: &Group| {
        let mut beside = a.groups.iter().filter(|other| other.is_beside(group));
        let same = a
            .groups
            .iter()
            .find(|other| other.is_beside(group) && other.labels.manager == group.labels.manager);
        same.or_else(|| beside.next().filter(|_| beside.next().is_none()))
    };
    b.groups
        .iter()
        .filter_map(|group| like(group).map(|other| beside(other, group)))
        .collect()
}

fn beside(a: &Group, b: &Group) -> GroupComparison {
    GroupComparison {
        case: b.labels.case.clone(),
        view: b.labels.view.clone(),
        event: b.event.clone(),
        endpoint: b.endpoint.clone(),
        from: a.labels.manager.clone(),
        to: b.labels.manager.clone(),
        comparison: compare(a.sample(), b.sample()),
    }
}
