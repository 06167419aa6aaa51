//! Ending jobs: by the unit's state, by failure of another, by hand (semantics 2.7).

use crate::action::{Action, Level};
use crate::engine::{Engine, RetryFlag};
use crate::event::{JobId, TimerId, TimerKind, UnitId};
use crate::reaction::Work;
use crate::state::{ActiveState, JobKind, JobResult};
use crate::units::Relation;

impl Engine {
    /// What a unit's new state means for its job. True when no job explains the change.
    pub(crate) fn judge_job(&mut self, unit: UnitId, reload_failed: bool) -> bool {
        let Some(id) = self.units[unit].job else {
            return true;
        };
        let Some(job) = self.jobs.get(id) else { return true };
        let (kind, running) = (job.kind, job.running);
        let (unexpected, result) = match (kind, self.units[unit].active()) {
            (JobKind::Start | JobKind::VerifyActive, active) => match active {
                active if active.is_active_ish() => (false, Some(JobResult::Done)),
                ActiveState::Activating => (false, None),
                _ if !running => (false, None),
                ActiveState::Failed => (true, Some(JobResult::Failed)),
                ActiveState::Inactive => (true, Some(JobResult::Done)),
                _ => (true, None),
            },
            (JobKind::Reload, _) if !running => (false, None),
            (JobKind::Reload, active) => match active {
                ActiveState::Active if reload_failed => (false, Some(JobResult::Failed)),
                ActiveState::Active => (false, Some(JobResult::Done)),
                ActiveState::Activating | ActiveState::Reloading | ActiveState::Refreshing => (false, None),
                _ if reload_failed => (true, Some(JobResult::Failed)),
                _ => (true, Some(JobResult::Canceled)),
            },
            (JobKind::Stop | JobKind::Restart, active) => match active {
                active if active.is_inactive_ish() => (false, Some(JobResult::Done)),
                ActiveState::Deactivating => (false, None),
                _ if running => (true, Some(JobResult::Failed)),
                _ => (false, None),
            },
            _ => (false, None),
        };
        if let Some(result) = result {
            self.finish_job(id, result, true);
        }
        unexpected
    }

    /// Ends a job, and with `propagate` those that cannot succeed without it.
    pub(crate) fn finish_job(&mut self, id: JobId, result: JobResult, propagate: bool) {
        let mut list = vec![(id, result)];
        while let Some((id, result)) = list.pop() {
            let Some((unit, kind)) = self.end_one(id, result) else {
                continue;
            };
            if !propagate {
                continue;
            }
            let up = self.units[unit].active().is_active_ish();
            let starts = matches!(kind, JobKind::Start | JobKind::VerifyActive);
            if result != JobResult::Done && starts {
                for relation in [Relation::RequiredBy, Relation::RequisiteOf, Relation::BoundBy] {
                    self.dependents(unit, relation, &mut list);
                }
            } else if result == JobResult::Done && (starts || kind == JobKind::Reload) && !up {
                self.dependents(unit, Relation::RequisiteOf, &mut list);
            }
            if result != JobResult::Done && kind == JobKind::Stop {
                self.dependents(unit, Relation::ConflictedBy, &mut list);
            }
            if matches!(result, JobResult::Timeout | JobResult::Dependency) {
                self.work.push_back(Work::OnFailure(unit));
            }
        }
    }

    /// The start jobs of partners, to be ended with `dependency`.
    fn dependents(&self, unit: UnitId, relation: Relation, list: &mut Vec<(JobId, JobResult)>) {
        // Last in, first out: the reverse keeps the order of ids.
        for partner in self.units[unit].partners(relation).iter().rev() {
            let Some(id) = self.units[*partner].job else {
                continue;
            };
            let starts = |job: &super::Job| matches!(job.kind, JobKind::Start | JobKind::VerifyActive);
            if self.jobs.get(id).is_some_and(starts) {
                list.push((id, JobResult::Dependency));
            }
        }
    }

    /// Takes one job out of the table and tells who waits. `None` when it lives on: a restart whose stop is done.
    fn end_one(&mut self, id: JobId, result: JobResult) -> Option<(UnitId, JobKind)> {
        let job = self.jobs.get_mut(id)?;
        let unit = job.unit;
        if job.kind == JobKind::Restart && result == JobResult::Done {
            job.kind = JobKind::Start;
            job.running = false;
            self.jobs.wake(id);
            self.jobs.queue(id);
            self.dirty.insert(unit);
            return None;
        }
        let job = self.jobs.remove(id)?;
        let slots = &mut self.units[unit];
        if slots.job == Some(id) {
            slots.job = None;
        }
        if slots.nop == Some(id) {
            slots.nop = None;
        }
        if slots.checking == Some(id) {
            slots.checking = None;
        }
        if job.deadline.is_some() {
            self.act(Action::CancelTimer(TimerId {
                unit,
                kind: TimerKind::Job,
            }));
        }
        if matches!(
            result,
            JobResult::Dependency | JobResult::Failed | JobResult::Timeout
        ) && job.kind == JobKind::Start
        {
            let word = match result {
                JobResult::Dependency => "not started: a unit it needs could not be started",
                JobResult::Timeout => "not started in time",
                _ => "could not be started",
            };
            self.log(Level::Error, Some(unit), word);
        }
        self.act(Action::JobDone {
            job: id,
            unit,
            kind: job.kind,
            result,
        });
        for request in job.requests {
            self.act(Action::RequestDone {
                request,
                outcome: Ok(result),
            });
        }
        self.dirty.insert(unit);
        if self.retry == RetryFlag::No {
            self.retry = RetryFlag::Maybe;
        }
        self.work.push_back(Work::Triggers(unit));
        self.after_state(unit);
        self.between_runs_without_job(unit);
        Some((unit, job.kind))
    }

    /// A client cancels a job, or all.
    pub(crate) fn cancel(&mut self, job: Option<JobId>) {
        match job {
            Some(id) => self.finish_job(id, JobResult::Canceled, true),
            None => {
                for id in self.jobs.ids() {
                    self.finish_job(id, JobResult::Canceled, true);
                }
            }
        }
    }
}
