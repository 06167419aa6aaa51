//! JobTimeoutSec= and JobRunningTimeoutSec= (semantics 2.7).

use softboot_unit::Usec;

use crate::action::{Action, Level};
use crate::engine::Engine;
use crate::event::{JobId, TimerId, TimerKind, UnitId};
use crate::state::{JobKind, JobResult};

impl Engine {
    /// The job came into the table.
    pub(crate) fn arm_job_timeout(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(id) else { return };
        let limit = self.units[job.unit].definition.unit.job_timeout;
        self.limit_job(id, limit);
    }

    /// The job begins to run.
    pub(crate) fn arm_running_timeout(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(id) else { return };
        let limit = self.units[job.unit].definition.unit.job_running_timeout;
        self.limit_job(id, limit);
    }

    /// The earlier limit holds.
    fn limit_job(&mut self, id: JobId, limit: Usec) {
        if limit.is_infinite() {
            return;
        }
        let at = self.now.monotonic.plus(limit);
        let Some(job) = self.jobs.get_mut(id) else { return };
        // A nop is over at once, and the unit's one job timer belongs to its other job.
        if job.kind == JobKind::Nop {
            return;
        }
        if job.deadline.is_some_and(|deadline| deadline <= at) {
            return;
        }
        job.deadline = Some(at);
        let timer = TimerId {
            unit: job.unit,
            kind: TimerKind::Job,
        };
        self.act(Action::ArmTimer { timer, at });
    }

    /// The unit itself is not touched.
    pub(crate) fn job_timeout(&mut self, unit: UnitId) {
        let Some(id) = self.units[unit].job else { return };
        let due = self
            .jobs
            .get(id)
            .and_then(|job| job.deadline)
            .is_some_and(|at| at <= self.now.monotonic);
        if !due {
            return;
        }
        if let Some(job) = self.jobs.get_mut(id) {
            job.deadline = None;
        }
        self.log(
            Level::Warning,
            Some(unit),
            "its job took too long and was given up",
        );
        let action = self.units[unit].definition.unit.job_timeout_action;
        self.finish_job(id, JobResult::Timeout, true);
        self.emergency(action, Some(unit), "a job took too long");
    }
}
