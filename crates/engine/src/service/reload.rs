//! Reload (semantics 4.6).

use softboot_unit::ServiceType;

use crate::action::{ExecList, KillWhom};
use crate::engine::Engine;
use crate::event::UnitId;
use crate::jobs::Begun;
use crate::service::{Said, ServiceState};

impl Engine {
    pub(crate) fn reload_service(&mut self, unit: UnitId) -> Begun {
        let now = self.now.monotonic;
        if let Some(service) = self.service_mut(unit) {
            service.reload_failed = false;
            service.reload_begin = now;
            // What it says from now on is about this reload.
            service.said = Said::Nothing;
        }
        if !self.run_list(unit, ExecList::Reload) {
            self.send_reload_signal(unit);
        }
        Begun::Running
    }

    pub(super) fn reload_command_done(&mut self, unit: UnitId, good: bool) {
        if !good {
            self.reload_ends(unit, true);
        } else if self.service_type(unit) == ServiceType::NotifyReload {
            self.send_reload_signal(unit);
        } else {
            self.enter_reload_post(unit);
        }
    }

    /// The service has reloaded; what is left to do are our commands.
    pub(super) fn enter_reload_post(&mut self, unit: UnitId) {
        if !self.run_list(unit, ExecList::ReloadPost) {
            self.reload_ends(unit, false);
        }
    }

    fn send_reload_signal(&mut self, unit: UnitId) {
        let (main, said) = self
            .service(unit)
            .map_or((false, Said::Nothing), |s| (s.main.is_some(), s.said));
        // It began, and ended, while ExecReload= was still running (semantics 4.6).
        if !main || said == Said::Ready {
            self.enter_reload_post(unit);
            return;
        }
        let limit = self
            .service_section(unit)
            .map_or(softboot_unit::Usec::INFINITY, |section| section.timeout_start);
        self.arm_state_timer(unit, limit);
        if said == Said::Reloading {
            self.set_service_state(unit, ServiceState::ReloadNotify);
            return;
        }
        let signal = self
            .service_section(unit)
            .map_or(1, |section| section.reload_signal);
        self.kill(unit, KillWhom::Main, signal, false);
        self.set_service_state(unit, ServiceState::ReloadSignal);
    }

    /// Back to running, or wherever the main process's state leads.
    pub(super) fn reload_ends(&mut self, unit: UnitId, failed: bool) {
        if let Some(service) = self.service_mut(unit) {
            service.reload_failed = failed;
            if service.said == Said::Reloading {
                service.said = Said::Nothing;
            }
        }
        self.enter_running(unit);
        self.main_may_have_changed(unit);
    }

    /// RELOADING=1 without having been asked.
    pub(super) fn announced_reload(&mut self, unit: UnitId) {
        let now = self.now.monotonic;
        if let Some(service) = self.service_mut(unit) {
            service.reload_begin = now;
            service.reload_failed = false;
        }
        let limit = self
            .service_section(unit)
            .map_or(softboot_unit::Usec::INFINITY, |section| section.timeout_start);
        self.arm_state_timer(unit, limit);
        self.set_service_state(unit, ServiceState::ReloadNotify);
        for partner in self.units[unit]
            .partners(crate::units::Relation::PropagatesReloadTo)
            .to_vec()
        {
            self.enqueue_quietly(
                crate::state::JobKind::TryReload,
                partner,
                softboot_unit::JobMode::Fail,
            );
        }
    }
}
