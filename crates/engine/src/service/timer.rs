//! Time limits of services (semantics 4.5, 4.8).

use softboot_unit::{TimeoutFailureMode, Usec};

use crate::action::{Action, KillWhom, Level};
use crate::engine::Engine;
use crate::event::{TimerId, TimerKind, UnitId};
use crate::service::ServiceState;
use crate::state::ServiceResult;

const SIGKILL: i32 = 9;

impl Engine {
    pub(crate) fn set_state_deadline(&mut self, unit: UnitId, at: Option<Usec>) {
        let timer = TimerId {
            unit,
            kind: TimerKind::State,
        };
        let Some(service) = self.service_mut(unit) else {
            return;
        };
        let before = std::mem::replace(&mut service.state_deadline, at);
        match at {
            Some(at) => self.act(Action::ArmTimer { timer, at }),
            None if before.is_some() => self.act(Action::CancelTimer(timer)),
            None => {}
        }
    }

    pub(crate) fn cancel_state_timer(&mut self, unit: UnitId) {
        self.set_state_deadline(unit, None);
    }

    /// EXTEND_TIMEOUT_USEC=: the limit of the state and the watchdog, never earlier than they would be.
    pub(super) fn extend_timeout(&mut self, unit: UnitId, more: Usec) {
        let at = self.now.monotonic.plus(more);
        let Some(service) = self.service(unit) else { return };
        let earlier = |deadline: Option<Usec>| deadline.is_some_and(|deadline| deadline < at);
        let (state, watchdog) = (
            earlier(service.state_deadline),
            earlier(service.watchdog_deadline),
        );
        if state {
            self.set_state_deadline(unit, Some(at));
        }
        if watchdog {
            self.set_watchdog_deadline(unit, at);
        }
    }

    /// The interval in force; `None`: no watchdog.
    pub(crate) fn watchdog_interval(&self, unit: UnitId) -> Option<Usec> {
        let own = self.service(unit).and_then(|service| service.watchdog);
        let interval = own.or_else(|| self.service_section(unit).map(|section| section.watchdog))?;
        Some(interval).filter(|interval| *interval != Usec::ZERO && !interval.is_infinite())
    }

    pub(super) fn arm_watchdog(&mut self, unit: UnitId) {
        let Some(interval) = self.watchdog_interval(unit) else {
            self.cancel_watchdog(unit);
            return;
        };
        self.set_watchdog_deadline(unit, self.now.monotonic.plus(interval));
    }

    fn set_watchdog_deadline(&mut self, unit: UnitId, at: Usec) {
        if let Some(service) = self.service_mut(unit) {
            service.watchdog_deadline = Some(at);
            self.act(Action::ArmTimer {
                timer: TimerId {
                    unit,
                    kind: TimerKind::Watchdog,
                },
                at,
            });
        }
    }

    /// WATCHDOG=1, if it has begun to count.
    pub(super) fn rearm_watchdog(&mut self, unit: UnitId) {
        use ServiceState as S;
        let counts = matches!(
            self.service_state(unit),
            S::StartPost | S::Running | S::Reload | S::ReloadSignal | S::ReloadNotify | S::ReloadPost
        );
        if counts {
            self.arm_watchdog(unit);
        }
    }

    pub(crate) fn cancel_watchdog(&mut self, unit: UnitId) {
        let Some(service) = self.service_mut(unit) else {
            return;
        };
        if service.watchdog_deadline.take().is_some() {
            self.act(Action::CancelTimer(TimerId {
                unit,
                kind: TimerKind::Watchdog,
            }));
        }
    }

    pub(crate) fn watchdog_timeout(&mut self, unit: UnitId) {
        let now = self.now.monotonic;
        let due = self
            .service(unit)
            .and_then(|service| service.watchdog_deadline)
            .is_some_and(|at| at <= now);
        if due && self.ending.is_none() {
            self.watchdog_bites(unit);
        }
    }

    pub(crate) fn service_timeout(&mut self, unit: UnitId) {
        use ServiceState as S;
        let now = self.now.monotonic;
        let Some(service) = self.service(unit) else { return };
        if service.state_deadline.is_none_or(|at| at > now) {
            return;
        }
        let state = service.state;
        // Its deadline stays as it is: after a soft-reboot the restart is due at once.
        if state == S::AutoRestart {
            self.auto_restart_due(unit);
            return;
        }
        if let Some(service) = self.service_mut(unit) {
            service.state_deadline = None;
        }
        if state == S::Start && self.idle_over(unit) {
            return;
        }
        let Some(section) = self.service_section(unit) else {
            return;
        };
        let kills = section.kill.send_sigkill;
        let (start_mode, stop_mode) = (
            section.timeout_start_failure_mode,
            section.timeout_stop_failure_mode,
        );
        if state != S::AutoRestart {
            self.log(
                Level::Warning,
                Some(unit),
                format!("{} took too long", state.sub()),
            );
        }
        match state {
            S::Condition | S::StartPre | S::Start | S::StartPost => self.end_late(unit, start_mode),
            S::Stop => self.end_late(unit, stop_mode),
            S::Running => {
                if let Some(service) = self.service_mut(unit) {
                    service.note_result(ServiceResult::Timeout);
                }
                self.enter_stop(unit);
            }
            S::Reload | S::ReloadSignal | S::ReloadNotify | S::ReloadPost => {
                self.forget_control(unit);
                self.reload_ends(unit, true);
            }
            S::StopSigterm if stop_mode == TimeoutFailureMode::Abort => {
                self.enter_signal(unit, S::StopWatchdog, ServiceResult::Timeout);
            }
            S::StopWatchdog | S::StopSigterm if kills => {
                self.enter_signal(unit, S::StopSigkill, ServiceResult::Timeout);
            }
            S::StopWatchdog | S::StopSigterm | S::StopSigkill => self.leave_unkilled(unit),
            S::StopPost => match stop_mode {
                TimeoutFailureMode::Terminate => {
                    self.enter_signal(unit, S::FinalSigterm, ServiceResult::Timeout);
                }
                TimeoutFailureMode::Abort => {
                    self.enter_signal(unit, S::FinalWatchdog, ServiceResult::Timeout);
                }
                TimeoutFailureMode::Kill if kills => {
                    self.enter_signal(unit, S::FinalSigkill, ServiceResult::Timeout);
                }
                TimeoutFailureMode::Kill => self.dead_in_spite(unit, false),
            },
            S::FinalSigterm if stop_mode == TimeoutFailureMode::Abort => {
                self.enter_signal(unit, S::FinalWatchdog, ServiceResult::Timeout);
            }
            S::FinalWatchdog | S::FinalSigterm if kills => {
                self.enter_signal(unit, S::FinalSigkill, ServiceResult::Timeout);
            }
            S::FinalWatchdog | S::FinalSigterm => self.dead_in_spite(unit, false),
            S::Cleaning => self.interrupt_cleaning(unit, ServiceResult::Timeout, false),
            S::FinalSigkill => self.dead_in_spite(unit, true),
            _ => {}
        }
    }

    /// A start or an ExecStop= took too long (TimeoutStartFailureMode=, TimeoutStopFailureMode=).
    fn end_late(&mut self, unit: UnitId, mode: TimeoutFailureMode) {
        use ServiceState as S;
        let kills = self
            .service_section(unit)
            .is_some_and(|section| section.kill.send_sigkill);
        let state = match mode {
            TimeoutFailureMode::Terminate => S::StopSigterm,
            TimeoutFailureMode::Abort => S::StopWatchdog,
            TimeoutFailureMode::Kill if kills => S::StopSigkill,
            TimeoutFailureMode::Kill => return self.leave_unkilled(unit),
        };
        self.enter_signal(unit, state, ServiceResult::Timeout);
    }

    /// Nothing more can be done about what still runs.
    fn leave_unkilled(&mut self, unit: UnitId) {
        if let Some(service) = self.service_mut(unit) {
            service.note_result(ServiceResult::Timeout);
        }
        self.forget_control(unit);
        self.enter_stop_post(unit);
    }

    /// The run is over although something of it still runs; SIGKILL having been sent, another run may follow.
    fn dead_in_spite(&mut self, unit: UnitId, restart: bool) {
        if self.is_cleaning(unit) {
            // The run before has a result, and this was none.
            return self.end_cleaning(unit);
        }
        if let Some(service) = self.service_mut(unit) {
            service.note_result(ServiceResult::Timeout);
            service.forbid_restart |= !restart;
        }
        self.enter_dead(unit);
    }

    /// A control process that had its time is killed and no longer waited for. It stays in the process table until
    /// it has ended, so that the manager finds it.
    fn forget_control(&mut self, unit: UnitId) {
        let Some(service) = self.service_mut(unit) else {
            return;
        };
        if service.control.take().is_some() {
            self.kill(unit, KillWhom::Control, SIGKILL, false);
        }
    }
}
