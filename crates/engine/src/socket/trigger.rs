//! Traffic starts the service (semantics 1.8), and the service's fate comes back (1.9).

use softboot_unit::{DeferTrigger, JobMode};

use crate::action::{Action, Level, RequestError};
use crate::engine::Engine;
use crate::event::UnitId;
use crate::service::ServiceState;
use crate::socket::SocketState;
use crate::state::{JobKind, ServiceResult, SocketResult};
use crate::units::Relation;

impl Engine {
    /// The unit that an Accept=no socket starts.
    pub(super) fn triggered_unit(&self, unit: UnitId) -> Option<UnitId> {
        self.socket_section(unit)
            .and_then(|section| self.units.find(&section.service))
    }

    pub(super) fn has_job_of(&self, unit: UnitId, kinds: &[JobKind]) -> bool {
        self.units[unit]
            .job
            .and_then(|id| self.jobs.get(id))
            .is_some_and(|job| kinds.contains(&job.kind))
    }

    pub(crate) fn socket_readable(&mut self, unit: UnitId) {
        if let Some(ending) = &mut self.ending {
            // Whoever comes after takes it from the backlog.
            ending.rested.insert(unit);
            self.act(Action::PollSockets { unit, on: false });
            return;
        }
        if self.socket_state(unit) != SocketState::Listening {
            return;
        }
        if self.has_job_of(unit, &[JobKind::Stop]) {
            self.act(Action::FlushSockets { unit });
            return;
        }
        // Once a userspace, so no limit is needed, and a socket that fails now would change what the boot finds.
        if self.is_between_userspaces() {
            self.wait_for_boot(unit);
            return;
        }
        if !self.trigger_allowed(unit) {
            return;
        }
        self.enter_running_socket(unit);
    }

    /// Counts one trigger; a socket that is triggered too often fails.
    pub(super) fn trigger_allowed(&mut self, unit: UnitId) -> bool {
        let Some(limit) = self.socket_section(unit).map(|section| section.trigger_limit) else {
            return false;
        };
        let now = self.now.boottime;
        let Some(socket) = self.socket_mut(unit) else {
            return false;
        };
        if socket.trigger_limit.allow(limit, now) {
            return true;
        }
        socket.refused = socket.refused.saturating_add(1);
        self.log(
            Level::Error,
            Some(unit),
            "triggered too often in too short a time, so it stops listening",
        );
        self.socket_fails(unit, SocketResult::TriggerLimitHit);
        false
    }

    fn enter_running_socket(&mut self, unit: UnitId) {
        let triggers = self.units[unit].partners(Relation::Triggers).to_vec();
        let pending = triggers.iter().any(|service| {
            self.units[*service].is_up()
                || self.has_job_of(
                    *service,
                    &[JobKind::Start, JobKind::Restart, JobKind::VerifyActive],
                )
        });
        if pending {
            self.socket_runs(unit);
            return;
        }
        let Some(service) = self.triggered_unit(unit) else {
            self.log(Level::Error, Some(unit), "the service it listens for is gone");
            self.socket_fails(unit, SocketResult::Resources);
            return;
        };
        self.start_for_socket(unit, service);
    }

    /// The start job, and what a refusal means. Also each retry of a deferred socket.
    pub(super) fn start_for_socket(&mut self, unit: UnitId, service: UnitId) {
        let defer = self.defer_trigger(unit);
        let mode = if defer == DeferTrigger::No {
            JobMode::Replace
        } else {
            JobMode::Lenient
        };
        match self.enqueue(JobKind::Start, service, mode, None) {
            Ok(job) => {
                // Beside a boot others have their turn after it: nobody waits for them yet.
                self.jobs.hurry(job);
                self.socket_runs(unit);
            }
            Err(RequestError::TransactionIsDestructive(reason)) if self.may_defer(defer) => {
                self.enter_deferred(unit, &reason);
            }
            Err(error) => {
                self.log(
                    Level::Error,
                    Some(unit),
                    format!("cannot start its service: {error}"),
                );
                self.socket_fails(unit, SocketResult::Resources);
            }
        }
    }

    fn socket_runs(&mut self, unit: UnitId) {
        self.set_socket_deadline(unit, softboot_unit::Usec::INFINITY);
        self.deferred.remove(&unit);
        self.act(Action::PollSockets { unit, on: false });
        self.set_socket_state(unit, SocketState::Running);
    }

    /// A unit or its job changed: the sockets that trigger it look (semantics 1.9).
    pub(crate) fn triggered_changed(&mut self, service: UnitId) {
        for unit in self.units[service].partners(Relation::TriggeredBy).to_vec() {
            self.look_at_service(unit, service);
        }
    }

    fn look_at_service(&mut self, unit: UnitId, service: UnitId) {
        let state = self.socket_state(unit);
        let accept = self.socket_section(unit).is_none_or(|section| section.accept);
        if accept
            || !matches!(
                state,
                SocketState::Listening | SocketState::Deferred | SocketState::Running
            )
        {
            return;
        }
        let Some((now, result)) = self
            .service(service)
            .map(|service| (service.state, service.result))
        else {
            return;
        };
        if now == ServiceState::Failed && result == ServiceResult::StartLimitHit {
            self.socket_fails(unit, SocketResult::ServiceStartLimitHit);
        } else if self.units[service].job.is_some() {
            // It is not decided yet.
        } else if now.is_gone_for_sockets() && state == SocketState::Running {
            self.enter_listening(unit);
        } else if now == ServiceState::Running && state != SocketState::Running {
            self.socket_runs(unit);
        }
    }
}
