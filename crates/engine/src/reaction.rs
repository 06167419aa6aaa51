//! What follows from a unit's change of state (semantics 1.9, 2.9, 3.7, 4.8).

use serde::{Deserialize, Serialize};
use softboot_unit::{EmergencyAction, FdStorePreserve, JobMode, RateLimit, Usec};

use crate::action::{Action, Level, RequestError};
use crate::engine::{Engine, RetryFlag};
use crate::event::{TimerId, TimerKind, UnitId};
use crate::service::ServiceState;
use crate::state::{ActiveState, JobKind, ServiceResult};
use crate::units::{Machine, Relation};

/// AutoStartStop (2.9).
const AUTOMATIC_LIMIT: RateLimit = RateLimit {
    interval: Usec::from_secs(10),
    burst: 16,
};

/// Something to look at once the current change is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Work {
    /// Sockets that trigger this unit look at it (1.9).
    Triggers(UnitId),
    /// It failed: start what OnFailure= names.
    OnFailure(UnitId),
    /// It ended well: start what OnSuccess= names.
    OnSuccess(UnitId),
    /// It came up without a job (2.9).
    CameUp(UnitId),
    /// It went down without a job (2.9).
    WentDown(UnitId),
    /// Something that holds it up, or that it needs, changed: BindsTo=, Upholds=, StopWhenUnneeded=.
    Recheck(UnitId),
    /// FailureAction=, SuccessAction= and their like.
    Emergency(UnitId, EmergencyAction),
}

impl Engine {
    /// Every state machine calls this after each change of its state. `old` is what the unit was before.
    pub(crate) fn state_changed(&mut self, unit: UnitId, old: ActiveState, reload_failed: bool) {
        let now = self.now;
        let changed = &mut self.units[unit];
        changed.changed_realtime = now.realtime;
        changed.changed_monotonic = now.monotonic;
        let new = changed.active();
        let job = changed.job;
        self.dirty.insert(unit);
        let unexpected = self.judge_job(unit, reload_failed);
        if let Some(job) = job {
            self.jobs.queue(job);
        }
        if new.is_inactive_ish() && !old.is_inactive_ish() {
            self.retry = RetryFlag::Yes;
        }
        self.work.push_back(Work::Triggers(unit));
        if self.ending.is_none() {
            self.note_consequences(unit, old, new, unexpected);
        }
        self.after_state(unit);
    }

    fn note_consequences(&mut self, unit: UnitId, old: ActiveState, new: ActiveState, unexpected: bool) {
        let up = |state: ActiveState| state.is_active_ish() || state == ActiveState::Activating;
        if unexpected && old.is_inactive_ish() && up(new) {
            self.work.push_back(Work::CameUp(unit));
        }
        if unexpected
            && up(old)
            && matches!(
                new,
                ActiveState::Inactive | ActiveState::Deactivating | ActiveState::Failed
            )
        {
            self.work.push_back(Work::WentDown(unit));
        }
        let section = &self.units[unit].definition.unit;
        if new == ActiveState::Failed && old != ActiveState::Failed {
            self.work.push_back(Work::OnFailure(unit));
            self.work.push_back(Work::Emergency(unit, section.failure_action));
        }
        // The end of a removal is no success of the service.
        if new == ActiveState::Inactive && !old.is_inactive_ish() && !self.is_cleaning(unit) {
            self.work.push_back(Work::OnSuccess(unit));
            self.work.push_back(Work::Emergency(unit, section.success_action));
        }
    }

    /// Notes whom a state or job change may concern.
    pub(crate) fn after_state(&mut self, unit: UnitId) {
        let known = &self.units[unit];
        let active = known.active();
        if active.is_inactive_ish() {
            self.release.insert(unit);
            let mut affected = known.partners(Relation::BoundBy).to_vec();
            affected.extend(known.partners(Relation::UpheldBy));
            for relation in [
                Relation::Requires,
                Relation::Requisite,
                Relation::Wants,
                Relation::BindsTo,
                Relation::Upholds,
            ] {
                for partner in known.partners(relation) {
                    if self.units[*partner].definition.unit.stop_when_unneeded {
                        affected.push(*partner);
                    }
                }
            }
            affected.push(unit);
            for partner in affected {
                self.work.push_back(Work::Recheck(partner));
            }
        } else if known.definition.unit.stop_when_unneeded || !known.partners(Relation::Upholds).is_empty() {
            self.work.push_back(Work::Recheck(unit));
        }
    }

    pub(crate) fn react(&mut self, work: Work) {
        if let Work::Triggers(unit) = work {
            self.triggered_changed(unit);
            return;
        }
        if self.ending.is_some() {
            return;
        }
        match work {
            // Done above.
            Work::Triggers(_) => {}
            Work::OnFailure(unit) => {
                let mode = self.units[unit].definition.unit.on_failure_job_mode;
                self.start_partners(unit, Relation::OnFailure, mode);
            }
            Work::OnSuccess(unit) => {
                let mode = self.units[unit].definition.unit.on_success_job_mode;
                self.start_partners(unit, Relation::OnSuccess, mode);
            }
            Work::CameUp(unit) => self.came_up(unit),
            Work::WentDown(unit) => self.went_down(unit),
            Work::Recheck(unit) => self.recheck(unit),
            Work::Emergency(unit, action) => {
                self.emergency(action, Some(unit), "the unit's own setting asks for it")
            }
        }
    }

    fn start_partners(&mut self, unit: UnitId, relation: Relation, mode: JobMode) {
        for partner in self.units[unit].partners(relation).to_vec() {
            self.enqueue_quietly(JobKind::Start, partner, mode);
        }
    }

    /// In safe mode nothing is started but what somebody asks for: a person, or a connection.
    pub(crate) fn own_starts(&self) -> Result<(), RequestError> {
        if self.safe_mode {
            let reason = "safe mode: only what somebody asks for is started";
            return Err(RequestError::InvalidArgument(reason.to_owned()));
        }
        Ok(())
    }

    /// A job nobody waits for; a refusal goes to the log.
    pub(crate) fn enqueue_quietly(&mut self, kind: JobKind, unit: UnitId, mode: JobMode) -> bool {
        let allowed = if kind == JobKind::Stop {
            Ok(())
        } else {
            self.own_starts()
        };
        match allowed.and_then(|()| self.enqueue(kind, unit, mode, None)) {
            Ok(_) => true,
            Err(error) => {
                self.log(Level::Warning, Some(unit), error.to_string());
                false
            }
        }
    }

    /// What it needs is started, what it contradicts is stopped, as far as no order was to be kept.
    fn came_up(&mut self, unit: UnitId) {
        let known = &self.units[unit];
        let after = known.partners(Relation::After).to_vec();
        let mut starts = Vec::new();
        for (relation, mode) in [
            (Relation::Requires, JobMode::Replace),
            (Relation::BindsTo, JobMode::Replace),
            (Relation::Wants, JobMode::Fail),
        ] {
            starts.extend(known.partners(relation).iter().map(|partner| (*partner, mode)));
        }
        let stops: Vec<_> = [Relation::Conflicts, Relation::ConflictedBy]
            .into_iter()
            .flat_map(|relation| known.partners(relation).to_vec())
            .collect();
        for (partner, mode) in starts {
            if after.binary_search(&partner).is_err() && !self.units[partner].is_up() {
                self.enqueue_quietly(JobKind::Start, partner, mode);
            }
        }
        for partner in stops {
            if self.units[partner].is_up() {
                self.enqueue_quietly(JobKind::Stop, partner, JobMode::Replace);
            }
        }
    }

    fn went_down(&mut self, unit: UnitId) {
        for partner in self.units[unit].partners(Relation::BoundBy).to_vec() {
            if self.units[partner].is_up() {
                self.enqueue_quietly(JobKind::Stop, partner, JobMode::Replace);
            }
        }
    }

    /// The continuous rules, for a unit without a job.
    fn recheck(&mut self, unit: UnitId) {
        let known = &self.units[unit];
        if known.job.is_some() {
            return;
        }
        if known.active().is_active_ish() {
            let idle_down = |other: &UnitId| {
                let other = &self.units[*other];
                other.job.is_none() && other.active().is_inactive_ish()
            };
            let bound = known.partners(Relation::BindsTo).iter().any(idle_down);
            if bound || self.is_unneeded(unit) {
                let mode = if bound { JobMode::Replace } else { JobMode::Fail };
                if self.automatic_job_allowed(unit) {
                    self.enqueue_quietly(JobKind::Stop, unit, mode);
                }
                return;
            }
            for partner in known.partners(Relation::Upholds).to_vec() {
                self.uphold(partner);
            }
        } else if known.active() == ActiveState::Inactive || known.active() == ActiveState::Failed {
            let upheld = known
                .partners(Relation::UpheldBy)
                .iter()
                .any(|other| self.units[*other].active().is_active_ish());
            if upheld {
                self.uphold(unit);
            }
        }
    }

    fn uphold(&mut self, unit: UnitId) {
        let known = &self.units[unit];
        let hit = known
            .service()
            .is_some_and(|service| service.result == ServiceResult::StartLimitHit);
        let wanted = known.job.is_none() && known.active().is_inactive_ish() && !hit;
        if wanted && self.automatic_job_allowed(unit) {
            self.enqueue_quietly(JobKind::Start, unit, JobMode::Fail);
        }
    }

    /// The continuous rules may start and stop one unit this often; rules that contradict each other end here.
    fn automatic_job_allowed(&mut self, unit: UnitId) -> bool {
        let now = self.now.boottime;
        let allowed = self.units[unit].automatic_limit.allow(AUTOMATIC_LIMIT, now);
        if !allowed {
            let message = "its dependencies started and stopped it too often: it is left as it is now";
            self.log(Level::Warning, Some(unit), message);
        }
        allowed
    }

    fn is_unneeded(&self, unit: UnitId) -> bool {
        let known = &self.units[unit];
        if !known.definition.unit.stop_when_unneeded {
            return false;
        }
        let needs = |other: &UnitId| {
            let other = &self.units[*other];
            // Even on its way down it may still use what it needs.
            !other.active().is_inactive_ish() || other.job.is_some()
        };
        let relations = [
            Relation::RequiredBy,
            Relation::RequisiteOf,
            Relation::WantedBy,
            Relation::BoundBy,
            Relation::UpheldBy,
        ];
        !relations
            .into_iter()
            .any(|relation| known.partners(relation).iter().any(needs))
    }

    /// A unit that is down and has no job lets go of what it held (semantics 3.7).
    pub(crate) fn release_resources(&mut self, unit: UnitId) {
        let known = &self.units[unit];
        if known.job.is_some() || !known.active().is_inactive_ish() {
            return;
        }
        let preserve = match &known.definition.kind {
            softboot_unit::KindSection::Service(service) => service.fd_store_preserve,
            _ => FdStorePreserve::No,
        };
        let failed = known.active() == ActiveState::Failed;
        let drop_fds = match preserve {
            FdStorePreserve::No | FdStorePreserve::Restart => true,
            FdStorePreserve::Yes => false,
            FdStorePreserve::OnSuccess => failed,
        };
        let held = known.service().is_some_and(|service| service.stored_fds > 0);
        if drop_fds && held && self.ending.is_none() {
            self.act(Action::ReleaseFdStore { unit });
        }
        self.release_connection(unit);
        if self.units[unit].is_garbage() {
            self.garbage.insert(unit);
        }
    }

    /// The number of stored descriptors: the last one to go unpins a dead unit.
    pub(crate) fn fd_store_count(&mut self, unit: UnitId, count: u32) {
        let Machine::Service(service) = &mut self.units[unit].machine else {
            return;
        };
        service.stored_fds = count;
        self.dirty.insert(unit);
        match service.state {
            ServiceState::DeadResourcesPinned if count == 0 => {
                service.state = ServiceState::Dead;
                self.release.insert(unit);
            }
            ServiceState::Dead if count > 0 => {
                service.state = ServiceState::DeadResourcesPinned;
                self.release.insert(unit);
            }
            _ => {}
        }
    }

    pub(crate) fn timer(&mut self, timer: TimerId) {
        match timer.kind {
            TimerKind::Job => self.job_timeout(timer.unit),
            TimerKind::Watchdog => self.watchdog_timeout(timer.unit),
            TimerKind::State => match self.units[timer.unit].machine {
                Machine::Service(_) => self.service_timeout(timer.unit),
                Machine::Socket(_) => self.socket_timeout(timer.unit),
                Machine::Mount(_) => self.mount_timeout(timer.unit),
                Machine::Plain { .. } => {}
            },
        }
    }

    /// The failed state and the start limits of one unit, or all, are forgotten.
    pub(crate) fn reset_failed(&mut self, name: Option<&softboot_unit::UnitName>) {
        let units: Vec<UnitId> = match name {
            Some(name) => self.units.find(name).into_iter().collect(),
            None => self.units.ids().collect(),
        };
        for unit in units {
            let old = self.units[unit].active();
            self.units[unit].start_limit.reset();
            self.units[unit].automatic_limit.reset();
            let failed = match &mut self.units[unit].machine {
                Machine::Service(service) => service.reset_failed(),
                Machine::Socket(socket) => socket.reset_failed(),
                Machine::Mount(mount) => mount.reset_failed(),
                Machine::Plain { .. } => false,
            };
            if failed {
                self.state_changed(unit, old, false);
            }
        }
    }
}
