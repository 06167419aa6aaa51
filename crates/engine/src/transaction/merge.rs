//! One job a unit (semantics 2.4, activate 6).

use std::collections::BTreeMap;

use softboot_unit::JobMode;

use super::{Key, Plan, word};
use crate::action::RequestError;
use crate::engine::Engine;
use crate::event::UnitId;
use crate::jobs::{conflict, merge};
use crate::state::JobKind;

impl Engine {
    /// Decides contradictions, then merges what each unit has.
    pub(super) fn merge_plan(
        &mut self,
        plan: &mut Plan,
        mode: JobMode,
    ) -> Result<BTreeMap<UnitId, JobKind>, RequestError> {
        for unit in plan.units() {
            if plan.kinds_of(unit).any(|kind| kind != JobKind::Nop) && plan.anchor != (unit, JobKind::Nop) {
                plan.delete((unit, JobKind::Nop), false);
            }
        }
        while let Some((a, b)) = find_contradiction(plan) {
            let victim = self.choose(plan, a, b)?;
            plan.delete(victim, true);
            if mode != JobMode::Isolate {
                plan.collect_garbage();
            }
        }
        let mut merged = BTreeMap::new();
        for unit in plan.units() {
            let active = self.units[unit].active().is_active_ish();
            let kind = plan
                .kinds_of(unit)
                .fold(JobKind::Nop, |sum, kind| merge(sum, kind, active).unwrap_or(sum));
            merged.insert(unit, kind);
        }
        Ok(merged)
    }

    /// Which of two contradicting jobs of one unit goes.
    fn choose(&self, plan: &Plan, a: Key, b: Key) -> Result<Key, RequestError> {
        let matters = |key: Key| key == plan.anchor || plan.get(key).is_some_and(|job| job.matters);
        let (stop, other) = if a.1 == JobKind::Stop { (a, b) } else { (b, a) };
        match (matters(stop), matters(other)) {
            (true, false) => Ok(other),
            (false, true) => Ok(stop),
            (false, false) => {
                let by_conflict = plan
                    .get(stop)
                    .is_some_and(|job| job.pulled_by.iter().any(|pull| pull.conflicts));
                Ok(if by_conflict { other } else { stop })
            }
            (true, true) => {
                let name = self.units[stop.0].name();
                let message = format!(
                    "{name} would have to {} ({}) and to stop ({})",
                    word(other.1),
                    self.pulled_by(plan, other),
                    self.pulled_by(plan, stop)
                );
                Err(RequestError::TransactionJobsAreConflicting(message))
            }
        }
    }

    fn pulled_by(&self, plan: &Plan, key: Key) -> String {
        let by = plan
            .get(key)
            .and_then(|job| job.pulled_by.iter().find(|pull| pull.matters))
            .and_then(|pull| pull.by);
        match by {
            Some((unit, kind)) => format!("for the {} of {}", word(kind), self.units[unit].name()),
            None => "as was asked for".to_owned(),
        }
    }
}

fn find_contradiction(plan: &Plan) -> Option<(Key, Key)> {
    plan.units().into_iter().find_map(|unit| {
        let stop = plan.kinds_of(unit).find(|kind| *kind == JobKind::Stop)?;
        let other = plan.kinds_of(unit).find(|kind| conflict(stop, *kind))?;
        Some(((unit, stop), (unit, other)))
    })
}
