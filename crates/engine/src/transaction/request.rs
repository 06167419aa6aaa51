//! The way in: clients, signals, and the engine itself.

use softboot_unit::{JobMode, UnitName};

use super::Wish;
use crate::action::{Action, RequestError};
use crate::engine::Engine;
use crate::event::{JobId, RequestId, UnitId};
use crate::state::JobKind;

impl Engine {
    /// Somebody asks for a job.
    pub(crate) fn request(
        &mut self,
        request: RequestId,
        kind: JobKind,
        name: &UnitName,
        mode: JobMode,
        manual: bool,
    ) {
        let result = self
            .check_request(kind, name, mode, manual)
            .and_then(|unit| self.enqueue(kind, unit, mode, Some(request)));
        if let Err(error) = result {
            self.act(Action::RequestDone {
                request,
                outcome: Err(error),
            });
        } else {
            self.boot_requested = true;
        }
    }

    /// What is refused before any job is looked at; otherwise the unit.
    pub(super) fn check_request(
        &self,
        kind: JobKind,
        name: &UnitName,
        mode: JobMode,
        manual: bool,
    ) -> Result<UnitId, RequestError> {
        let Some(unit) = self.units.find(name) else {
            return Err(RequestError::NoSuchUnit(format!("no unit has the name {name}")));
        };
        let section = &self.units[unit].definition.unit;
        let kind_now = self.collapse(unit, kind);
        let invalid = |mode: &str, only: &str| {
            RequestError::InvalidArgument(format!("job mode {mode} is for {only} jobs only"))
        };
        match mode {
            JobMode::Isolate if kind != JobKind::Start => return Err(invalid("isolate", "start")),
            JobMode::Isolate if !section.allow_isolate => {
                return Err(RequestError::NoIsolation(format!(
                    "{name} does not allow isolation (AllowIsolate=)"
                )));
            }
            JobMode::Triggering if kind != JobKind::Stop => return Err(invalid("triggering", "stop")),
            JobMode::RestartDependencies if kind != JobKind::Start => {
                return Err(invalid("restart-dependencies", "start"));
            }
            _ => {}
        }
        let starts = matches!(kind_now, JobKind::Start | JobKind::Restart);
        let stops = matches!(kind_now, JobKind::Stop | JobKind::Restart);
        if manual && starts && section.refuse_manual_start {
            return Err(RequestError::OnlyByDependency(format!(
                "{name} is started only by units that need it"
            )));
        }
        if manual && stops && section.refuse_manual_stop {
            return Err(RequestError::OnlyByDependency(format!(
                "{name} is stopped only by units that need it to be"
            )));
        }
        if manual
            && starts
            && let Some(reason) = self.another_end(name)
        {
            return Err(RequestError::ShuttingDown(reason));
        }
        Ok(unit)
    }

    /// Makes the jobs of a request.
    pub(crate) fn enqueue(
        &mut self,
        kind: JobKind,
        unit: UnitId,
        mode: JobMode,
        request: Option<RequestId>,
    ) -> Result<JobId, RequestError> {
        self.enqueue_wish(Wish {
            kind,
            unit,
            mode,
            request,
            no_late_merge: false,
        })
    }
}
