//! The end of a run (semantics 4.7, 3.7).

use softboot_unit::{DirectoryPreserve, FdStorePreserve, RestartMode};

use crate::action::Action;
use crate::engine::Engine;
use crate::event::{TimerId, TimerKind, UnitId};
use crate::service::ServiceState;
use crate::state::{JobKind, ServiceResult};

impl Engine {
    /// Nothing of the run is left.
    pub(crate) fn enter_dead(&mut self, unit: UnitId) {
        if self.is_cleaning(unit) {
            return self.end_cleaning(unit);
        }
        let failed = self.service(unit).is_some_and(|service| {
            !matches!(
                service.result,
                ServiceResult::Success | ServiceResult::ExecCondition
            )
        });
        self.end_run(unit, failed);
    }

    /// A stop between two runs: inactive at once, however the run before ended (semantics 4.7).
    pub(crate) fn leave_auto_restart(&mut self, unit: UnitId) {
        self.end_run(unit, false);
    }

    /// A job of a service between two runs is gone. Was it that of the automatic restart, nothing else would ever start
    /// the service: there is no other run. Was it a stop that the restart had to wait for, the restart is due.
    pub(crate) fn between_runs_without_job(&mut self, unit: UnitId) {
        if self.units[unit].job.is_some() {
            return;
        }
        let (now, ending) = (self.now.monotonic, self.ending.is_some());
        let Some(service) = self.service_mut(unit) else {
            return;
        };
        match (service.state, service.state_deadline) {
            (ServiceState::AutoRestartQueued, _) => {
                service.forbid_restart = true;
                self.leave_auto_restart(unit);
            }
            (ServiceState::AutoRestart, Some(at)) if at <= now && !ending => {
                let kind = TimerKind::State;
                self.act(Action::ArmTimer {
                    timer: TimerId { unit, kind },
                    at,
                });
            }
            _ => {}
        }
    }

    fn end_run(&mut self, unit: UnitId, failed: bool) {
        self.cancel_state_timer(unit);
        self.cancel_watchdog(unit);
        let restart = self.wants_restart(unit);
        let Some(section) = self.service_section(unit) else {
            return;
        };
        let preserve = section.fd_store_preserve;
        let mode = section.restart_settings.mode;
        let delay = self.restart_delay(unit);
        let kept = section.exec.runtime_directory_kept;
        let restart_job = self.units[unit]
            .job
            .and_then(|id| self.jobs.get(id))
            .is_some_and(|job| job.kind == JobKind::Restart);
        let keep_directories = section.exec.runtime_directory_preserve
            || (kept == DirectoryPreserve::Restart && (restart_job || restart));
        let has_directories = !section.exec.runtime_directory.is_empty();
        let Some(service) = self.service_mut(unit) else {
            return;
        };
        let left: Vec<_> = [service.main.take(), service.control.take()]
            .into_iter()
            .flatten()
            .collect();
        service.access = None;
        service.status_text = None;
        let pinned = service.stored_fds > 0
            && (preserve == FdStorePreserve::Yes || (preserve == FdStorePreserve::OnSuccess && !failed));
        let stored = service.stored_fds > 0;
        for process in left {
            self.processes.remove(&process.id);
        }
        if stored && preserve == FdStorePreserve::No {
            self.act(Action::ReleaseFdStore { unit });
        }
        if restart {
            if has_directories && !keep_directories {
                self.act(Action::RemoveRuntimeDirectories { unit });
            }
            let before = if failed {
                ServiceState::FailedBeforeAutoRestart
            } else {
                ServiceState::DeadBeforeAutoRestart
            };
            if mode != RestartMode::Direct {
                self.set_service_state(unit, before);
            }
            // An OnFailure= job may be on its way; the hold-off begins now all the same.
            let at = self.now.monotonic.plus(delay);
            self.set_state_deadline(unit, Some(at));
            self.set_service_state(unit, ServiceState::AutoRestart);
            return;
        }
        self.act(Action::Release {
            unit,
            runtime_directories: !keep_directories,
        });
        self.set_service_state(
            unit,
            match (failed, pinned) {
                (true, _) => ServiceState::Failed,
                (false, true) => ServiceState::DeadResourcesPinned,
                (false, false) => ServiceState::Dead,
            },
        );
    }
}
