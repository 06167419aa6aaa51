//! Dropping what is not needed (semantics 2.4, activate 1 to 4 and 7).

use softboot_unit::JobMode;

use super::{Key, Plan, word};
use crate::action::RequestError;
use crate::engine::Engine;
use crate::event::UnitId;
use crate::jobs::conflict;
use crate::state::JobKind;

impl Engine {
    /// The job in the unit's slot contradicts `kind`.
    pub(super) fn conflicts_installed(&self, unit: UnitId, kind: JobKind) -> bool {
        self.units[unit]
            .job
            .and_then(|id| self.jobs.get(id))
            .is_some_and(|job| conflict(job.kind, kind))
    }

    pub(super) fn is_redundant(&self, (unit, kind): Key) -> bool {
        let active = self.units[unit].active();
        match kind {
            JobKind::Start | JobKind::VerifyActive => active.is_active_ish(),
            JobKind::Stop => active.is_inactive_ish(),
            JobKind::Nop => true,
            _ => false,
        }
    }

    /// Modes fail and lenient: what does not matter must change nothing; under lenient what matters must not stop
    /// a running unit or another job either (semantics 2.3).
    pub(super) fn minimise_impact(&self, plan: &mut Plan, mode: JobMode) -> Result<(), RequestError> {
        if !matches!(mode, JobMode::Fail | JobMode::Lenient) {
            return Ok(());
        }
        for key in plan.keys() {
            let (unit, kind) = key;
            let Some(matters) = plan.get(key).map(|job| job.matters) else {
                continue;
            };
            let stops = kind == JobKind::Stop && self.units[unit].is_up();
            let changes = self.conflicts_installed(unit, kind);
            if !stops && !changes {
                continue;
            }
            if !matters {
                plan.delete(key, true);
            } else if mode == JobMode::Lenient {
                let (name, anchor) = (self.units[unit].name(), self.units[plan.anchor.0].name());
                let job = word(kind);
                let message = if stops {
                    format!(
                        "the {} of {anchor} would {job} {name}, which is running",
                        word(plan.anchor.1)
                    )
                } else {
                    format!(
                        "the {} of {anchor} needs a {job} of {name}, which has a contrary job",
                        word(plan.anchor.1)
                    )
                };
                return Err(RequestError::TransactionIsDestructive(message));
            }
        }
        Ok(())
    }

    /// Jobs that would change nothing go, unit by unit.
    pub(super) fn drop_redundant(&self, plan: &mut Plan) {
        for unit in plan.units() {
            let keys: Vec<Key> = plan.kinds_of(unit).map(|kind| (unit, kind)).collect();
            let droppable = keys.iter().all(|key| {
                *key != plan.anchor && self.is_redundant(*key) && !self.conflicts_installed(unit, key.1)
            });
            if droppable {
                for key in keys {
                    plan.delete(key, false);
                }
            }
        }
    }
}
