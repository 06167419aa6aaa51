//! Services whose start command ends and leaves a daemon behind (Type=forking, semantics 4.2 and 4.3).

use softboot_unit::ServiceType;

use crate::action::Action;
use crate::engine::Engine;
use crate::event::UnitId;
use crate::service::ServiceState;
use crate::state::ServiceResult;

impl Engine {
    /// The start command has ended well, and the daemon it left is not known yet.
    pub fn waits_for_main(&self, unit: UnitId) -> bool {
        self.units.contains(unit)
            && self.service_type(unit) == ServiceType::Forking
            && self.service(unit).is_some_and(|service| {
                service.state == ServiceState::Start && service.main.is_none() && service.control.is_none()
            })
    }

    fn has_pid_file(&self, unit: UnitId) -> bool {
        self.service_section(unit)
            .is_some_and(|section| section.pid_file.is_some())
    }

    pub(super) fn find_main(&mut self, unit: UnitId) {
        self.act(Action::FindMain { unit });
    }

    /// A daemon that replaces itself on reload writes its PID file anew.
    pub(super) fn main_may_have_changed(&mut self, unit: UnitId) {
        if self.service_state(unit) == ServiceState::Running && self.has_pid_file(unit) {
            self.find_main(unit);
        }
    }

    /// A main process was just adopted; if that was waited for, the start goes on.
    pub(super) fn main_found(&mut self, unit: UnitId) {
        let waited = self.service_type(unit) == ServiceType::Forking
            && self
                .service(unit)
                .is_some_and(|service| service.state == ServiceState::Start && service.control.is_none());
        if waited {
            self.enter_start_post(unit);
        }
    }

    pub(crate) fn main_unknown(&mut self, unit: UnitId, waits: bool) {
        if !self.waits_for_main(unit) {
            return;
        }
        if !waits {
            // Without a main process the service lives as long as its cgroup has a process.
            self.enter_start_post(unit);
        } else if self.service(unit).is_some_and(|service| service.empty) {
            self.empty_while_starting(unit);
        }
    }

    /// Nothing is left that could write the PID file, or say READY=1.
    pub(super) fn empty_while_starting(&mut self, unit: UnitId) {
        let notifies = matches!(
            self.service_type(unit),
            ServiceType::Notify | ServiceType::NotifyReload
        ) && self
            .service(unit)
            .is_some_and(|service| service.main.is_none() && service.control.is_none());
        if notifies || (self.waits_for_main(unit) && self.has_pid_file(unit)) {
            self.enter_signal(unit, ServiceState::StopSigterm, ServiceResult::Protocol);
        }
    }
}
