//! The end of a run, and whether another follows (semantics 4.7, 3.7).

use softboot_unit::{FdStorePreserve, RestartPolicy, ServiceType};

use crate::action::Action;
use crate::engine::Engine;
use crate::event::{ExitStatus, UnitId};
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

    fn end_run(&mut self, unit: UnitId, failed: bool) {
        self.cancel_state_timer(unit);
        self.cancel_watchdog(unit);
        let restart = self.wants_restart(unit);
        let Some(section) = self.service_section(unit) else {
            return;
        };
        let preserve = section.fd_store_preserve;
        let delay = section.restart_delay;
        let keep_directories = section.exec.runtime_directory_preserve;
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
            self.set_service_state(unit, before);
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

    /// The table of semantics 4.7.
    fn wants_restart(&self, unit: UnitId) -> bool {
        let (Some(service), Some(section)) = (self.service(unit), self.service_section(unit)) else {
            return false;
        };
        let job = self.units[unit].job.and_then(|id| self.jobs.get(id));
        if service.forbid_restart || self.ending.is_some() || job.is_some_and(|job| job.kind == JobKind::Stop)
        {
            return false;
        }
        // A restart or start job that waits for this end does the same by itself.
        if job.is_some_and(|job| job.kind == JobKind::Restart) {
            return false;
        }
        if let Some(ExitStatus::Exited(code)) = service.main_status {
            if section.restart_prevent_codes.contains(&code) {
                return false;
            }
            let good_oneshot =
                section.service_type == ServiceType::Oneshot && service.result == ServiceResult::Success;
            if section.restart_force_codes.contains(&code) && !good_oneshot {
                return true;
            }
        }
        restarts(section.restart, service.result)
    }
}

/// Semantics 4.7.
fn restarts(policy: RestartPolicy, result: ServiceResult) -> bool {
    use RestartPolicy as P;
    use ServiceResult as R;
    match result {
        R::ExecCondition | R::StartLimitHit => false,
        R::Success => matches!(policy, P::Always | P::OnSuccess),
        R::ExitCode => matches!(policy, P::Always | P::OnFailure),
        R::Signal | R::CoreDump => matches!(policy, P::Always | P::OnFailure | P::OnAbnormal | P::OnAbort),
        R::Watchdog => matches!(policy, P::Always | P::OnFailure | P::OnAbnormal | P::OnWatchdog),
        R::Timeout | R::Resources | R::Protocol | R::OomKill => {
            matches!(policy, P::Always | P::OnFailure | P::OnAbnormal)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RestartPolicy as P;
    use ServiceResult as R;

    #[test]
    fn the_restart_table_of_semantics_4_7() {
        let policies = [
            P::No,
            P::Always,
            P::OnSuccess,
            P::OnFailure,
            P::OnAbnormal,
            P::OnAbort,
            P::OnWatchdog,
        ];
        let rows = [
            (R::Success, ".XX...."),
            (R::ExitCode, ".X.X..."),
            (R::Signal, ".X.XXX."),
            (R::CoreDump, ".X.XXX."),
            (R::Timeout, ".X.XX.."),
            (R::Watchdog, ".X.XX.X"),
            (R::Resources, ".X.XX.."),
            (R::Protocol, ".X.XX.."),
            (R::OomKill, ".X.XX.."),
            (R::ExecCondition, "......."),
        ];
        for (result, row) in rows {
            for (policy, mark) in policies.iter().zip(row.chars()) {
                assert_eq!(
                    restarts(*policy, result),
                    mark == 'X',
                    "{result:?} with {policy:?}"
                );
            }
        }
    }
}
