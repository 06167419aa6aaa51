//! Removing what a service leaves behind (semantics 3.8, 4.1, 8.2).
//!
//! A process of the manager's own removes directories, for that waits for disks. It is the control process of a state of
//! its own, so that nothing starts meanwhile, TimeoutCleanSec= counts, and it crosses a re-exec like any other.

use serde::{Deserialize, Serialize};
use softboot_unit::{Cleanable, KillMode, LoadState, UnitName, Usec};

use crate::action::{Action, CommandRef, ExecList, KillWhom, RequestError, Spawn};
use crate::engine::Engine;
use crate::event::{RequestId, UnitId};
use crate::service::{Process, ServiceState};
use crate::state::{JobResult, ServiceResult};

const SIGKILL: i32 = 9;

/// What is being removed for somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cleaning {
    /// Who waits.
    request: RequestId,
    /// A stop job ended it.
    stopped: bool,
}

impl Engine {
    /// Somebody asks for it.
    pub(crate) fn clean(&mut self, request: RequestId, name: &UnitName, what: &[Cleanable]) {
        match self.try_clean(request, name, what) {
            Ok(true) => {}
            Ok(false) => self.cleaned(request, JobResult::Done),
            Err(error) => self.act(Action::RequestDone {
                request,
                outcome: Err(error),
            }),
        }
    }

    /// Whether there is something to wait for.
    fn try_clean(
        &mut self,
        request: RequestId,
        name: &UnitName,
        what: &[Cleanable],
    ) -> Result<bool, RequestError> {
        let unit = self
            .units
            .find(name)
            .ok_or_else(|| RequestError::NoSuchUnit(format!("unit {name} is not known")))?;
        let (Some(section), Some(service)) = (self.service_section(unit), self.service(unit)) else {
            let message = format!("{name} is no service; only what services leave behind can be cleaned");
            return Err(RequestError::InvalidArgument(message));
        };
        let down = matches!(
            service.state,
            ServiceState::Dead | ServiceState::DeadResourcesPinned
        );
        let known = &self.units[unit];
        if !down || known.job.is_some() || known.definition.load != LoadState::Loaded || self.ending.is_some()
        {
            let message = format!(
                "{name} is {}{}; only what an inactive unit leaves behind can be cleaned",
                known.active().word(),
                if known.job.is_some() { " and has a job" } else { "" }
            );
            return Err(RequestError::UnitBusy(message));
        }
        let mut directories: Vec<Cleanable> = what.to_vec();
        directories.retain(|kind| kind.is_in(&section.exec));
        let fd_store = what.contains(&Cleanable::Fdstore);
        if directories.is_empty() && !fd_store {
            let words: Vec<&str> = what.iter().map(|kind| kind.word()).collect();
            let message = format!("{name} has nothing of this kind: {}", words.join(", "));
            return Err(RequestError::InvalidArgument(message));
        }
        if fd_store {
            self.act(Action::ReleaseFdStore { unit });
        }
        if directories.is_empty() {
            return Ok(false);
        }
        self.begin_cleaning(unit, request, directories);
        Ok(true)
    }

    fn begin_cleaning(&mut self, unit: UnitId, request: RequestId, directories: Vec<Cleanable>) {
        let limit = self
            .service_section(unit)
            .map_or(Usec::INFINITY, |section| section.timeout_clean);
        let id = self.allocate_process();
        self.processes.insert(id, unit);
        let Some(service) = self.service_mut(unit) else {
            return;
        };
        service.empty = false;
        service.control = Some(Process {
            id,
            pid: None,
            index: 0,
        });
        service.clean_result = ServiceResult::Success;
        service.cleaning = Some(Cleaning {
            request,
            stopped: false,
        });
        let command = CommandRef {
            list: ExecList::Clean,
            index: 0,
        };
        self.act(Action::Spawn(Spawn {
            clean: directories,
            ..Spawn::new(id, unit, command)
        }));
        self.arm_state_timer(unit, limit);
        self.set_service_state(unit, ServiceState::Cleaning);
    }

    pub(crate) fn is_cleaning(&self, unit: UnitId) -> bool {
        self.service(unit)
            .is_some_and(|service| service.cleaning.is_some())
    }

    /// It takes too long, or a stop job wants the unit down.
    pub(super) fn interrupt_cleaning(&mut self, unit: UnitId, result: ServiceResult, stopped: bool) {
        if let Some(service) = self.service_mut(unit) {
            service.clean_result = result;
            if let Some(cleaning) = &mut service.cleaning {
                cleaning.stopped = stopped;
            }
        }
        // KillMode= is about the service's processes; this one is ours.
        let spares = self
            .service_section(unit)
            .is_some_and(|section| section.kill.mode == KillMode::None);
        self.enter_signal(unit, ServiceState::FinalSigkill, ServiceResult::Success);
        if spares {
            self.kill(unit, KillWhom::Control, SIGKILL, false);
        }
    }

    /// Its process has ended.
    pub(super) fn cleaner_ended(&mut self, unit: UnitId, result: ServiceResult) {
        if let Some(service) = self.service_mut(unit) {
            service.clean_result = result;
            // It makes no processes of its own.
            service.empty = true;
        }
        self.end_cleaning(unit);
    }

    /// Nothing of it is left; the service is as it was.
    pub(super) fn end_cleaning(&mut self, unit: UnitId) {
        self.cancel_state_timer(unit);
        let Some(service) = self.service_mut(unit) else {
            return;
        };
        let left = service.control.take();
        let state = if service.stored_fds > 0 {
            ServiceState::DeadResourcesPinned
        } else {
            ServiceState::Dead
        };
        let result = service.clean_result;
        if let Some(process) = left {
            self.processes.remove(&process.id);
        }
        self.act(Action::Release {
            unit,
            runtime_directories: false,
        });
        self.set_service_state(unit, state);
        let Some(cleaning) = self.service_mut(unit).and_then(|service| service.cleaning.take()) else {
            return;
        };
        let outcome = match result {
            _ if cleaning.stopped => JobResult::Canceled,
            ServiceResult::Success => JobResult::Done,
            ServiceResult::Timeout => JobResult::Timeout,
            _ => JobResult::Failed,
        };
        self.cleaned(cleaning.request, outcome);
    }

    fn cleaned(&mut self, request: RequestId, result: JobResult) {
        self.act(Action::RequestDone {
            request,
            outcome: Ok(result),
        });
    }
}
