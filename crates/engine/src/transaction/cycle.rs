//! Orders that bite their tail (semantics 2.4, activate 5).

use std::collections::BTreeMap;

use softboot_unit::{JobMode, UnitName};

use super::{Draft, DropReason, Dropped, Obstacle, Refusal, word};
use crate::action::RequestError;
use crate::engine::Engine;
use crate::event::UnitId;
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
            let Some(circle) = self.find_cycle(draft) else {
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

    /// Takes part in ordering: has a job in the draft or the table.
    fn is_ordered(&self, draft: &Draft, unit: UnitId) -> bool {
        if draft.kinds_of(unit).any(|kind| kind != JobKind::Nop) {
            return true;
        }
        self.units[unit]
            .job
            .and_then(|id| self.jobs.get(id))
            .is_some_and(|job| !job.ignore_order)
    }

    /// The units of one circle, each Before= the next.
    fn find_cycle(&self, draft: &Draft) -> Option<Vec<UnitId>> {
        let mut colours: BTreeMap<UnitId, Colour> = BTreeMap::new();
        for root in draft.units() {
            if colours.contains_key(&root) || !self.is_ordered(draft, root) {
                continue;
            }
            let mut path: Vec<(UnitId, usize)> = vec![(root, 0)];
            colours.insert(root, Colour::OnPath);
            while let Some((unit, next)) = path.last_mut() {
                let unit = *unit;
                let Some(partner) = self.units[unit].partners(Relation::Before).get(*next).copied() else {
                    colours.insert(unit, Colour::Done);
                    path.pop();
                    continue;
                };
                *next += 1;
                match colours.get(&partner) {
                    Some(Colour::Done) => {}
                    Some(Colour::OnPath) => {
                        let circle = path
                            .iter()
                            .map(|(unit, _)| *unit)
                            .skip_while(|unit| *unit != partner);
                        return Some(circle.collect());
                    }
                    None if self.is_ordered(draft, partner) => {
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
