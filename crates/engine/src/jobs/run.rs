//! Beginning a job: the checks of semantics 2.7 and what they make of it.

use softboot_unit::{KindSection, LoadState};

use crate::action::{Action, Level};
use crate::engine::Engine;
use crate::event::{JobId, UnitId};
use crate::state::{ActiveState, JobKind, JobResult};
use crate::units::{Machine, Relation};

/// What a unit says when it is told to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    /// It is on its way; its state changes end the job.
    Running,
    /// The job is over, like this.
    Over(JobResult),
    /// Not now; look again when the unit's state changes.
    Again,
}

impl Engine {
    pub(crate) fn run_job(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(id) else { return };
        let (unit, kind) = (job.unit, job.kind);
        if job.running || self.ending.is_some() {
            return;
        }
        if let Some(blocker) = self.blocker(id) {
            self.jobs.block(id, blocker);
            return;
        }
        self.set_running(id, true);
        let begun = match kind {
            JobKind::Start => self.begin_start(id, unit),
            JobKind::VerifyActive => match self.units[unit].active() {
                active if active.is_active_ish() => Begun::Over(JobResult::Done),
                ActiveState::Activating => Begun::Again,
                _ => Begun::Over(JobResult::Skipped),
            },
            JobKind::Stop | JobKind::Restart => self.begin_stop(unit),
            JobKind::Reload => self.begin_reload(unit),
            _ => Begun::Over(JobResult::Done),
        };
        self.begun(id, begun);
    }

    pub(crate) fn begun(&mut self, id: JobId, begun: Begun) {
        match begun {
            Begun::Running => {}
            Begun::Over(result) => self.finish_job(id, result, true),
            Begun::Again => self.set_running(id, false),
        }
    }

    fn set_running(&mut self, id: JobId, running: bool) {
        if let Some(job) = self.jobs.get_mut(id) {
            job.running = running;
        }
        if running {
            self.arm_running_timeout(id);
        }
    }

    /// The unit layer's checks, in the order of semantics 2.7.
    fn begin_start(&mut self, id: JobId, unit: UnitId) -> Begun {
        let known = &self.units[unit];
        match known.active() {
            active if active.is_active_ish() => return Begun::Over(JobResult::Done),
            ActiveState::Deactivating | ActiveState::Maintenance => return Begun::Again,
            ActiveState::Activating => return self.start_machine(unit),
            _ => {}
        }
        if known.definition.load != LoadState::Loaded {
            return Begun::Over(JobResult::Failed);
        }
        if let Err(reason) = known.definition.readable() {
            let message = format!("not started: its settings, kept as text, cannot be read: {reason}");
            self.log(Level::Error, Some(unit), message);
            return Begun::Over(JobResult::Failed);
        }
        let section = &known.definition.unit;
        if !section.conditions.is_empty() || !section.asserts.is_empty() {
            self.units[unit].checking = Some(id);
            self.act(Action::CheckConditions { unit });
            return Begun::Running;
        }
        self.begin_checked_start(unit)
    }

    /// The answer to [`Action::CheckConditions`].
    pub(crate) fn conditions_checked(&mut self, unit: UnitId, conditions: bool, asserts: bool) {
        let Some(id) = self.units[unit].checking.take() else {
            return;
        };
        let current = self
            .jobs
            .get(id)
            .is_some_and(|job| job.running && job.kind == JobKind::Start);
        if self.units[unit].job != Some(id) || !current {
            return;
        }
        let begun = if self.ending.is_some() {
            Begun::Again
        } else if !conditions {
            self.log(Level::Info, Some(unit), "not started: a condition does not hold");
            Begun::Over(JobResult::Done)
        } else if !asserts {
            self.log(
                Level::Error,
                Some(unit),
                "not started: an assertion does not hold",
            );
            Begun::Over(JobResult::Assert)
        } else {
            self.begin_checked_start(unit)
        };
        self.begun(id, begun);
    }

    fn begin_checked_start(&mut self, unit: UnitId) -> Begun {
        let known = &self.units[unit];
        let after = known.partners(Relation::After);
        let unmet = known.partners(Relation::BindsTo).iter().find(|bound| {
            after.binary_search(bound).is_ok() && !self.units[**bound].active().is_active_ish()
        });
        if let Some(bound) = unmet {
            let message = format!(
                "not started: it is bound to {}, which is not active",
                self.units[*bound].name()
            );
            self.log(Level::Error, Some(unit), message);
            return Begun::Over(JobResult::Dependency);
        }
        self.start_machine(unit)
    }

    fn start_machine(&mut self, unit: UnitId) -> Begun {
        match self.units[unit].machine {
            Machine::Service(_) => self.start_service(unit),
            Machine::Socket(_) => self.start_socket(unit),
            Machine::Mount(_) => self.start_mount(unit),
            Machine::Plain { .. } => match self.units[unit].definition.kind {
                KindSection::Target | KindSection::Slice => {
                    self.set_plain(unit, true);
                    Begun::Running
                }
                // It cannot be made to appear, only waited for.
                KindSection::Device => Begun::Running,
                _ => {
                    let kind = self.units[unit].name().kind();
                    self.log(
                        Level::Warning,
                        Some(unit),
                        format!("not started: {kind} units are not supported yet"),
                    );
                    Begun::Over(JobResult::Unsupported)
                }
            },
        }
    }

    fn begin_stop(&mut self, unit: UnitId) -> Begun {
        if self.units[unit].active().is_inactive_ish() {
            return Begun::Over(JobResult::Done);
        }
        if let Err(reason) = self.units[unit].definition.readable() {
            let message = format!("stopped with the usual settings: its own cannot be read: {reason}");
            self.log(Level::Error, Some(unit), message);
        }
        match self.units[unit].machine {
            // Nobody but whoever pulls the plug can.
            Machine::Plain { .. } if self.is_device(unit) => return Begun::Over(JobResult::Skipped),
            Machine::Service(_) => self.stop_service(unit),
            Machine::Socket(_) => self.stop_socket(unit),
            Machine::Mount(_) => self.stop_mount(unit),
            Machine::Plain { .. } => self.set_plain(unit, false),
        }
        Begun::Running
    }

    fn begin_reload(&mut self, unit: UnitId) -> Begun {
        match self.units[unit].active() {
            ActiveState::Reloading | ActiveState::Refreshing | ActiveState::Activating => Begun::Again,
            ActiveState::Active if self.mount(unit).is_some() => self.reload_mount(unit),
            ActiveState::Active if !self.units[unit].can_reload() => Begun::Over(JobResult::Skipped),
            ActiveState::Active if self.units[unit].service().is_some() => self.reload_service(unit),
            // It only passes the request on, which the transaction did.
            ActiveState::Active => Begun::Over(JobResult::Done),
            _ => Begun::Over(JobResult::Invalid),
        }
    }

    fn is_device(&self, unit: UnitId) -> bool {
        matches!(self.units[unit].definition.kind, KindSection::Device)
    }

    /// A device came or went (semantics 2.9: what is bound to it goes with it).
    pub(crate) fn device_seen(&mut self, unit: UnitId, present: bool) {
        let known = self.units[unit].active().is_active_ish();
        if self.is_device(unit) && known != present {
            self.set_plain(unit, present);
        }
    }

    fn set_plain(&mut self, unit: UnitId, on: bool) {
        let old = self.units[unit].active();
        if let Machine::Plain { on: current } = &mut self.units[unit].machine {
            *current = on;
        }
        self.state_changed(unit, old, false);
    }
}
