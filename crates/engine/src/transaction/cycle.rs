//! Orders that bite their tail (semantics 2.4, activate 5).
//!
//! What counts is the order in which the jobs would run (2.6), not that of the files: units that stop do so in the reverse
//! order, so files that no start could follow may be followed by a stop.

use std::collections::BTreeMap;

use softboot_unit::{JobMode, UnitName};

use super::{Draft, DropReason, Dropped, Obstacle, Refusal, word};
use crate::action::RequestError;
use crate::engine::Engine;
use crate::event::UnitId;
use crate::jobs::conflict;
use crate::state::JobKind;
use crate::units::Relation;

/// How far the walk is with a unit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Colour {
    OnPath,
    Done,
}

impl Engine {
    /// Takes jobs that do not matter out of the draft until no order is a circle.
    pub(super) fn break_cycles(
        &self,
        draft: &mut Draft,
        mode: JobMode,
        broken: &mut Vec<(UnitId, String)>,
    ) -> Result<(), Box<Refusal>> {
        if mode == JobMode::IgnoreDependencies {
            return Ok(());
        }
        loop {
            if mode != JobMode::Isolate {
                draft.collect_garbage();
            }
            // A restart stops its unit and then starts it: neither may be in a circle.
            let circle = self
                .find_cycle(draft, false)
                .or_else(|| self.find_cycle(draft, true));
            let Some(circle) = circle else {
                return Ok(());
            };
            let units: Vec<UnitName> = circle
                .iter()
                .map(|unit| self.units[*unit].name().clone())
                .collect();
            let names: Vec<&str> = units.iter().map(UnitName::as_str).collect();
            let path = names.join(" before ");
            let victim = circle.iter().rev().copied().find(|unit| {
                let mut keys = draft.kinds_of(*unit).map(|kind| (*unit, kind)).peekable();
                keys.peek().is_some() && keys.all(|key| draft.get(key).is_some_and(|job| !job.matters))
            });
            let Some(victim) = victim else {
                let anchor = self.units[draft.anchor.0].name();
                let job = word(draft.anchor.1);
                let message = format!(
                    "the {job} of {anchor} cannot be ordered, and every job of the circle matters: {path}"
                );
                let error = RequestError::TransactionOrderIsCyclic(message);
                return Err(self.refusal_in(draft, error, draft.anchor, Obstacle::Circle(units)));
            };
            let message = format!("its job was taken out to break a circle of orders: {path}");
            broken.push((victim, message));
            let kinds: Vec<_> = draft.kinds_of(victim).collect();
            for kind in kinds {
                draft.take_out((victim, kind), true, || {
                    Dropped::For(DropReason::Circle(units.clone()))
                });
            }
        }
    }

    /// Whether the unit's job takes it down, in the draft or the table; `None` without a job that is ordered. With
    /// `restarted` as it is when every restart has stopped its unit.
    fn goes_down(&self, draft: &Draft, unit: UnitId, restarted: bool) -> Option<bool> {
        let installed = self.units[unit]
            .job
            .and_then(|id| self.jobs.get(id))
            .filter(|job| !job.ignore_order)
            .map(|job| job.kind);
        let mut kinds: Vec<JobKind> = draft
            .kinds_of(unit)
            .filter(|kind| *kind != JobKind::Nop)
            .collect();
        if kinds.is_empty() {
            kinds.extend(installed);
        } else if let Some(kind) = installed
            && !kinds.iter().any(|other| conflict(*other, kind))
        {
            // They will be one.
            kinds.push(kind);
        }
        if kinds.is_empty() {
            return None;
        }
        if kinds.contains(&JobKind::Stop) {
            let other = kinds.iter().find(|kind| conflict(JobKind::Stop, **kind));
            return Some(other.is_none_or(|other| stop_stays(draft, unit, *other)));
        }
        Some(kinds.contains(&JobKind::Restart) && !restarted)
    }

    /// The units of one circle, each of which has its job before the next.
    fn find_cycle(&self, draft: &Draft, restarted: bool) -> Option<Vec<UnitId>> {
        let mut known: BTreeMap<UnitId, Option<bool>> = BTreeMap::new();
        let mut goes_down = |unit: UnitId| {
            *known
                .entry(unit)
                .or_insert_with(|| self.goes_down(draft, unit, restarted))
        };
        let mut colours: BTreeMap<UnitId, Colour> = BTreeMap::new();
        for root in draft.units() {
            if colours.contains_key(&root) || goes_down(root).is_none() {
                continue;
            }
            let mut path: Vec<(UnitId, usize)> = vec![(root, 0)];
            colours.insert(root, Colour::OnPath);
            while let Some((unit, next)) = path.last_mut() {
                let unit = *unit;
                let (before, after) = (
                    self.units[unit].partners(Relation::Before),
                    self.units[unit].partners(Relation::After),
                );
                let place = *next;
                *next += 1;
                let (partner, follows) =
                    match (before.get(place), after.get(place.saturating_sub(before.len()))) {
                        // The later unit's job decides which goes first (2.6).
                        (Some(partner), _) => (*partner, goes_down(*partner) == Some(false)),
                        (None, Some(partner)) => (*partner, goes_down(unit) == Some(true)),
                        (None, None) => {
                            colours.insert(unit, Colour::Done);
                            path.pop();
                            continue;
                        }
                    };
                if !follows {
                    continue;
                }
                match colours.get(&partner) {
                    Some(Colour::Done) => {}
                    Some(Colour::OnPath) => {
                        let circle = path
                            .iter()
                            .map(|(unit, _)| *unit)
                            .skip_while(|unit| *unit != partner);
                        return Some(circle.collect());
                    }
                    None if goes_down(partner).is_some() => {
                        colours.insert(partner, Colour::OnPath);
                        path.push((partner, 0));
                    }
                    None => {}
                }
            }
        }
        None
    }
}

/// Of a stop and a contrary job of one unit that are both in the draft: whether the stop is what will be left (activate 6).
pub(super) fn stop_stays(draft: &Draft, unit: UnitId, other: JobKind) -> bool {
    let matters = |kind: JobKind| {
        let key = (unit, kind);
        key == draft.anchor || draft.get(key).is_some_and(|job| job.matters)
    };
    match (matters(JobKind::Stop), matters(other)) {
        (false, false) => draft
            .get((unit, JobKind::Stop))
            .is_some_and(|job| job.pulled_by.iter().any(|pull| pull.conflicts)),
        (stop, other) => stop && !other,
    }
}
