//! What units did in a cycle, from the time line: who was away for how long, and whom the others waited for.

use std::collections::{BTreeMap, BTreeSet};

use softboot_control::api::{Cycle, UnitCycle, UnitTimes};
use softboot_engine::{Engine, UnitId};
use softboot_unit::{KindSection, UnitName, Usec};

use super::Mark;
use crate::client::Timeline;
use crate::run::Manager;

/// So many of those that were away longest are named.
const NAMED: usize = 16;
/// Who was faster than this (in microseconds) has held up nobody.
const NOTEWORTHY: u64 = 1000;

/// Stopping or starting: the same, the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Stop,
    Start,
}

impl Way {
    /// Whom a unit has to wait for (semantics 2.6).
    fn earlier(self, engine: &Engine, unit: UnitId) -> &[UnitId] {
        match self {
            Way::Stop => engine.before(unit),
            Way::Start => engine.after(unit),
        }
    }

    /// Who has to wait for it.
    fn later(self, engine: &Engine, unit: UnitId) -> &[UnitId] {
        match self {
            Way::Stop => engine.after(unit),
            Way::Start => engine.before(unit),
        }
    }
}

/// The units of one phase, from the time line: no copy of it is made, as services are away while their stops are looked
/// at.
struct Phase<'a> {
    engine: &'a Engine,
    timeline: &'a Timeline,
    way: Way,
    requested: u64,
    starting: u64,
}

impl Manager {
    /// The stop is over: who was slow, and whom the end waited for.
    pub(super) fn stops_of_cycle(&self, cycle: &mut Cycle) {
        let phase = self.phase(Way::Stop, cycle.requested_usec, starting(cycle));
        let critical = phase.critical();
        cycle.units = phase
            .slow()
            .map(|(name, unit)| UnitCycle {
                stop_critical: critical.contains(name),
                held_up_stops: phase.held_up(name),
                stop_limit_usec: self.stop_limit(name),
                ..unit
            })
            .collect();
    }

    /// The boot is over: all units of the cycle.
    pub(super) fn units_of_cycle(&self, cycle: &mut Cycle) {
        let phase = self.phase(Way::Start, cycle.requested_usec, starting(cycle));
        let critical = phase.critical();
        let stops: BTreeMap<String, UnitCycle> = std::mem::take(&mut cycle.units)
            .into_iter()
            .map(|unit| (unit.name.clone(), unit))
            .collect();
        let all: Vec<UnitCycle> = phase
            .units()
            .map(|(name, unit)| {
                let stop = stops.get(&unit.name).cloned().unwrap_or_default();
                UnitCycle {
                    stop_critical: stop.stop_critical,
                    held_up_stops: stop.held_up_stops,
                    stop_limit_usec: stop.stop_limit_usec,
                    start_critical: critical.contains(name),
                    client_waited_usec: self.clients.timeline.waited(name),
                    ..unit
                }
            })
            .collect();
        let count = |has: fn(&UnitCycle) -> bool| {
            u32::try_from(all.iter().filter(|unit| has(unit)).count()).unwrap_or(u32::MAX)
        };
        cycle.stopped = count(|unit| unit.stop_began_usec.is_some());
        cycle.started = count(|unit| unit.start_began_usec.is_some());
        cycle.units = longest(all);
        for unit in &mut cycle.units {
            if let Ok(name) = UnitName::new(&unit.name) {
                unit.held_up_starts = phase.held_up(&name);
            }
        }
    }

    fn phase(&self, way: Way, requested: u64, starting: u64) -> Phase<'_> {
        Phase {
            engine: &self.engine,
            timeline: &self.clients.timeline,
            way,
            requested,
            starting,
        }
    }

    fn stop_limit(&self, name: &UnitName) -> Option<u64> {
        let definition = self.engine.definition(self.engine.unit(name)?)?;
        match &definition.kind {
            KindSection::Service(service) => {
                Some(service.timeout_stop).filter(|limit| *limit != Usec::INFINITY)
            }
            _ => None,
        }
        .map(|limit| limit.0)
    }
}

/// When the boot began, if it has.
fn starting(cycle: &Cycle) -> u64 {
    let booting = cycle
        .phases
        .iter()
        .find(|phase| phase.name == Mark::Starting.word());
    booting.map_or(u64::MAX, |phase| phase.began_usec)
}

impl Phase<'_> {
    /// The units that did anything in the cycle.
    fn units(&self) -> impl Iterator<Item = (&UnitName, UnitCycle)> {
        self.timeline.times().filter_map(|(name, times)| {
            let unit = unit_cycle(times, self.requested, self.starting)?;
            let name_text = name.to_string();
            Some((
                name,
                UnitCycle {
                    name: name_text,
                    ..unit
                },
            ))
        })
    }

    /// When a unit began and was done, if it did.
    fn span_of(&self, times: &UnitTimes) -> Option<(u64, u64)> {
        let unit = unit_cycle(times, self.requested, self.starting)?;
        match self.way {
            Way::Stop => unit.stop_began_usec.zip(unit.stop_ended_usec),
            Way::Start => unit.start_began_usec.zip(unit.start_ended_usec),
        }
    }

    fn span(&self, name: &UnitName) -> Option<(u64, u64)> {
        self.span_of(&self.timeline.of(name))
    }

    /// Those that took their time.
    fn slow(&self) -> impl Iterator<Item = (&UnitName, UnitCycle)> {
        self.units().filter(|(name, _)| {
            self.span(name)
                .is_some_and(|(began, ended)| ended.saturating_sub(began) >= NOTEWORTHY)
        })
    }

    /// The unit that was done last, the one of those it had to wait for that was done last, and so on.
    fn critical(&self) -> BTreeSet<UnitName> {
        let spans = self.timeline.times();
        let ends = spans.filter_map(|(name, times)| Some((self.span_of(times)?.1, name)));
        let mut next = ends.max().map(|(_, name)| name.clone());
        let mut chain = BTreeSet::new();
        while let Some(name) = next.take() {
            let began = self.span(&name).map_or(0, |span| span.0);
            let unit = self.engine.unit(&name);
            let earlier = unit.map_or(&[][..], |id| self.way.earlier(self.engine, id));
            chain.insert(name);
            let named = earlier.iter().filter_map(|id| self.engine.name(*id));
            next = named
                .filter(|name| !chain.contains(*name))
                .filter_map(|name| Some((self.span(name)?.1, name)))
                .filter(|(ended, _)| *ended <= began)
                .max()
                .map(|(_, name)| name.clone());
        }
        chain
    }

    /// How many units began only when this one was done, because they, or those they waited for, had to wait for it.
    fn held_up(&self, name: &UnitName) -> u32 {
        let Some((began, ended)) = self.span(name) else {
            return 0;
        };
        if ended.saturating_sub(began) < NOTEWORTHY {
            return 0;
        }
        let (mut seen, mut todo) = (BTreeSet::new(), vec![name.clone()]);
        while let Some(done) = todo.pop() {
            let unit = self.engine.unit(&done);
            let later = unit.map_or(&[][..], |id| self.way.later(self.engine, id));
            for name in later.iter().filter_map(|id| self.engine.name(*id)) {
                if self.span(name).is_some_and(|(began, _)| began >= ended) && seen.insert(name.clone()) {
                    todo.push(name.clone());
                }
            }
        }
        u32::try_from(seen.len()).unwrap_or(u32::MAX)
    }
}

/// What of a unit's last changes belongs to a cycle that was asked for at `requested`, and whose boot began at `starting`.
fn unit_cycle(times: &UnitTimes, requested: u64, starting: u64) -> Option<UnitCycle> {
    let stop_began = times
        .active_exit_usec
        .filter(|at| (requested..starting).contains(at));
    let stop_ended = times
        .inactive_enter_usec
        .filter(|at| stop_began.is_some_and(|began| (began..=starting).contains(at)));
    let start_began = times.inactive_exit_usec.filter(|at| *at >= starting);
    // A command that has run and is done is never active.
    let start_ended = [times.active_enter_usec, times.inactive_enter_usec]
        .into_iter()
        .flatten()
        .find(|at| start_began.is_some_and(|began| *at >= began));
    (stop_began.is_some() || start_began.is_some()).then(|| UnitCycle {
        stop_began_usec: stop_began,
        stop_ended_usec: stop_ended,
        start_began_usec: start_began,
        start_ended_usec: start_ended,
        ..UnitCycle::default()
    })
}

/// The ones that were away, stopping or starting longest, and the critical ones that took any time worth a word.
fn longest(mut all: Vec<UnitCycle>) -> Vec<UnitCycle> {
    let length = |unit: &UnitCycle| {
        let spans = [unit.away_usec(), unit.stop_usec(), unit.start_usec()];
        spans.into_iter().flatten().max().unwrap_or(0)
    };
    all.sort_by(|a, b| length(b).cmp(&length(a)).then(a.name.cmp(&b.name)));
    let worth = |unit: &UnitCycle| {
        let part = |critical: bool, usec: Option<u64>| critical && usec.unwrap_or(0) >= NOTEWORTHY;
        part(unit.stop_critical, unit.stop_usec()) || part(unit.start_critical, unit.start_usec())
    };
    all.into_iter()
        .enumerate()
        .filter(|(place, unit)| *place < NAMED || worth(unit))
        .map(|(_, unit)| unit)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(exit: u64, enter: u64, leave: u64, end: u64) -> UnitTimes {
        let some = |at: u64| (at > 0).then_some(at);
        UnitTimes {
            inactive_exit_usec: some(exit),
            active_enter_usec: some(enter),
            active_exit_usec: some(leave),
            inactive_enter_usec: some(end),
        }
    }

    #[test]
    fn only_what_belongs_to_the_cycle_counts() {
        // Asked for at 100, boot from 200 on.
        let cycle = |times: UnitTimes| unit_cycle(&times, 100, 200);
        let both = cycle(times(210, 220, 110, 120)).unwrap();
        assert_eq!(
            (both.stop_usec(), both.start_usec(), both.away_usec()),
            (Some(10), Some(10), Some(110))
        );
        // Ran before and runs on.
        assert_eq!(cycle(times(10, 20, 0, 0)), None);
        // Stopped before.
        assert_eq!(cycle(times(10, 20, 30, 40)), None);
        let stopped = cycle(times(10, 20, 130, 140)).unwrap();
        assert_eq!((stopped.stop_usec(), stopped.start_usec()), (Some(10), None));
        // Ended by the final kill, when it was still on its way up.
        assert_eq!(cycle(times(90, 0, 0, 150)), None);
        // A command that has run.
        let command = cycle(times(210, 0, 0, 230)).unwrap();
        assert_eq!(command.start_usec(), Some(20));
        let starting = cycle(times(210, 0, 0, 0)).unwrap();
        assert_eq!(
            (starting.start_began_usec, starting.start_ended_usec),
            (Some(210), None)
        );
    }

    #[test]
    fn the_longest_are_named_and_the_critical_ones_besides() {
        let unit = |number: u64, critical: bool| UnitCycle {
            name: format!("{number:03}.service"),
            stop_began_usec: Some(0),
            stop_ended_usec: Some(100_000 - number),
            stop_critical: critical,
            ..UnitCycle::default()
        };
        let all: Vec<UnitCycle> = (0..100).map(|number| unit(number, number == 99)).collect();
        let names: Vec<String> = longest(all).into_iter().map(|unit| unit.name).collect();
        assert_eq!(names.len(), NAMED + 1);
        assert_eq!(names.first().map(String::as_str), Some("000.service"));
        assert_eq!(names.last().map(String::as_str), Some("099.service"));
    }
}
