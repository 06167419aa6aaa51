//! Orders that bite their tail (semantics 2.4, activate 5).

use std::collections::BTreeMap;

use softboot_unit::JobMode;

use super::{Plan, word};
use crate::action::{Level, RequestError};
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
    /// Takes jobs that do not matter out of the plan until no order is a circle.
    pub(super) fn break_cycles(&mut self, plan: &mut Plan, mode: JobMode) -> Result<(), RequestError> {
        if mode == JobMode::IgnoreDependencies {
            return Ok(());
        }
        loop {
            if mode != JobMode::Isolate {
                plan.collect_garbage();
            }
            let Some(circle) = self.find_cycle(plan) else {
                return Ok(());
            };
            let names: Vec<String> = circle
                .iter()
                .map(|unit| self.units[*unit].name().to_string())
                .collect();
            let path = names.join(" before ");
            let victim = circle.iter().rev().copied().find(|unit| {
                let mut keys = plan.kinds_of(*unit).map(|kind| (*unit, kind)).peekable();
                keys.peek().is_some() && keys.all(|key| plan.get(key).is_some_and(|job| !job.matters))
            });
            let Some(victim) = victim else {
                let anchor = self.units[plan.anchor.0].name();
                let job = word(plan.anchor.1);
                let message = format!(
                    "the {job} of {anchor} cannot be ordered, and every job of the circle matters: {path}"
                );
                return Err(RequestError::TransactionOrderIsCyclic(message));
            };
            let message = format!("its job was taken out to break a circle of orders: {path}");
            self.log(Level::Error, Some(victim), message);
            let kinds: Vec<_> = plan.kinds_of(victim).collect();
            for kind in kinds {
                plan.delete((victim, kind), true);
            }
        }
    }

    /// Takes part in ordering: has a job in the plan or the table.
    fn is_ordered(&self, plan: &Plan, unit: UnitId) -> bool {
        if plan.kinds_of(unit).any(|kind| kind != JobKind::Nop) {
            return true;
        }
        self.units[unit]
            .job
            .and_then(|id| self.jobs.get(id))
            .is_some_and(|job| !job.ignore_order)
    }

    /// The units of one circle, each Before= the next.
    fn find_cycle(&self, plan: &Plan) -> Option<Vec<UnitId>> {
        let mut colours: BTreeMap<UnitId, Colour> = BTreeMap::new();
        for root in plan.units() {
            if colours.contains_key(&root) || !self.is_ordered(plan, root) {
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
                    None if self.is_ordered(plan, partner) => {
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
