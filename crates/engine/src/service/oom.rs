//! The kernel killed a process of the service for want of memory (OOMPolicy=, semantics 4.8).

use softboot_unit::OomPolicy;

use crate::action::Level;
use crate::engine::Engine;
use crate::event::UnitId;
use crate::service::ServiceState;
use crate::state::ServiceResult;

impl Engine {
    pub(crate) fn oom_killed(&mut self, unit: UnitId) {
        let Some(section) = self.service_section(unit) else {
            return;
        };
        // Who runs processes of others below itself decides about them itself.
        let policy = section.oom_policy.unwrap_or(if section.delegate {
            OomPolicy::Continue
        } else {
            OomPolicy::Stop
        });
        self.log(
            Level::Error,
            Some(unit),
            "the kernel killed a process of this unit for want of memory",
        );
        // At the end of userspace survivors get no signal, and everything else is killed anyway.
        if self.ending.is_some() {
            return;
        }
        use ServiceState as S;
        let state = match policy {
            OomPolicy::Continue => return,
            OomPolicy::Stop => S::StopSigterm,
            OomPolicy::Kill => S::StopSigkill,
        };
        match self.service_state(unit) {
            S::Condition
            | S::StartPre
            | S::Start
            | S::StartPost
            | S::Running
            | S::Reload
            | S::ReloadSignal
            | S::ReloadNotify
            | S::ReloadPost => self.enter_signal(unit, state, ServiceResult::OomKill),
            S::Exited | S::Stop | S::StopWatchdog | S::StopSigterm | S::StopSigkill | S::StopPost => {
                if let Some(service) = self.service_mut(unit) {
                    service.note_result(ServiceResult::OomKill);
                }
            }
            _ => {}
        }
    }
}
