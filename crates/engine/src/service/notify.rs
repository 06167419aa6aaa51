//! Notifications (semantics 3.2, 3.4).

use softboot_unit::{NotifyAccess, ServiceType, Usec};

use crate::action::Level;
use crate::engine::Engine;
use crate::event::{Notification, Sender, UnitId};
use crate::service::{Said, ServiceState};
use crate::state::{ActiveState, ServiceResult};

impl Engine {
    /// Who may notify for this service: what it said itself in this run, else its setting. `None`: no service.
    pub fn notify_access(&self, unit: UnitId) -> Option<NotifyAccess> {
        let service = self.service(unit)?;
        service
            .access
            .or_else(|| self.service_section(unit).map(|section| section.notify_access))
    }

    pub(crate) fn notified(&mut self, unit: UnitId, sender: Sender, message: Notification) {
        let allowed = match self.notify_access(unit) {
            None | Some(NotifyAccess::None) => false,
            Some(NotifyAccess::Main) => sender == Sender::Main,
            Some(NotifyAccess::Exec) => sender != Sender::Other,
            Some(NotifyAccess::All) => true,
        };
        if !allowed {
            self.log(
                Level::Warning,
                Some(unit),
                "notification refused: NotifyAccess= does not allow its sender",
            );
            return;
        }
        self.dirty.insert(unit);
        self.notified_state(unit, &message);
        let Some(service) = self.service_mut(unit) else {
            return;
        };
        if let Some(status) = message.status {
            service.status_text = Some(status).filter(|text| !text.is_empty());
        }
        if message.access.is_some() {
            service.access = message.access;
        }
        if message.errno.is_some() {
            service.errno = message.errno;
        }
        if message.error_name.is_some() {
            service.error_name = message.error_name;
        }
        // One that starts has not shown yet that it works.
        if message.restart_reset && service.state.active() != ActiveState::Activating {
            service.restarts = 0;
        }
        if let Some(more) = message.extend_timeout.filter(|more| *more != Usec::ZERO) {
            self.extend_timeout(unit, more);
        }
        if let Some(interval) = message.watchdog_interval {
            if let Some(service) = self.service_mut(unit) {
                service.watchdog = Some(interval);
            }
            self.rearm_watchdog(unit);
        }
        if message.watchdog {
            self.rearm_watchdog(unit);
        }
        if message.watchdog_trigger {
            self.watchdog_bites(unit);
        }
    }

    /// STOPPING=1 goes before READY=1 and RELOADING=1.
    fn notified_state(&mut self, unit: UnitId, message: &Notification) {
        let Some(service) = self.service(unit) else { return };
        let (state, said, begin) = (service.state, service.said, service.reload_begin);
        if said == Said::Stopping {
            return;
        }
        if message.stopping {
            self.say(unit, Said::Stopping);
            if matches!(
                state,
                ServiceState::Running | ServiceState::ReloadSignal | ServiceState::ReloadNotify
            ) {
                self.announced_stop(unit);
            }
            return;
        }
        let asked = message.monotonic.is_some_and(|at| at >= begin);
        if message.reloading {
            self.say(unit, Said::Reloading);
            match state {
                ServiceState::ReloadSignal if asked => {
                    self.set_service_state(unit, ServiceState::ReloadNotify)
                }
                ServiceState::Running if !message.ready => self.announced_reload(unit),
                _ => {}
            }
        }
        // In the middle of a reload only the READY=1 after a RELOADING=1 is about it.
        let stale = state == ServiceState::Reload
            && self
                .service(unit)
                .is_some_and(|service| service.said != Said::Reloading);
        if message.ready && !stale {
            self.say(unit, Said::Ready);
            let notifies = matches!(
                self.service_type(unit),
                ServiceType::Notify | ServiceType::NotifyReload
            );
            match self.service_state(unit) {
                ServiceState::Start if notifies && message.dies_of_reload => {
                    self.log(
                        Level::Error,
                        Some(unit),
                        "Type=notify-reload, and its main process would die of ReloadSignal=",
                    );
                    self.enter_signal(unit, ServiceState::StopSigterm, ServiceResult::Protocol);
                }
                ServiceState::Start if notifies => self.enter_start_post(unit),
                ServiceState::ReloadNotify => self.enter_reload_post(unit),
                _ => {}
            }
        }
    }

    fn say(&mut self, unit: UnitId, said: Said) {
        if let Some(service) = self.service_mut(unit) {
            service.said = said;
        }
    }

    /// It stops by itself: the time limit runs, but no signal is sent.
    pub(super) fn announced_stop(&mut self, unit: UnitId) {
        let limit = self
            .service_section(unit)
            .map_or(Usec::INFINITY, |section| section.timeout_stop);
        self.cancel_watchdog(unit);
        self.arm_state_timer(unit, limit);
        self.set_service_state(unit, ServiceState::StopSigterm);
    }

    /// WATCHDOG=trigger, or its time is over.
    pub(super) fn watchdog_bites(&mut self, unit: UnitId) {
        if self.units[unit].active() == ActiveState::Deactivating || !self.units[unit].is_up() {
            return;
        }
        self.log(Level::Error, Some(unit), "the watchdog was not fed");
        self.enter_signal(unit, ServiceState::StopWatchdog, ServiceResult::Watchdog);
    }
}
