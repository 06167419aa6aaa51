//! Type=idle: the command is run when there are no other jobs, or after 5 s (semantics 4.2).

use softboot_unit::Usec;

use crate::action::ExecList;
use crate::engine::Engine;
use crate::event::UnitId;
use crate::service::ServiceState;
use crate::state::ServiceResult;

/// So that output of other services does not come between that of a console's.
const PATIENCE: Usec = Usec::from_secs(5);

impl Engine {
    pub(super) fn begin_to_idle(&mut self, unit: UnitId) {
        if let Some(service) = self.service_mut(unit) {
            service.idles = true;
        }
        self.arm_state_timer(unit, PATIENCE);
        self.idle.insert(unit);
        self.set_service_state(unit, ServiceState::Start);
    }

    /// There is nothing else to do: every idle service may begin. True if one did.
    pub(crate) fn end_idling(&mut self) -> bool {
        let units = std::mem::take(&mut self.idle);
        for unit in &units {
            if self.units.contains(*unit) {
                self.idle_over(*unit);
            }
        }
        !units.is_empty()
    }

    /// Its time has come. True if it still waited.
    pub(super) fn idle_over(&mut self, unit: UnitId) -> bool {
        self.idle.remove(&unit);
        let waited = self.service_mut(unit).is_some_and(|service| {
            std::mem::take(&mut service.idles) && service.state == ServiceState::Start
        });
        if !waited {
            return false;
        }
        self.cancel_state_timer(unit);
        if self.has_command(unit, ExecList::Start, 0) {
            self.run_main(unit, 0);
        } else {
            self.enter_signal(unit, ServiceState::StopSigterm, ServiceResult::Resources);
        }
        true
    }
}
