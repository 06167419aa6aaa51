//! `io.systemd.Unit.StartTransient`: a service from a unit's context, and what becomes of its start.

use serde_json::{Value, json};
use softboot_control::api::{ApiError, MethodError};
use softboot_control::systemd::{ContextError, JobEntry, TransientJob, TransientReply, TransientUnit};
use softboot_engine::{Event, JobId, JobKind, JobResult, UnitId};
use softboot_unit::{JobMode, UnitName};

use super::Waiting;
use super::calls::from_word;
use super::describe::word;
use super::transient::{expanded, service_name, text_of};
use crate::run::Manager;

/// What the caller wants to hear of before the end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Notify {
    pub(super) more: bool,
    pub(super) jobs: bool,
    pub(super) units: bool,
}

impl Manager {
    /// `io.systemd.Unit.StartTransient`.
    pub(super) fn start_from_context(
        &mut self,
        client: u64,
        context: &Value,
        mode: Option<&str>,
        notify: Notify,
    ) {
        let invalid = |parameter: String| MethodError::InvalidParameter { parameter };
        let unit = match TransientUnit::parse(context) {
            Ok(unit) => unit,
            Err(ContextError::Invalid(parameter)) => return self.method_error(client, &invalid(parameter)),
            Err(ContextError::NotSupported(property)) => {
                return self.unit_error(client, "PropertyNotSupported", &json!({ "property": property }));
            }
            Err(ContextError::UnitType) => {
                return self.unit_error(client, "UnitTypeNotSupported", &json!({}));
            }
        };
        let mode: Option<JobMode> = from_word(&mode.unwrap_or("replace").replace('_', "-"));
        let Some(mode) = mode else {
            return self.method_error(client, &invalid("mode".to_owned()));
        };
        let Ok(name) = service_name(&unit.name) else {
            return self.method_error(client, &invalid("context".to_owned()));
        };
        match self.install_from_context(&name, &unit) {
            Ok(()) => {}
            Err(error) => return self.transient_error(client, &error),
        }
        let request = self.next_request();
        self.clients.transients.0.insert(name.clone(), Some(request));
        let waiting = Waiting::Transient {
            request,
            unit: name.clone(),
            job: None,
            jobs: notify.more && notify.jobs,
            units: notify.more && notify.units,
            running: false,
        };
        self.clients.set_waiting(client, Some(waiting));
        self.feed(Event::Request {
            request,
            kind: JobKind::Start,
            unit: name,
            mode,
            manual: true,
        });
    }

    fn install_from_context(&mut self, name: &UnitName, unit: &TransientUnit) -> Result<(), ApiError> {
        let lines = unit.commands.iter().map(|(path, arguments)| {
            let first = arguments.first();
            let own_name = first.filter(|name| *name != path).is_some();
            let words = arguments.iter().skip(usize::from(!own_name));
            let begin = if own_name { "@" } else { "" };
            let words: Vec<String> = words.map(|word| expanded(word)).collect();
            format!("{begin}{} {}", expanded(path), words.join(" "))
        });
        let text = text_of(&lines.collect::<Vec<_>>(), &unit.settings)?;
        self.install_transient(name, &text)
    }

    /// A refusal as `io.systemd.Unit` names it, or as our own interface does where that has no name for it.
    pub(super) fn transient_error(&mut self, client: u64, error: &ApiError) {
        let name = match error {
            ApiError::UnitExists { .. } => "UnitExists",
            ApiError::BadUnitSetting { .. } => "BadUnitSetting",
            ApiError::UnitMasked { .. } => "UnitMasked",
            ApiError::OnlyByDependency { .. } => "OnlyByDependency",
            ApiError::LoadFailed { .. } => "UnitError",
            other => return self.reply_error(client, other),
        };
        tracing::debug!("a transient unit is refused: {error}");
        self.unit_error(client, name, &json!({}));
    }

    /// The start is in the job table. Who wants to hear of nothing else has the answer.
    pub(super) fn transient_queued(&mut self, client: u64, waiting: &Waiting, queued: JobId) {
        let Waiting::Transient {
            request,
            unit,
            jobs,
            units,
            ..
        } = waiting
        else {
            return;
        };
        let now = self.transient_job(unit, queued, None);
        if !jobs && !units {
            let reply = self.transient_reply(unit, now);
            return self.finish(client, &reply);
        }
        let waiting = Waiting::Transient {
            request: *request,
            unit: unit.clone(),
            job: Some(queued),
            jobs: *jobs,
            units: *units,
            // It may have begun in the step that queued it.
            running: now.job.state.as_deref() == Some("running"),
        };
        self.clients.set_waiting(client, Some(waiting));
        if *jobs {
            let job = Some(now);
            let reply = TransientReply {
                job,
                ..TransientReply::default()
            };
            self.send(client, |connection| connection.reply_continues(&reply));
            self.write_client(client);
        }
    }

    /// The start is over.
    pub(super) fn transient_done(
        &mut self,
        client: u64,
        unit: &UnitName,
        job: Option<JobId>,
        result: JobResult,
    ) {
        let job = self.transient_job(unit, job.unwrap_or(JobId(0)), Some(result));
        let reply = self.transient_reply(unit, job);
        self.finish(client, &reply);
    }

    /// A unit changed: for those who want to hear of it, or of its job.
    pub(super) fn tell_transient_waiters(&mut self, changed: UnitId) {
        let Some(name) = self.engine.name(changed).cloned() else {
            return;
        };
        let of_it = |waiting: &Waiting| matches!(waiting, Waiting::Transient { unit, job: Some(_), .. } if *unit == name);
        for (client, waiting) in self.clients.waiting_for(of_it) {
            let Waiting::Transient {
                request,
                unit,
                job: Some(id),
                jobs,
                units,
                running,
            } = waiting
            else {
                continue;
            };
            let runs = self.engine.jobs().iter().any(|job| job.id == id && job.running);
            let job = (jobs && runs && !running).then(|| self.transient_job(&unit, id, None));
            let runtime = units.then(|| Some(self.unit_entry(changed)?.runtime)).flatten();
            if job.is_none() && runtime.is_none() {
                continue;
            }
            let waiting = Waiting::Transient {
                request,
                unit,
                job: Some(id),
                jobs,
                units,
                running: running || runs,
            };
            self.clients.set_waiting(client, Some(waiting));
            let reply = TransientReply {
                runtime,
                job,
                context: None,
            };
            self.send(client, |connection| connection.reply_continues(&reply));
            self.write_client(client);
        }
    }

    fn transient_job(&self, unit: &UnitName, id: JobId, result: Option<JobResult>) -> TransientJob {
        let running = self.engine.jobs().iter().any(|job| job.id == id && job.running);
        let state = match (result, running) {
            (Some(_), _) => "finished",
            (None, true) => "running",
            (None, false) => "waiting",
        };
        TransientJob {
            job: JobEntry {
                id: id.0,
                unit: Some(unit.to_string()),
                job_type: "start".to_owned(),
                state: Some(state.to_owned()),
            },
            result: result.map(|result| word(result).replace('-', "_")),
        }
    }

    fn transient_reply(&self, unit: &UnitName, job: TransientJob) -> TransientReply {
        let entry = self.engine.unit(unit).and_then(|unit| self.unit_entry(unit));
        let (context, runtime) = entry.map(|entry| (entry.context, entry.runtime)).unzip();
        TransientReply {
            context,
            runtime,
            job: Some(job),
        }
    }
}
