//! DeferTrigger=: a request waits for a conflict to pass (semantics 1.10).

use softboot_unit::{DeferTrigger, Usec};

use crate::action::{Action, Level};
use crate::engine::{Engine, RetryFlag};
use crate::event::UnitId;
use crate::socket::SocketState;

impl Engine {
    pub(super) fn may_defer(&self, defer: DeferTrigger) -> bool {
        match defer {
            DeferTrigger::No => false,
            DeferTrigger::Yes => !self.jobs.is_empty(),
            DeferTrigger::Patient => true,
        }
    }

    pub(super) fn enter_deferred(&mut self, unit: UnitId, reason: &str) {
        if self.socket_state(unit) == SocketState::Deferred {
            return;
        }
        let limit = self
            .socket_section(unit)
            .map_or(Usec::INFINITY, |section| section.defer_trigger_max);
        self.log(
            Level::Info,
            Some(unit),
            format!("its service has to wait: {reason}"),
        );
        self.set_socket_deadline(unit, limit);
        self.deferred.insert(unit);
        self.act(Action::PollSockets { unit, on: false });
        self.set_socket_state(unit, SocketState::Deferred);
    }

    /// A client was waiting when this userspace began. A job for its service would be cancelled by the boot's, which
    /// isolates; it is queued right after that, in the same step. Nothing follows from it before: the socket is as active
    /// as it was, and what waits here crosses a handoff.
    pub(super) fn wait_for_boot(&mut self, unit: UnitId) {
        let now = self.now;
        let Some(socket) = self.socket_mut(unit) else {
            return;
        };
        socket.state = SocketState::Deferred;
        let changed = &mut self.units[unit];
        changed.changed_realtime = now.realtime;
        changed.changed_monotonic = now.monotonic;
        self.dirty.insert(unit);
        self.deferred.insert(unit);
        self.act(Action::PollSockets { unit, on: false });
    }

    /// Some unit stopped, or the last job is done.
    pub(crate) fn retry_is_due(&mut self) -> bool {
        if self.retry == RetryFlag::No || self.ending.is_some() {
            return false;
        }
        if self.deferred.is_empty() {
            // Nobody waits; the flag is raised again by the next change.
            self.retry = RetryFlag::No;
            return false;
        }
        self.retry == RetryFlag::Yes || self.jobs.is_empty()
    }

    /// Every deferred socket tries once.
    pub(crate) fn retry_deferred(&mut self) {
        self.retry = RetryFlag::No;
        for unit in self.deferred.clone() {
            if self.socket_state(unit) != SocketState::Deferred {
                continue;
            }
            if let Some(service) = self.triggered_unit(unit) {
                self.start_for_socket(unit, service);
            }
        }
    }
}
