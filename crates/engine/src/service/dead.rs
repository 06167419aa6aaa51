//! The end of a run (semantics 4.7, 3.7).

use softboot_unit::{DirectoryPreserve, FdStorePreserve, RestartMode};

use crate::action::Action;
use crate::engine::Engine;
use crate::event::UnitId;
use crate::service::ServiceState;
use crate::state::{JobKind, ServiceResult};

impl Engine {
    /// Nothing of the run is left.
    pub(crate) fn enter_dead(&mut self, unit: UnitId) {
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

    /// The job of an automatic restart is gone, and nothing else would ever start the service: there is no other run.
    pub(crate) fn restart_given_up(&mut self, unit: UnitId) {
        if self.service_state(unit) == ServiceState::AutoRestartQueued && self.units[unit].job.is_none() {
            if let Some(service) = self.service_mut(unit) {
                service.forbid_restart = true;
            }
            self.leave_auto_restart(unit);
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
        let keep_directories =
            section.exec.runtime_directory_preserve || (kept == DirectoryPreserve::Restart && restart_job);
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
