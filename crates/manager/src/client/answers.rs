//! Answers that come later than their calls.

use softboot_control::api::{ApiError, EnqueueReply, LogsReply, SystemStateReply, TransientReply};
use softboot_engine::{JobId, JobResult, RequestError, RequestId};
use softboot_unit::UnitName;

use super::Waiting;
use super::describe::{log_line, word};
use crate::run::Manager;
use crate::unit_log::{self, Line, Next};

impl Manager {
    /// The job of a request is in the table.
    pub(crate) fn request_queued(&mut self, request: RequestId, job: JobId) {
        for (client, waiting) in self.clients.waiting_for(|waiting| is_of(waiting, request)) {
            match waiting {
                Waiting::Job {
                    until_done: false,
                    transient,
                    ..
                } => self.finish_job(client, Some(job), None, transient),
                Waiting::Job {
                    until_done: true,
                    transient,
                    ..
                } => {
                    let waiting = Waiting::Job {
                        request,
                        job: Some(job),
                        until_done: true,
                        transient,
                    };
                    self.clients.set_waiting(client, Some(waiting));
                }
                Waiting::SoftRebootQueued { wait: false, .. } => self.finish(client, &serde_json::json!({})),
                Waiting::SoftRebootQueued { wait: true, .. } => {
                    self.clients.set_waiting(client, Some(Waiting::SoftReboot));
                }
                waiting @ Waiting::Transient { .. } => self.transient_queued(client, &waiting, job),
                Waiting::Marked { open } => self.marked_request_done(client, open, request, Ok(job)),
                _ => {}
            }
        }
    }

    /// A request is over.
    pub(crate) fn request_done(&mut self, request: RequestId, outcome: Result<JobResult, RequestError>) {
        self.handoff_request_done(request, outcome.as_ref().map(|_| ()));
        for (client, waiting) in self.clients.waiting_for(|waiting| is_of(waiting, request)) {
            match (&outcome, waiting) {
                (Ok(result), Waiting::Job { job, transient, .. }) => {
                    self.finish_job(client, job, Some(word(*result)), transient);
                }
                (Ok(result), Waiting::Transient { unit, job, .. }) => {
                    self.transient_done(client, &unit, job, *result);
                }
                (Ok(result), Waiting::Clean { unit, .. }) => self.clean_done(client, &unit, *result),
                (Ok(_), _) => {}
                (Err(error), Waiting::Transient { .. }) => {
                    self.clients.set_waiting(client, None);
                    self.transient_error(client, &api_error(error));
                    self.write_client(client);
                }
                (Err(error), Waiting::Marked { open }) => {
                    self.marked_request_done(client, open, request, Err(error));
                }
                (Err(error), _) => self.finish_error(client, &api_error(error)),
            }
        }
        self.transient_request_over(request);
    }

    /// Answers one who waited for a job.
    fn finish_job(
        &mut self,
        client: u64,
        job: Option<JobId>,
        result: Option<String>,
        transient: Option<UnitName>,
    ) {
        let job_id = job.map(|job| job.0);
        match transient {
            Some(name) => {
                let name = name.to_string();
                self.finish(client, &TransientReply { name, job_id, result });
            }
            None => self.finish(client, &EnqueueReply { job_id, result }),
        }
    }

    /// Those who wait for a boot, or for the next program.
    pub(crate) fn answer_boot_waiters(&mut self) {
        if self.facts.boot_finished.is_none() {
            return;
        }
        let waiting = self
            .clients
            .waiting_for(|w| matches!(w, Waiting::Boot | Waiting::NextBoot));
        // This is asked in every turn, and the state looks at every unit.
        if waiting.is_empty() {
            return;
        }
        let state = self.engine.system_state().to_owned();
        for (client, waiting) in waiting {
            match waiting {
                Waiting::NextBoot => self.finish(client, &serde_json::json!({})),
                _ => self.finish(client, &SystemStateReply { state: state.clone() }),
            }
        }
    }

    /// The next program is in charge: those who asked for it get their answer from it.
    pub(crate) fn answer_reexec_waiters(&mut self) {
        for (client, _) in self.clients.waiting_for(|waiting| *waiting == Waiting::Reexec) {
            self.finish(client, &serde_json::json!({}));
        }
    }

    /// The next program did not get as far as being in charge.
    pub(crate) fn refuse_reexec_waiters(&mut self, why: &str) {
        let reason = format!("the next program did not get as far as being in charge: {why}");
        for (client, _) in self.clients.waiting_for(|waiting| *waiting == Waiting::Reexec) {
            let message = "the handoff was taken back; the manager from before goes on".to_owned();
            let reasons = vec![reason.clone()];
            self.finish_error(client, &ApiError::HandoffRefused { reasons, message });
        }
        // Everything else has happened: there is a new userspace.
        let waiting = self
            .clients
            .waiting_for(|waiting| matches!(waiting, Waiting::SoftReboot | Waiting::NextBoot));
        for (client, _) in waiting {
            let message = format!("userspace has begun anew under the softbootd from before: {reason}");
            self.finish_error(client, &ApiError::Failed { message });
        }
    }

    /// A unit's log grew.
    pub(crate) fn followers_notice(&mut self, unit: &UnitName) {
        let of_unit =
            |waiting: &Waiting| matches!(waiting, Waiting::Follow { unit: followed, .. } if followed == unit);
        for (client, _) in self.clients.waiting_for(of_unit) {
            self.feed_follower(client);
        }
    }

    /// Gives a follower what is new. One that has not taken the last lines yet gets the next when it has, from the
    /// file: a service that writes faster than its follower reads fills no memory here.
    pub(super) fn feed_follower(&mut self, client: u64) {
        while let Some(Waiting::Follow { unit, position }) = self.clients.idle_waiting(client).cloned() {
            let written = self.logs.written(&unit);
            let Next {
                mut lines,
                behind,
                lost,
            } = unit_log::next(&unit, written.saturating_sub(position));
            if let (true, Some(first)) = (lost, lines.first()) {
                let text =
                    "softbootd: lines before this one were thrown away before they were read".to_owned();
                lines.insert(
                    0,
                    Line {
                        time: first.time,
                        text,
                    },
                );
            }
            if lines.is_empty() {
                return;
            }
            let position = written.saturating_sub(behind);
            self.clients
                .set_waiting(client, Some(Waiting::Follow { unit, position }));
            let reply = LogsReply {
                lines: lines.into_iter().map(log_line).collect(),
            };
            self.send(client, |connection| connection.reply_continues(&reply));
            self.serve(client);
        }
    }

    /// Answers a call that waited, and goes on with the client's next one.
    pub(crate) fn finish(&mut self, client: u64, reply: &impl serde::Serialize) {
        self.clients.set_waiting(client, None);
        self.send(client, |connection| connection.reply(reply));
        self.serve(client);
    }

    /// The same with an error.
    pub(crate) fn finish_error(&mut self, client: u64, error: &ApiError) {
        self.clients.set_waiting(client, None);
        self.send(client, |connection| {
            connection.error(&error.name(), &error.parameters())
        });
        self.serve(client);
    }
}

fn is_of(waiting: &Waiting, wanted: RequestId) -> bool {
    match waiting {
        Waiting::Job { request, .. }
        | Waiting::SoftRebootQueued { request, .. }
        | Waiting::Transient { request, .. } => *request == wanted,
        Waiting::Clean { request, .. } => *request == wanted,
        Waiting::Marked { open } => open.iter().any(|(request, _)| *request == wanted),
        _ => false,
    }
}

/// The engine's refusal as the interface names it.
pub(crate) fn api_error(error: &RequestError) -> ApiError {
    let message = error.to_string();
    match error {
        RequestError::NoSuchUnit(_) => ApiError::NoSuchUnit {
            name: String::new(),
            suggestions: Vec::new(),
            message,
        },
        RequestError::Masked(_) => ApiError::UnitMasked { message },
        RequestError::BadUnitSetting(_) => ApiError::BadUnitSetting { message },
        RequestError::LoadFailed(_) => ApiError::LoadFailed { message },
        RequestError::JobTypeNotApplicable(_) => ApiError::JobTypeNotApplicable { message },
        RequestError::OnlyByDependency(_) => ApiError::OnlyByDependency { message },
        RequestError::NoIsolation(_) => ApiError::NoIsolation { message },
        RequestError::TransactionIsDestructive(_) => ApiError::TransactionIsDestructive { message },
        RequestError::TransactionJobsAreConflicting(_) => ApiError::TransactionJobsAreConflicting { message },
        RequestError::TransactionOrderIsCyclic(_) => ApiError::TransactionOrderIsCyclic { message },
        RequestError::ShuttingDown(_) => ApiError::ShuttingDown { message },
        RequestError::UnitBusy(_) => ApiError::UnitBusy { message },
        RequestError::InvalidArgument(_) => ApiError::Failed { message },
    }
}
