//! Opening, listening, closing (semantics 1.7).

use softboot_unit::{LoadState, Usec};

use crate::action::{Action, ExecList, Level};
use crate::engine::Engine;
use crate::event::{TimerId, TimerKind, UnitId};
use crate::jobs::Begun;
use crate::socket::SocketState;
use crate::state::{JobResult, SocketResult};

impl Engine {
    pub(crate) fn start_socket(&mut self, unit: UnitId) -> Begun {
        if matches!(
            self.socket_state(unit),
            SocketState::StartPre | SocketState::StartOpen | SocketState::StartPost
        ) {
            return Begun::Running;
        }
        let Some(section) = self.socket_section(unit) else {
            return Begun::Over(JobResult::Failed);
        };
        let (service, accept) = (section.service.clone(), section.accept);
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
        if !allowed {
            // Entered, so that a failure is a step from activating to failed (OnFailure=).
            self.set_socket_state(unit, SocketState::StartOpen);
            self.socket_fails(unit, SocketResult::StartLimitHit);
        } else if !self.run_socket_list(unit, ExecList::StartPre, SocketState::StartPre) {
            self.open_the_ports(unit);
        }
        Begun::Running
    }

    pub(super) fn open_the_ports(&mut self, unit: UnitId) {
        let limit = self
            .socket_section(unit)
            .map_or(Usec::INFINITY, |section| section.timeout);
        // Always entered, for the same reason.
        self.set_socket_state(unit, SocketState::StartOpen);
        self.set_socket_deadline(unit, limit);
        self.act(Action::OpenSockets { unit });
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
        if self.socket_state(unit) == SocketState::StartOpen
            && !self.run_socket_list(unit, ExecList::StartPost, SocketState::StartPost)
        {
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
        if !self.rests(unit) {
            self.act(Action::PollSockets { unit, on: true });
        }
        self.set_socket_state(unit, SocketState::Listening);
    }

    /// A stop job (semantics 1.7).
    pub(crate) fn stop_socket(&mut self, unit: UnitId) {
        use SocketState as S;
        match self.socket_state(unit) {
            S::StartPre | S::StartOpen | S::StartPost => {
                self.rest(unit);
                self.enter_socket_signal(unit, S::StopPreSigterm, SocketResult::Success);
            }
            S::Listening | S::Deferred | S::Running => self.socket_fails(unit, SocketResult::Success),
            _ => {}
        }
    }

    /// The way down, with what it is for: success for a stop job.
    pub(super) fn socket_fails(&mut self, unit: UnitId, result: SocketResult) {
        self.note_socket_result(unit, result);
        self.rest(unit);
        if !self.run_socket_list(unit, ExecList::Stop, SocketState::StopPre) {
            self.enter_socket_signal(unit, SocketState::StopPreSigterm, SocketResult::Success);
        }
    }

    /// Nothing is waited for on the ports any more.
    fn rest(&mut self, unit: UnitId) {
        self.set_socket_deadline(unit, Usec::INFINITY);
        self.deferred.remove(&unit);
        self.act(Action::PollSockets { unit, on: false });
    }

    pub(super) fn enter_socket_stop_post(&mut self, unit: UnitId) {
        self.act(Action::CloseSockets { unit });
        if !self.run_socket_list(unit, ExecList::StopPost, SocketState::StopPost) {
            self.enter_socket_signal(unit, SocketState::FinalSigterm, SocketResult::Success);
        }
    }

    /// Nothing of it is left.
    pub(super) fn socket_is_down(&mut self, unit: UnitId) {
        self.set_socket_deadline(unit, Usec::INFINITY);
        let Some(socket) = self.socket(unit) else { return };
        let state = if socket.result == SocketResult::Success {
            SocketState::Dead
        } else {
            SocketState::Failed
        };
        self.release_control(unit);
        self.set_socket_state(unit, state);
    }

    /// The first bad result of a run stays.
    pub(super) fn note_socket_result(&mut self, unit: UnitId, result: SocketResult) {
        if let Some(socket) = self.socket_mut(unit)
            && socket.result == SocketResult::Success
        {
            socket.result = result;
        }
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
        let state = self.socket_state(unit);
        if !due
            || matches!(
                state,
                SocketState::Dead | SocketState::Failed | SocketState::Listening | SocketState::Running
            )
        {
            return;
        }
        if let Some(socket) = self.socket_mut(unit) {
            socket.deadline = None;
        }
        self.log(Level::Error, Some(unit), format!("{} took too long", state.sub()));
        self.socket_took_too_long(unit);
    }
}
