//! The main process ended, or it is to be decided whether the service runs (semantics 4.4).

use softboot_unit::{ExitType, NotifyAccess, ServiceType};

use crate::action::ExecList;
use crate::engine::Engine;
use crate::event::UnitId;
use crate::service::{Process, Said, ServiceState};
use crate::state::ServiceResult;

impl Engine {
    pub(super) fn main_exited(&mut self, unit: UnitId, main: Process, result: ServiceResult) {
        let kind = self.service_type(unit);
        let Some(service) = self.service_mut(unit) else {
            return;
        };
        service.note_result(result);
        let good = result == ServiceResult::Success;
        let state = service.state;
        let (control, empty) = (service.control.is_some(), service.empty);
        let exit_type = self.exit_type(unit);
        if state == ServiceState::Start && kind == ServiceType::Oneshot {
            let next = main.index.saturating_add(1);
            if good && self.has_command(unit, ExecList::Start, next) {
                self.run_main(unit, next);
            } else if good {
                self.enter_start_post(unit);
            } else {
                self.enter_signal(unit, ServiceState::StopSigterm, result);
            }
            return;
        }
        // The service goes on as long as anything of it runs. The end of its cgroup is reported after this.
        if exit_type == ExitType::Cgroup && kind != ServiceType::Oneshot && !empty {
            return;
        }
        if control {
            // Its command goes on; what it does next depends on the result noted here.
            return;
        }
        match state {
            // Notify: an end before READY=1 is a broken promise. Others: it never came so far as to run.
            ServiceState::Start
                if matches!(kind, ServiceType::Notify | ServiceType::NotifyReload) && good =>
            {
                if self.another_may_be_ready(unit) && !empty {
                    return;
                }
                self.enter_signal(unit, ServiceState::StopSigterm, ServiceResult::Protocol);
            }
            ServiceState::Start if !good => self.enter_signal(unit, ServiceState::StopSigterm, result),
            ServiceState::Start
            | ServiceState::StartPost
            | ServiceState::Running
            | ServiceState::ReloadSignal
            | ServiceState::ReloadNotify
            | ServiceState::ReloadPost => self.enter_running(unit),
            _ => self.stop_progress(unit),
        }
    }

    /// RemainAfterExit= and NotifyAccess= let another process of the cgroup say READY=1 (semantics 4.3).
    fn another_may_be_ready(&self, unit: UnitId) -> bool {
        let remains = self
            .service_section(unit)
            .is_some_and(|section| section.remain_after_exit);
        remains && self.notify_access(unit) != Some(NotifyAccess::Main)
    }

    fn exit_type(&self, unit: UnitId) -> ExitType {
        self.service_section(unit)
            .map_or(ExitType::Main, |section| section.exit_type)
    }

    /// Decides anew whether the service runs.
    pub(super) fn enter_running(&mut self, unit: UnitId) {
        let Some(service) = self.service(unit) else { return };
        // As long as nobody knows which process is main, any process in the cgroup will do.
        let any = !service.main_known || self.exit_type(unit) == ExitType::Cgroup;
        let lives = service.main.is_some() || (any && !service.empty);
        let (result, said, adopted) = (service.result, service.said, service.state);
        let remains = self
            .service_section(unit)
            .is_some_and(|section| section.remain_after_exit);
        if result != ServiceResult::Success {
            self.enter_signal(unit, ServiceState::StopSigterm, result);
        } else if lives {
            if adopted != ServiceState::Running {
                let limit = self.runtime_limit(unit);
                self.arm_state_timer(unit, limit);
            }
            self.set_service_state(unit, ServiceState::Running);
            match said {
                Said::Stopping => self.announced_stop(unit),
                Said::Reloading => self.announced_reload(unit),
                _ => {}
            }
        } else if remains {
            self.cancel_state_timer(unit);
            self.set_service_state(unit, ServiceState::Exited);
        } else {
            self.enter_stop(unit);
        }
    }
}
