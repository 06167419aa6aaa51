//! Opening, listening, closing (semantics 1.7).

use softboot_unit::{LoadState, Usec};

use crate::action::{Action, Level};
use crate::engine::Engine;
use crate::event::{TimerId, TimerKind, UnitId};
use crate::jobs::Begun;
use crate::socket::SocketState;
use crate::state::{JobResult, SocketResult};

impl Engine {
    pub(crate) fn start_socket(&mut self, unit: UnitId) -> Begun {
        if self.socket_state(unit) == SocketState::StartOpen {
            return Begun::Running;
        }
        let Some(section) = self.socket_section(unit) else {
            return Begun::Over(JobResult::Failed);
        };
        let (service, accept, limit) = (section.service.clone(), section.accept, section.timeout);
        if !accept && let Err(reason) = self.may_listen_for(&service) {
            self.log(Level::Error, Some(unit), reason);
            return Begun::Over(JobResult::Failed);
        }
        let start_limit = self.units[unit].definition.unit.start_limit;
        let now = self.now.boottime;
        let allowed = self.units[unit].start_limit.allow(start_limit, now);
        let Some(socket) = self.socket_mut(unit) else {
            return Begun::Over(JobResult::Failed);
        };
        socket.result = SocketResult::Success;
        // Always entered, so that a failure is a step from activating to failed (OnFailure=).
        self.set_socket_state(unit, SocketState::StartOpen);
        if allowed {
            self.set_socket_deadline(unit, limit);
            self.act(Action::OpenSockets { unit });
        } else {
            self.socket_fails(unit, SocketResult::StartLimitHit);
        }
        Begun::Running
    }

    /// Traffic must not be waited for on behalf of a service that runs without these ports.
    fn may_listen_for(&self, service: &softboot_unit::UnitName) -> Result<(), String> {
        let Some(id) = self.units.find(service) else {
            return Err(format!("cannot listen: its service {service} is not there"));
        };
        let known = &self.units[id];
        if known.definition.load != LoadState::Loaded {
            let load = known.definition.load.word();
            return Err(format!("cannot listen: its service {service} is {load}"));
        }
        let gone = known.service().is_none_or(|service| {
            service.state.active().is_inactive_ish()
                || matches!(
                    service.state,
                    crate::service::ServiceState::AutoRestart
                        | crate::service::ServiceState::AutoRestartQueued
                )
        });
        if gone {
            return Ok(());
        }
        Err(format!(
            "cannot listen: its service {service} is already active; stop it first"
        ))
    }

    pub(crate) fn socket_opened(&mut self, unit: UnitId) {
        if self.socket_state(unit) == SocketState::StartOpen {
            self.enter_listening(unit);
        }
    }

    pub(crate) fn socket_open_failed(&mut self, unit: UnitId, error: &str) {
        if self.socket_state(unit) == SocketState::StartOpen {
            self.log(Level::Error, Some(unit), format!("cannot listen: {error}"));
            self.socket_fails(unit, SocketResult::Resources);
        }
    }

    pub(crate) fn socket_broken(&mut self, unit: UnitId, error: &str) {
        if matches!(
            self.socket_state(unit),
            SocketState::Listening | SocketState::Deferred | SocketState::Running
        ) {
            self.log(Level::Error, Some(unit), format!("a port is broken: {error}"));
            self.socket_fails(unit, SocketResult::Resources);
        }
    }

    pub(super) fn enter_listening(&mut self, unit: UnitId) {
        self.set_socket_deadline(unit, Usec::INFINITY);
        self.deferred.remove(&unit);
        let flush = self
            .socket_section(unit)
            .is_some_and(|section| section.flush_pending && !section.accept);
        if flush {
            self.act(Action::FlushSockets { unit });
        }
        if self.ending.is_none() {
            self.act(Action::PollSockets { unit, on: true });
        }
        self.set_socket_state(unit, SocketState::Listening);
    }

    pub(crate) fn stop_socket(&mut self, unit: UnitId) {
        self.close_socket(unit);
        let failed = self
            .socket(unit)
            .is_some_and(|socket| socket.result != SocketResult::Success);
        self.set_socket_state(
            unit,
            if failed {
                SocketState::Failed
            } else {
                SocketState::Dead
            },
        );
    }

    pub(super) fn socket_fails(&mut self, unit: UnitId, result: SocketResult) {
        self.close_socket(unit);
        if let Some(socket) = self.socket_mut(unit)
            && socket.result == SocketResult::Success
        {
            socket.result = result;
        }
        self.set_socket_state(unit, SocketState::Failed);
    }

    fn close_socket(&mut self, unit: UnitId) {
        self.set_socket_deadline(unit, Usec::INFINITY);
        self.deferred.remove(&unit);
        self.act(Action::PollSockets { unit, on: false });
        self.act(Action::CloseSockets { unit });
    }

    /// Arms the state timer, or with "never" cancels it.
    pub(super) fn set_socket_deadline(&mut self, unit: UnitId, limit: Usec) {
        let none = limit.is_infinite() || limit == Usec::ZERO;
        let at = (!none).then(|| self.now.monotonic.plus(limit));
        let timer = TimerId {
            unit,
            kind: TimerKind::State,
        };
        let Some(socket) = self.socket_mut(unit) else {
            return;
        };
        let before = std::mem::replace(&mut socket.deadline, at);
        match at {
            Some(at) => self.act(Action::ArmTimer { timer, at }),
            None if before.is_some() => self.act(Action::CancelTimer(timer)),
            None => {}
        }
    }

    pub(crate) fn socket_timeout(&mut self, unit: UnitId) {
        let now = self.now.monotonic;
        let due = self
            .socket(unit)
            .and_then(|socket| socket.deadline)
            .is_some_and(|at| at <= now);
        if due
            && matches!(
                self.socket_state(unit),
                SocketState::StartOpen | SocketState::Deferred
            )
        {
            self.log(
                Level::Error,
                Some(unit),
                format!("{} took too long", self.socket_state(unit).sub()),
            );
            self.socket_fails(unit, SocketResult::Timeout);
        }
    }
}
