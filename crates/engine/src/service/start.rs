//! From a start job to running (semantics 4.3).

use softboot_unit::{JobMode, RestartMode, ServiceType, Usec};

use crate::action::{ExecList, Level};
use crate::engine::Engine;
use crate::event::UnitId;
use crate::jobs::Begun;
use crate::service::{Said, ServiceState};
use crate::state::{JobKind, JobResult, ServiceResult};

impl Engine {
    pub(crate) fn start_service(&mut self, unit: UnitId) -> Begun {
        let state = self.service_state(unit);
        match state {
            ServiceState::Condition
            | ServiceState::StartPre
            | ServiceState::Start
            | ServiceState::StartPost => {
                return Begun::Running;
            }
            // A start by hand ends the hold-off, and is the automatic restart.
            ServiceState::AutoRestart => {
                if let Some(service) = self.service_mut(unit) {
                    service.restarts = service.restarts.saturating_add(1);
                }
                self.set_service_state(unit, ServiceState::AutoRestartQueued);
            }
            _ => {}
        }
        let kind = self.service_type(unit);
        if kind == ServiceType::Dbus {
            let message = "not started: Type=dbus is not supported yet; use notify, exec or simple";
            self.log(Level::Error, Some(unit), message);
            return Begun::Over(JobResult::Unsupported);
        }
        let limit = self.units[unit].definition.unit.start_limit;
        let now = self.now.boottime;
        if !self.units[unit].start_limit.allow(limit, now) {
            self.start_limit_hit(unit);
            return Begun::Over(JobResult::Failed);
        }
        let automatic = matches!(state, ServiceState::AutoRestart | ServiceState::AutoRestartQueued);
        let Some(service) = self.service_mut(unit) else {
            return Begun::Over(JobResult::Failed);
        };
        service.result = ServiceResult::Success;
        service.reload_failed = false;
        service.main_status = None;
        service.main_known = false;
        service.forbid_restart = false;
        service.said = Said::Nothing;
        service.access = None;
        service.status_text = None;
        service.errno = None;
        service.error_name = None;
        service.watchdog = None;
        service.new_run = true;
        if !automatic {
            service.restarts = 0;
        }
        if !self.run_list(unit, ExecList::Condition) {
            self.enter_start_pre(unit);
        }
        Begun::Running
    }

    fn start_limit_hit(&mut self, unit: UnitId) {
        self.log(
            Level::Error,
            Some(unit),
            "started too often in too short a time; `softctl reset-failed` clears this",
        );
        if let Some(service) = self.service_mut(unit) {
            service.result = ServiceResult::StartLimitHit;
            service.forbid_restart = true;
        }
        // What the run before kept for this one goes.
        self.enter_dead(unit);
        let action = self.units[unit].definition.unit.start_limit_action;
        self.emergency(action, Some(unit), "it was started too often");
    }

    pub(super) fn enter_start_pre(&mut self, unit: UnitId) {
        if !self.run_list(unit, ExecList::StartPre) {
            self.enter_start(unit);
        }
    }

    pub(super) fn enter_start(&mut self, unit: UnitId) {
        let kind = self.service_type(unit);
        if kind == ServiceType::Idle {
            self.begin_to_idle(unit);
        } else if self.has_command(unit, ExecList::Start, 0) {
            self.run_main(unit, 0);
            self.set_service_state(unit, ServiceState::Start);
        } else if kind == ServiceType::Oneshot && self.has_no_start(unit) {
            // Passes through start, so that SuccessAction= sees an end (semantics 4.2). One whose commands may not be
            // run any more, because userspace ends, has not done what it is there for.
            self.set_service_state(unit, ServiceState::Start);
            self.enter_start_post(unit);
        } else {
            self.enter_signal(unit, ServiceState::StopSigterm, ServiceResult::Resources);
        }
    }

    fn has_no_start(&self, unit: UnitId) -> bool {
        self.service_section(unit)
            .is_some_and(|section| section.exec_start.is_empty())
    }

    /// Makes a main process: the only one, or the next of a oneshot. That of a forking service only starts it.
    pub(super) fn run_main(&mut self, unit: UnitId, index: u32) {
        let simple = matches!(self.service_type(unit), ServiceType::Simple | ServiceType::Idle);
        let limit = match self.service_section(unit) {
            Some(section) if !simple => section.timeout_start,
            _ => Usec::INFINITY,
        };
        self.arm_state_timer(unit, limit);
        let process = self.spawn(unit, ExecList::Start, index);
        let forking = self.service_type(unit) == ServiceType::Forking;
        if let Some(service) = self.service_mut(unit) {
            if forking {
                service.control = Some(process);
            } else {
                service.main = Some(process);
                service.main_known = true;
            }
        }
    }

    pub(super) fn enter_start_post(&mut self, unit: UnitId) {
        self.arm_watchdog(unit);
        if !self.run_list(unit, ExecList::StartPost) {
            self.enter_running(unit);
        }
    }

    /// The hold-off is over (semantics 4.7).
    pub(super) fn auto_restart_due(&mut self, unit: UnitId) {
        if self.ending.is_some() {
            return;
        }
        let stopping = self.units[unit]
            .job
            .and_then(|id| self.jobs.get(id))
            .is_some_and(|j| j.kind == JobKind::Stop);
        if stopping {
            return;
        }
        if let Some(service) = self.service_mut(unit) {
            service.restarts = service.restarts.saturating_add(1);
        }
        self.cancel_state_timer(unit);
        self.set_service_state(unit, ServiceState::AutoRestartQueued);
        // Without those states nobody noticed an end, so nobody is to be restarted with it (semantics 4.7).
        let direct = self
            .service_section(unit)
            .is_some_and(|section| section.restart_settings.mode == RestartMode::Direct);
        let mode = if direct {
            JobMode::Replace
        } else {
            JobMode::RestartDependencies
        };
        let wish = crate::transaction::Wish {
            kind: JobKind::Start,
            unit,
            mode,
            request: None,
            no_late_merge: true,
        };
        if let Err(error) = self.own_starts().and_then(|()| self.enqueue_wish(wish)) {
            self.log(Level::Error, Some(unit), format!("not restarted: {error}"));
            if let Some(service) = self.service_mut(unit) {
                service.forbid_restart = true;
                service.note_result(ServiceResult::Resources);
            }
            self.enter_dead(unit);
        }
    }
}
