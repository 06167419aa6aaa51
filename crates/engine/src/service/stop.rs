//! The way down (semantics 4.5, 4.9).

use softboot_unit::{KillMode, KillSettings, Usec};

use crate::action::{Action, ExecList, KillWhom};
use crate::engine::Engine;
use crate::event::UnitId;
use crate::service::{Said, ServiceState};
use crate::state::{JobKind, ServiceResult};
use crate::units::Machine;

impl Engine {
    /// A stop or restart job.
    pub(crate) fn stop_service(&mut self, unit: UnitId) {
        use ServiceState as S;
        let Some(service) = self.service_mut(unit) else {
            return;
        };
        service.forbid_restart = true;
        match service.state {
            S::Running | S::Exited => self.enter_stop(unit),
            S::Condition
            | S::StartPre
            | S::Start
            | S::StartPost
            | S::Reload
            | S::ReloadSignal
            | S::ReloadNotify
            | S::ReloadPost
            | S::StopWatchdog => {
                self.enter_signal(unit, S::StopSigterm, ServiceResult::Success);
            }
            S::AutoRestart | S::AutoRestartQueued => self.leave_auto_restart(unit),
            S::Cleaning => self.interrupt_cleaning(unit, ServiceResult::Signal, true),
            _ => {}
        }
    }

    pub(super) fn enter_stop(&mut self, unit: UnitId) {
        self.cancel_watchdog(unit);
        if !self.run_list(unit, ExecList::Stop) {
            self.enter_signal(unit, ServiceState::StopSigterm, ServiceResult::Success);
        }
    }

    /// Enters one of the states that send a signal and wait.
    pub(crate) fn enter_signal(&mut self, unit: UnitId, state: ServiceState, result: ServiceResult) {
        let Some(section) = self.service_section(unit) else {
            return;
        };
        let kill = section.kill.clone();
        let limit = match state {
            ServiceState::StopWatchdog | ServiceState::FinalWatchdog => {
                section.timeout_abort.unwrap_or(section.timeout_stop)
            }
            _ => section.timeout_stop,
        };
        if let Some(service) = self.service_mut(unit) {
            service.note_result(result);
        }
        self.cancel_watchdog(unit);
        if !self.is_over(unit, state, &kill) {
            self.send_signal(unit, state, &kill);
            self.arm_state_timer(unit, limit);
            self.set_service_state(unit, state);
            return;
        }
        self.set_service_state(unit, state);
        self.advance(unit, state);
    }

    /// Nothing is left to wait for in `state`.
    fn is_over(&self, unit: UnitId, state: ServiceState, kill: &KillSettings) -> bool {
        let Some(service) = self.service(unit) else {
            return true;
        };
        if service.main.is_some() || service.control.is_some() {
            return false;
        }
        let whole_group = match kill.mode {
            KillMode::ControlGroup => true,
            KillMode::Mixed => matches!(state, ServiceState::StopSigkill | ServiceState::FinalSigkill),
            KillMode::Process | KillMode::None => false,
        };
        service.empty || !whole_group
    }

    fn send_signal(&mut self, unit: UnitId, state: ServiceState, kill: &KillSettings) {
        let restart = self.units[unit]
            .job
            .and_then(|id| self.jobs.get(id))
            .is_some_and(|j| j.kind == JobKind::Restart);
        let hard = matches!(state, ServiceState::StopSigkill | ServiceState::FinalSigkill);
        let signal = match state {
            ServiceState::StopWatchdog | ServiceState::FinalWatchdog => kill.watchdog_signal,
            _ if hard => kill.final_signal,
            _ if restart => kill.restart_signal.unwrap_or(kill.signal),
            _ => kill.signal,
        };
        let term = matches!(state, ServiceState::StopSigterm | ServiceState::FinalSigterm);
        let hangup = kill.send_sighup && term;
        let (main, control) = self.service(unit).map_or((false, false), |service| {
            (service.main.is_some(), service.control.is_some())
        });
        match kill.mode {
            KillMode::None => {}
            KillMode::ControlGroup => self.kill(unit, KillWhom::Cgroup, signal, hangup),
            KillMode::Mixed if hard => self.kill(unit, KillWhom::Cgroup, signal, hangup),
            KillMode::Mixed | KillMode::Process => {
                if main {
                    self.kill(unit, KillWhom::Main, signal, hangup);
                }
                if control {
                    self.kill(unit, KillWhom::Control, signal, hangup);
                }
            }
        }
    }

    pub(super) fn kill(&mut self, unit: UnitId, whom: KillWhom, signal: i32, hangup: bool) {
        self.act(Action::Kill {
            unit,
            whom,
            signal,
            hangup,
        });
    }

    /// A process ended or the cgroup is empty: goes on if that was the last thing to wait for.
    pub(crate) fn stop_progress(&mut self, unit: UnitId) {
        let state = self.service_state(unit);
        let Some(section) = self.service_section(unit) else {
            return;
        };
        let kill = section.kill.clone();
        if !state.waits_for_end() {
            return;
        }
        if self.is_over(unit, state, &kill) {
            self.advance(unit, state);
            return;
        }
        // After STOPPING=1 nobody was signalled yet. With the main process gone the rest of the group is.
        let Some(service) = self.service_mut(unit) else {
            return;
        };
        let rest = service.main.is_none() && service.control.is_none();
        if rest
            && state == ServiceState::StopSigterm
            && service.said == Said::Stopping
            && self.ending.is_none()
        {
            if let Some(service) = self.service_mut(unit) {
                service.said = Said::Nothing;
            }
            self.send_signal(unit, state, &kill);
        }
    }

    /// From a signal state to what follows.
    fn advance(&mut self, unit: UnitId, state: ServiceState) {
        use ServiceState as S;
        let kill = self
            .service_section(unit)
            .map(|section| section.kill.clone())
            .unwrap_or_default();
        // KillMode=mixed: the rest of the group gets SIGKILL once main is gone.
        let rest =
            kill.mode == KillMode::Mixed && kill.send_sigkill && self.service(unit).is_some_and(|s| !s.empty);
        match state {
            S::StopWatchdog | S::StopSigterm if rest => {
                self.enter_signal(unit, S::StopSigkill, ServiceResult::Success);
            }
            S::StopWatchdog | S::StopSigterm | S::StopSigkill => self.enter_stop_post(unit),
            S::FinalWatchdog | S::FinalSigterm if rest => {
                self.enter_signal(unit, S::FinalSigkill, ServiceResult::Success)
            }
            _ => self.enter_dead(unit),
        }
    }

    pub(super) fn enter_stop_post(&mut self, unit: UnitId) {
        if !self.run_list(unit, ExecList::StopPost) {
            self.enter_signal(unit, ServiceState::FinalSigterm, ServiceResult::Success);
        }
    }

    /// The manager says that the unit's cgroup has no process. May come at any time, and more than once.
    pub(crate) fn cgroup_empty(&mut self, unit: UnitId) {
        match self.units[unit].machine {
            Machine::Socket(_) => return self.socket_cgroup_empty(unit),
            Machine::Mount(_) => return self.mount_cgroup_empty(unit),
            _ => {}
        }
        let Some(service) = self.service_mut(unit) else {
            return;
        };
        let known = service.main.is_some() || service.control.is_some();
        // With a process that is known and not signalled the report is older than that process.
        if known && !service.state.waits_for_end() {
            return;
        }
        service.empty = true;
        match service.state {
            ServiceState::Start => self.empty_while_starting(unit),
            ServiceState::Running => self.enter_running(unit),
            ServiceState::Reload | ServiceState::ReloadSignal | ServiceState::ReloadNotify
                if service.control.is_none() && service.main.is_none() =>
            {
                self.enter_running(unit);
            }
            _ => self.stop_progress(unit),
        }
    }

    pub(crate) fn arm_state_timer(&mut self, unit: UnitId, limit: Usec) {
        if limit.is_infinite() || limit == Usec::ZERO {
            self.cancel_state_timer(unit);
            return;
        }
        let at = self.now.monotonic.plus(limit);
        self.set_state_deadline(unit, Some(at));
    }
}
