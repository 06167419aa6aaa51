//! Jobs that the modes isolate and triggering add (semantics 2.4, 2.5).

use super::{Draft, Pull, Reason};
use crate::engine::Engine;
use crate::event::UnitId;
use crate::state::JobKind;
use crate::units::Relation;

impl Engine {
    /// Stops everything that is not in the draft.
    pub(super) fn add_isolate(&self, draft: &mut Draft) {
        let kept = |draft: &Draft, unit: UnitId| {
            draft.has_unit(unit) || self.units[unit].definition.unit.ignore_on_isolate
        };
        let mut stops = Vec::new();
        for (id, unit) in self.units.iter() {
            if kept(draft, id) || (unit.active().is_inactive_ish() && unit.job.is_none()) {
                continue;
            }
            let triggered = unit
                .partners(Relation::TriggeredBy)
                .iter()
                .any(|trigger| self.units[*trigger].active().is_active_ish() && kept(draft, *trigger));
            if !triggered {
                stops.push(id);
            }
        }
        self.add_stops(draft, stops, Reason::Isolate);
    }

    /// Stops what would start the unit again.
    pub(super) fn add_triggering(&self, draft: &mut Draft) {
        let stops: Vec<UnitId> = self.units[draft.anchor.0]
            .partners(Relation::TriggeredBy)
            .iter()
            .copied()
            .filter(|id| !draft.has_unit(*id))
            .filter(|id| !self.units[*id].active().is_inactive_ish() || self.units[*id].job.is_some())
            .collect();
        self.add_stops(draft, stops, Reason::Triggering);
    }

    fn add_stops(&self, draft: &mut Draft, stops: Vec<UnitId>, reason: Reason) {
        let anchor = draft.find(draft.anchor);
        for unit in stops {
            draft.add(
                (unit, JobKind::Stop),
                Pull {
                    by: anchor,
                    matters: true,
                    conflicts: false,
                    reason,
                },
            );
        }
    }
}
