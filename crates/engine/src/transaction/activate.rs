//! Dropping what is not needed (semantics 2.4, activate 1 to 4 and 7).

use softboot_unit::JobMode;

use super::{Draft, DropReason, Dropped, Key, Obstacle, Refusal, word};
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

    /// It is as the job would have it already, and no job in the slot says otherwise.
    pub(super) fn changes_nothing(&self, (unit, kind): Key) -> bool {
        let known = &self.units[unit];
        let active = known.active();
        let redundant = match kind {
            JobKind::Start | JobKind::VerifyActive => active.is_active_ish(),
            JobKind::Stop => active.is_inactive_ish(),
            JobKind::Nop => true,
            _ => false,
        };
        let installed = || known.job.and_then(|id| self.jobs.get(id));
        redundant && !installed().is_some_and(|job| conflict(job.kind, kind))
    }

    /// Modes fail and lenient: what does not matter must change nothing; under lenient what matters must not stop
    /// a running unit or another job either (semantics 2.3).
    pub(super) fn minimise_impact(&self, draft: &mut Draft, mode: JobMode) -> Result<(), Box<Refusal>> {
        if !matches!(mode, JobMode::Fail | JobMode::Lenient) {
            return Ok(());
        }
        for key in draft.keys() {
            let (unit, kind) = key;
            let Some(matters) = draft.get(key).map(|job| job.matters) else {
                continue;
            };
            let stops = kind == JobKind::Stop && self.units[unit].is_up();
            let changes = self.conflicts_installed(unit, kind);
            if !stops && !changes {
                continue;
            }
            if !matters {
                let why = if stops {
                    DropReason::StopsRunning
                } else {
                    DropReason::ContraryJob
                };
                draft.take_out(key, true, || Dropped::For(why));
            } else if mode == JobMode::Lenient {
                let (name, anchor) = (self.units[unit].name(), self.units[draft.anchor.0].name());
                let job = word(kind);
                let message = if stops {
                    format!(
                        "the {} of {anchor} would {job} {name}, which is running",
                        word(draft.anchor.1)
                    )
                } else {
                    format!(
                        "the {} of {anchor} needs a {job} of {name}, which has a contrary job",
                        word(draft.anchor.1)
                    )
                };
                let obstacle = if stops {
                    Obstacle::Running(self.units[unit].active())
                } else {
                    self.obstacle_job(unit)
                };
                let error = RequestError::TransactionIsDestructive(message);
                return Err(self.refusal_in(draft, error, key, obstacle));
            }
        }
        Ok(())
    }

    /// Jobs that would change nothing go, unit by unit.
    pub(super) fn drop_redundant(&self, draft: &mut Draft) {
        for unit in draft.units() {
            let droppable = |kind| (unit, kind) != draft.anchor && self.changes_nothing((unit, kind));
            if draft.kinds_of(unit).all(droppable) {
                draft.take_out_unit(unit, || Dropped::For(DropReason::Redundant));
            }
        }
    }
}
