//! What a client can ask, and the answers that are there at once.

use softboot_control::api::{
    ApiError, EnqueueRequest, FdsReply, JobInfo, ListJobsReply, ListUnitsReply, LogsReply, LogsRequest,
    ManagerInfo, MethodError, Request, SystemStateReply, UnitReply,
};
use softboot_control::connection::Call;
use softboot_engine::{ActiveState, Event, JobId, JobKind};
use softboot_unit::{EmergencyAction, JobMode, UnitName};

use super::Waiting;
use super::describe::{log_line, word};
use crate::handoff::Kind;
use crate::root::RootWish;
use crate::run::Manager;
use crate::shutdown::{NO_KERNEL, kexec_is_loaded};
use crate::unit_log;

impl Manager {
    /// Answers a call, or notes what it waits for.
    pub(super) fn answer(&mut self, client: u64, call: &Call) {
        let request = match Request::parse(call) {
            Ok(request) => request,
            Err(error) => {
                self.send(client, |connection| {
                    connection.error(error.name(), &error.parameters())
                });
                return;
            }
        };
        let root = self.peer_uid(client) == Some(0);
        if let (Request::Systemd(_), false) = (&request, root)
            && request.needs_root()
        {
            let error = MethodError::PermissionDenied {};
            return self.send(client, |connection| {
                connection.error(error.name(), &error.parameters())
            });
        }
        if request.needs_root() && !root {
            let message = "only root may do that".to_owned();
            self.reply_error(client, &ApiError::AccessDenied { message });
            return;
        }
        match request {
            Request::Ping {} => self.reply(client, &serde_json::json!({})),
            Request::GetInfo | Request::GetInterfaceDescription { .. } => {
                self.answer_introspection(client, &request)
            }
            Request::Systemd(request) => self.answer_systemd(client, call.more, request),
            Request::Describe {} => {
                let info = self.manager_info();
                self.reply(client, &info);
            }
            Request::ListUnits { patterns, all } => self.list_units(client, &patterns, all),
            Request::GetUnit { name } => self.get_unit(client, &name, root),
            Request::ListFds { name } => self.list_fds(client, &name),
            Request::Enqueue(enqueue) => self.enqueue(client, &enqueue),
            Request::Explain(wanted) => self.explain(client, &wanted),
            Request::ListJobs {} => self.list_jobs(client),
            Request::CancelJob { id } => {
                self.feed(Event::Cancel(Some(JobId(id))));
                self.reply(client, &serde_json::json!({}));
            }
            Request::ResetFailed { name } => self.reset_failed(client, name.as_deref()),
            Request::Logs(logs) => self.read_logs(client, &logs),
            Request::Reload {} => {
                self.reload();
                self.reply(client, &serde_json::json!({}));
            }
            Request::Reexecute { check } => self.ask_handoff(client, Kind::Reexec, check, false),
            Request::SoftReboot { wait, check, root } => match Manager::root_wish(root) {
                Some(wish) => self.ask_handoff_to(client, Kind::SoftReboot, check, wait, &wish),
                None => {
                    let message = "a root is an absolute path, or empty for the one there is".to_owned();
                    self.reply_error(client, &ApiError::Failed { message });
                }
            },
            Request::PowerOff { force } => self.end(
                client,
                EmergencyAction::Poweroff,
                EmergencyAction::PoweroffForce,
                force,
            ),
            Request::Reboot { force } => self.end(
                client,
                EmergencyAction::Reboot,
                EmergencyAction::RebootForce,
                force,
            ),
            Request::Halt { force } => {
                self.end(client, EmergencyAction::Halt, EmergencyAction::HaltForce, force)
            }
            Request::Kexec { force } => self.kexec(client, force),
            Request::IsSystemRunning { wait } => self.system_state(client, wait),
            Request::GetProperties { name } => self.get_properties(client, name.as_deref(), root),
            Request::ListDependencies { relations } => self.list_dependencies(client, &relations),
            Request::Timeline {} => self.show_timeline(client),
            Request::Greyout { last } => {
                let reply = self.greyout(last.unwrap_or(1));
                self.reply(client, &reply);
            }
            Request::Snapshot {} => self.begin_snapshot(client, call.more),
            Request::Kill(kill) => self.kill_unit(client, &kill),
            Request::Clean { name, what } => self.clean_unit(client, &name, &what),
            Request::SetEnvironment { assignments } => self.set_environment(client, &assignments),
            Request::UnsetEnvironment { names } => self.unset_environment(client, &names),
            Request::Exit { code, force } => {
                self.set_exit_code(code);
                self.end(client, EmergencyAction::Exit, EmergencyAction::ExitForce, force);
            }
            Request::StartTransient(transient) => self.start_transient(client, &transient),
            Request::Subscribe(subscription) => self.subscribe(client, call.more, subscription),
        }
    }

    pub(super) fn reply(&mut self, client: u64, parameters: &impl serde::Serialize) {
        self.send(client, |connection| connection.reply(parameters));
    }

    pub(super) fn reply_error(&mut self, client: u64, error: &ApiError) {
        self.send(client, |connection| {
            connection.error(&error.name(), &error.parameters())
        });
    }

    pub(super) fn manager_info(&self) -> ManagerInfo {
        let states = self.engine.ids().filter_map(|unit| self.engine.active(unit));
        let (mut units, mut failed) = (0_u32, 0_u32);
        for state in states {
            units = units.saturating_add(1);
            failed = failed.saturating_add(u32::from(state == ActiveState::Failed));
        }
        let uname = rustix::system::uname();
        ManagerInfo {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: rustix::process::getpid().as_raw_nonzero().get(),
            state: self.engine.system_state().to_owned(),
            soft_reboots: self.engine.soft_reboots(),
            reexecs: self.facts.reexecs,
            crashes: self.recorder.crashes(),
            safe_mode: self.recorder.safe_mode(),
            units,
            failed,
            jobs: u32::try_from(self.engine.jobs().len()).unwrap_or(u32::MAX),
            kernel: uname.release().to_string_lossy().into_owned(),
            hostname: uname.nodename().to_string_lossy().into_owned(),
            started_usec: self.facts.started.0,
            boot_finished_usec: self.facts.boot_finished.map(|at| at.0),
            container: self.facts.container,
            taken_over: self.taken_over.clone(),
        }
    }

    fn list_units(&mut self, client: u64, patterns: &[String], all: bool) {
        let units = self
            .unit_infos()
            .into_iter()
            .filter(|unit| {
                if patterns.is_empty() {
                    // What has neither a file nor a state is only a name somebody mentioned.
                    all || unit.active != "inactive" || unit.job.is_some() || unit.stored_fds > 0
                } else {
                    patterns
                        .iter()
                        .any(|pattern| softboot_control::api::glob_match(pattern, &unit.name))
                }
            })
            .collect();
        self.reply(client, &ListUnitsReply { units });
    }

    fn get_unit(&mut self, client: u64, name: &str, privileged: bool) {
        let unit = match self.find_or_load(name) {
            Ok(unit) => unit,
            Err(error) => return self.reply_error(client, &error),
        };
        let Some(info) = self.unit_info(unit) else { return };
        let detail = self.unit_detail(unit, privileged);
        self.reply(client, &UnitReply { unit: info, detail });
    }

    fn list_fds(&mut self, client: u64, name: &str) {
        match UnitName::new(name) {
            Ok(name) => {
                let fds = self.fd_infos(&name);
                self.reply(client, &FdsReply { fds });
            }
            Err(error) => {
                let error = self.no_such_unit(name, &error.to_string());
                self.reply_error(client, &error);
            }
        }
    }

    /// A unit the engine knows, or one that is loaded for this question.
    pub(super) fn find_or_load(&mut self, text: &str) -> Result<softboot_engine::UnitId, ApiError> {
        let name = UnitName::new(text).map_err(|error| self.no_such_unit(text, &error.to_string()))?;
        self.load_units(std::slice::from_ref(&name));
        self.drain();
        let unit = self.engine.unit(&name);
        let found = unit
            .and_then(|unit| self.engine.status(unit))
            .is_some_and(|status| {
                status.load != "not-found" || !status.active.is_inactive_ish() || status.stored_fds > 0
            });
        match unit {
            Some(unit) if found => Ok(unit),
            _ => Err(self.no_such_unit(text, &format!("unit {text} is not known: no file has this name"))),
        }
    }

    fn no_such_unit(&self, name: &str, message: &str) -> ApiError {
        let known: Vec<String> = self
            .engine
            .ids()
            .filter_map(|unit| self.engine.definition(unit))
            .filter(|definition| definition.load != softboot_unit::LoadState::NotFound)
            .map(|definition| definition.name.to_string())
            .collect();
        let suggestions = softboot_control::api::suggest(name, known.iter().map(String::as_str));
        ApiError::NoSuchUnit {
            name: name.to_owned(),
            suggestions,
            message: message.to_owned(),
        }
    }

    fn enqueue(&mut self, client: u64, wanted: &EnqueueRequest) {
        let job: Option<WantedJob> = WantedJob::of(&wanted.job);
        let (Some(job), Some(mode)) = (job, from_word::<JobMode>(&wanted.mode)) else {
            let message = format!("there is no job {:?} with mode {:?}", wanted.job, wanted.mode);
            return self.reply_error(client, &ApiError::Failed { message });
        };
        let unit = match self.find_or_load(&wanted.name) {
            Ok(unit) => unit,
            Err(error) => return self.reply_error(client, &error),
        };
        let kind = job.kind(self.engine.can_reload(unit));
        let Some(unit) = self.engine.name(unit).cloned() else {
            return;
        };
        // A soft-reboot by its target is still a soft-reboot: the next program is asked first.
        if kind == JobKind::Start && unit.as_str() == "soft-reboot.target" {
            return self.ask_handoff(client, Kind::SoftReboot, false, false);
        }
        let request = self.next_request();
        let waiting = Waiting::Job {
            request,
            job: None,
            until_done: wanted.wait,
            transient: None,
        };
        self.clients.set_waiting(client, Some(waiting));
        self.feed(Event::Request {
            request,
            kind,
            unit,
            mode,
            manual: true,
        });
    }

    fn list_jobs(&mut self, client: u64) {
        let jobs = self
            .engine
            .jobs()
            .into_iter()
            .map(|job| JobInfo {
                id: job.id.0,
                unit: self
                    .engine
                    .name(job.unit)
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                kind: word(job.kind),
                state: if job.running { "running" } else { "waiting" }.to_owned(),
                waits_for: self
                    .engine
                    .job_waits_for(job.id)
                    .iter()
                    .map(|job| job.0)
                    .collect(),
            })
            .collect();
        self.reply(client, &ListJobsReply { jobs });
    }

    fn reset_failed(&mut self, client: u64, name: Option<&str>) {
        let name = match name.map(UnitName::new).transpose() {
            Ok(name) => name,
            Err(error) => {
                let error = self.no_such_unit(name.unwrap_or(""), &error.to_string());
                return self.reply_error(client, &error);
            }
        };
        self.feed(Event::ResetFailed(name));
        self.reply(client, &serde_json::json!({}));
    }

    fn read_logs(&mut self, client: u64, wanted: &LogsRequest) {
        let unit = match self.find_or_load(&wanted.name) {
            Ok(unit) => unit,
            Err(error) => return self.reply_error(client, &error),
        };
        let Some(unit) = self.engine.name(unit).cloned() else {
            return;
        };
        let count = usize::try_from(wanted.lines).unwrap_or(usize::MAX);
        let lines = unit_log::tail(&unit, count).into_iter().map(log_line).collect();
        let reply = LogsReply { lines };
        if wanted.follow {
            self.send(client, |connection| connection.reply_continues(&reply));
            let position = self.logs.written(&unit);
            self.clients
                .set_waiting(client, Some(Waiting::Follow { unit, position }));
        } else {
            self.reply(client, &reply);
        }
    }

    pub(super) fn ask_handoff(&mut self, client: u64, kind: Kind, check: bool, wait: bool) {
        self.ask_handoff_to(client, kind, check, wait, &RootWish::default());
    }

    pub(super) fn ask_handoff_to(
        &mut self,
        client: u64,
        kind: Kind,
        check: bool,
        wait: bool,
        wish: &RootWish,
    ) {
        self.clients
            .set_waiting(client, Some(Waiting::Verification { wait }));
        self.begin_handoff_with(kind, Some(client), check, wish);
    }

    /// A root that a client names; an empty one is the root we have (semantics 7.4).
    pub(super) fn root_wish(root: Option<String>) -> Option<RootWish> {
        match root {
            None => Some(RootWish::Prepared),
            Some(root) if root.is_empty() => Some(RootWish::Same),
            Some(root) if root.starts_with('/') => Some(RootWish::At(root.into())),
            Some(_) => None,
        }
    }

    pub(super) fn end(&mut self, client: u64, action: EmergencyAction, forced: EmergencyAction, force: bool) {
        let target = UnitName::new(&format!("{}.target", super::describe::word(action))).ok();
        let another = target.and_then(|target| self.engine.another_end(&target));
        // By force all else is put aside, but not what is past obeying.
        if (!force || self.engine.is_soft_rebooting())
            && let Some(message) = another
        {
            return self.reply_error(client, &ApiError::ShuttingDown { message });
        }
        let action = if force { forced } else { action };
        self.feed(Event::Signal(softboot_engine::ManagerSignal::Shutdown(action)));
        self.reply(client, &serde_json::json!({}));
    }

    /// Refused before anything stops where there is no kernel to go to.
    pub(super) fn kexec(&mut self, client: u64, force: bool) {
        if self.facts.container || !kexec_is_loaded() {
            let message = if self.facts.container {
                "a container has no kernel of its own".to_owned()
            } else {
                format!("{NO_KERNEL}; softctl reboot goes the whole way")
            };
            return self.reply_error(client, &ApiError::Failed { message });
        }
        self.end(client, EmergencyAction::Kexec, EmergencyAction::KexecForce, force);
    }

    fn system_state(&mut self, client: u64, wait: bool) {
        if wait && self.facts.boot_finished.is_none() {
            self.clients.set_waiting(client, Some(Waiting::Boot));
            return;
        }
        let state = self.engine.system_state().to_owned();
        self.reply(client, &SystemStateReply { state });
    }

    fn answer_introspection(&mut self, client: u64, request: &Request) {
        match softboot_control::api::introspect(request) {
            Ok(reply) => self.reply(client, &reply),
            Err(error) => {
                self.send(client, |connection| {
                    connection.error(error.name(), &error.parameters())
                });
            }
        }
    }
}

/// A job as a client names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WantedJob {
    /// This one.
    Kind(JobKind),
    /// The first if the unit can reload, else the second.
    Either(JobKind, JobKind),
}

impl WantedJob {
    pub(super) fn of(word: &str) -> Option<WantedJob> {
        match word {
            "reload-or-restart" => Some(WantedJob::Either(JobKind::ReloadOrStart, JobKind::Restart)),
            "try-reload-or-restart" => Some(WantedJob::Either(JobKind::TryReload, JobKind::TryRestart)),
            other => from_word(other).map(WantedJob::Kind),
        }
    }

    pub(super) fn kind(self, can_reload: bool) -> JobKind {
        match self {
            WantedJob::Kind(kind) => kind,
            WantedJob::Either(reload, _) if can_reload => reload,
            WantedJob::Either(_, restart) => restart,
        }
    }
}

/// The value that serialises as `word`.
pub(super) fn from_word<T: serde::de::DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(word.to_owned())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reload_or_restart_is_what_the_unit_can_do() {
        let kind = |word: &str, can| WantedJob::of(word).map(|job| job.kind(can));
        assert_eq!(kind("reload-or-restart", true), Some(JobKind::ReloadOrStart));
        assert_eq!(kind("reload-or-restart", false), Some(JobKind::Restart));
        assert_eq!(kind("try-reload-or-restart", true), Some(JobKind::TryReload));
        assert_eq!(kind("try-reload-or-restart", false), Some(JobKind::TryRestart));
        assert_eq!(kind("start", true), Some(JobKind::Start));
        assert_eq!(kind("fly", true), None);
    }
}
