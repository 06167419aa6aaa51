//! Jobs that the modes isolate and triggering add (semantics 2.4, 2.5).

use super::{Plan, Pull};
use crate::engine::Engine;
use crate::event::UnitId;
use crate::state::JobKind;
use crate::units::Relation;

impl Engine {
    /// Stops everything that is not in the plan.
    pub(super) fn add_isolate(&self, plan: &mut Plan) {
        let kept = |plan: &Plan, unit: UnitId| {
            plan.has_unit(unit) || self.units[unit].definition.unit.ignore_on_isolate
        };
        let mut stops = Vec::new();
        for (id, unit) in self.units.iter() {
            if kept(plan, id) || (unit.active().is_inactive_ish() && unit.job.is_none()) {
                continue;
            }
            let triggered = unit
                .partners(Relation::TriggeredBy)
                .iter()
                .any(|trigger| self.units[*trigger].active().is_active_ish() && kept(plan, *trigger));
            if !triggered {
                stops.push(id);
            }
        }
        self.add_stops(plan, stops);
    }

    /// Stops what would start the unit again.
    pub(super) fn add_triggering(&self, plan: &mut Plan) {
        let stops: Vec<UnitId> = self.units[plan.anchor.0]
            .partners(Relation::TriggeredBy)
            .iter()
            .copied()
            .filter(|id| !plan.has_unit(*id))
            .filter(|id| !self.units[*id].active().is_inactive_ish() || self.units[*id].job.is_some())
            .collect();
        self.add_stops(plan, stops);
    }

    fn add_stops(&self, plan: &mut Plan, stops: Vec<UnitId>) {
        let anchor = plan.anchor;
        for unit in stops {
            plan.add(
                (unit, JobKind::Stop),
                Pull {
                    by: Some(anchor),
                    matters: true,
                    conflicts: false,
                },
            );
        }
    }
}
