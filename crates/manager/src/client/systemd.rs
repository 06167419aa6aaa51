//! The calls of `io.systemd.Manager`, `io.systemd.Unit` and `io.systemd.Job` (semantics 8.4).

use serde::Serialize;
use serde_json::json;
use softboot_control::api::MethodError;
use softboot_control::systemd::{
    CGroupRuntime, ExecCommand, ExecContext, JobEntry, ManagerContext, ManagerRuntime, ServiceContext,
    SystemdRequest, Timestamp, UnitContext, UnitEntry, UnitFilter, UnitRuntime, WorkingDirectory,
};
use softboot_engine::{Event, JobId, UnitId};
use softboot_unit::{EmergencyAction, KindSection, LoadState, ServiceSection, UnitName, Usec};

use super::context::Notify;
use super::describe::word;
use super::transient::is_transient;
use crate::handoff::Kind;
use crate::run::Manager;
use crate::{cgroup, clock};

/// What units have that say nothing else.
const DEFAULT_TIMEOUT: Usec = Usec::from_secs(90);
const DEFAULT_RESTART: Usec = Usec::from_millis(100);

impl Manager {
    pub(super) fn answer_systemd(&mut self, client: u64, more: bool, request: SystemdRequest) {
        match request {
            SystemdRequest::Describe {} => self.describe_systemd(client),
            SystemdRequest::Reload {} => {
                self.reload();
                self.reply(client, &json!({}));
            }
            SystemdRequest::Reexecute {} => self.ask_handoff(client, Kind::Reexec, false, false),
            SystemdRequest::PowerOff {} => self.end_at_once(client, EmergencyAction::PoweroffForce),
            SystemdRequest::Reboot {} => self.end_at_once(client, EmergencyAction::RebootForce),
            SystemdRequest::Halt {} => self.end_at_once(client, EmergencyAction::HaltForce),
            SystemdRequest::KExec {} => self.kexec(client, true),
            SystemdRequest::SoftReboot { root } => match Manager::root_wish(root) {
                Some(wish) => self.ask_handoff_to(client, Kind::SoftReboot, false, false, &wish),
                None => {
                    let parameter = "root".to_owned();
                    self.method_error(client, &MethodError::InvalidParameter { parameter });
                }
            },
            SystemdRequest::EnqueueMarkedJobs {} => self.enqueue_marked_jobs(client, more),
            SystemdRequest::SetProperties { name, properties, .. } => {
                self.set_properties(client, &name, &properties);
            }
            SystemdRequest::StartTransient {
                context,
                mode,
                notify_job_changes,
                notify_unit_changes,
            } => {
                let notify = Notify {
                    more,
                    jobs: notify_job_changes == Some(true),
                    units: notify_unit_changes == Some(true),
                };
                self.start_from_context(client, &context, mode.as_deref(), notify);
            }
            SystemdRequest::ListUnits(filter)
                if more && filter == UnitFilter::default() && self.begin_unit_list(client) => {}
            SystemdRequest::ListUnits(filter) => {
                let entries = self.unit_entries(client, &filter);
                self.reply_all(client, more, entries, "io.systemd.Unit.NoSuchUnit");
            }
            SystemdRequest::ListJobs { id, unit } => {
                let entries = self.job_entries(id, unit.as_deref());
                self.reply_all(client, more, entries, "io.systemd.Job.NoSuchJob");
            }
            SystemdRequest::CancelJob { id } => {
                if self.engine.jobs().iter().any(|job| job.id == JobId(id)) {
                    self.feed(Event::Cancel(Some(JobId(id))));
                    self.reply(client, &json!({}));
                } else {
                    self.none_such(client, "io.systemd.Job.NoSuchJob", "id");
                }
            }
            SystemdRequest::ClearJobs {} => {
                self.feed(Event::Cancel(None));
                self.reply(client, &json!({}));
            }
        }
    }

    fn end_at_once(&mut self, client: u64, action: EmergencyAction) {
        self.end(client, action, action, true);
    }

    pub(super) fn method_error(&mut self, client: u64, error: &MethodError) {
        self.send(client, |connection| {
            connection.error(error.name(), &error.parameters())
        });
    }

    fn none_such(&mut self, client: u64, error: &str, parameter: &str) {
        let parameters = json!({ "parameter": parameter });
        self.send(client, |connection| connection.error(error, &parameters));
    }

    /// One reply for each entry, the last without `continues`; an error where there is none. The second value names
    /// the parameter that did not fit; without any, an empty list is no error of the caller's, but there is no reply
    /// that says so but the error.
    fn reply_all<T: Serialize>(
        &mut self,
        client: u64,
        more: bool,
        entries: (Vec<T>, Option<&'static str>),
        none: &str,
    ) {
        let (entries, filter) = entries;
        let Some((last, others)) = entries.split_last() else {
            return self.none_such(client, none, filter.unwrap_or_default());
        };
        if !more && !others.is_empty() {
            return self.method_error(client, &MethodError::ExpectedMore {});
        }
        for entry in others {
            self.send(client, |connection| connection.reply_continues(entry));
        }
        self.reply(client, last);
    }

    fn describe_systemd(&mut self, client: u64) {
        let info = self.manager_info();
        let context = ManagerContext {
            service_watchdogs: true,
            default_timeout_start_usec: DEFAULT_TIMEOUT.0,
            default_timeout_stop_usec: DEFAULT_TIMEOUT.0,
            default_restart_usec: DEFAULT_RESTART.0,
            control_group: Some(String::new()),
        };
        let runtime = ManagerRuntime {
            version: info.version,
            architecture: match std::env::consts::ARCH {
                // As systemd names them (semantics 5.7); the others are named alike.
                "x86_64" => "x86-64".to_owned(),
                "aarch64" => "arm64".to_owned(),
                other => other.to_owned(),
            },
            unit_path: softboot_unit::default_paths(),
            userspace_timestamp: moment(Some(info.started_usec)),
            finish_timestamp: moment(info.boot_finished_usec),
            names: info.units,
            failed_units: info.failed,
            jobs: info.jobs,
            system_state: info.state,
            soft_reboots_count: info.soft_reboots,
        };
        self.reply(client, &json!({ "context": context, "runtime": runtime }));
    }

    /// The units that fit everything that is given, and the first thing that was given.
    fn unit_entries(&mut self, client: u64, filter: &UnitFilter) -> (Vec<UnitEntry>, Option<&'static str>) {
        let mut wanted: Option<Option<UnitId>> = None;
        let mut first = None;
        let mut narrow = |what: &'static str, found: Option<UnitId>| {
            first = first.or(Some(what));
            wanted = Some(match wanted {
                None => found,
                Some(before) => before.filter(|unit| Some(*unit) == found),
            });
        };
        if let Some(name) = &filter.name {
            narrow("name", self.find_or_load(name).ok());
        }
        if let Some(process) = filter.pid {
            let pid = Some(process.pid).filter(|pid| *pid > 0).or(self.peer_pid(client));
            let group = pid.and_then(cgroup::of_process);
            narrow("pid", group.and_then(|group| self.unit_in_group(&group)));
        }
        if let Some(group) = &filter.cgroup {
            narrow("cgroup", self.unit_in_group(group.trim_start_matches('/')));
        }
        if let Some(id) = &filter.invocation_id {
            let run = self.invocations.iter().find(|(_, invocation)| *invocation == id);
            narrow("invocationID", run.and_then(|(name, _)| self.engine.unit(name)));
        }
        let units: Vec<UnitId> = match wanted {
            Some(found) => found.into_iter().collect(),
            None => self.engine.ids().collect(),
        };
        let entries = units.into_iter().filter_map(|unit| self.unit_entry(unit));
        (entries.collect(), first)
    }

    fn unit_in_group(&self, group: &str) -> Option<UnitId> {
        let name: UnitName = cgroup::unit_of_path(group)?;
        self.engine.unit(&name)
    }

    pub(super) fn unit_entry(&self, unit: UnitId) -> Option<UnitEntry> {
        let status = self.engine.status(unit)?;
        let definition = self.engine.definition(unit)?;
        let section = &definition.unit;
        let texts = |names: &[UnitName]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let mut names = vec![definition.name.to_string()];
        names.extend(texts(&definition.aliases));
        let kind = definition
            .name
            .as_str()
            .rsplit_once('.')
            .map_or("", |(_, kind)| kind);
        let dependencies = self.engine.dependencies(unit).into_iter();
        let service = match &definition.kind {
            KindSection::Service(service) => Some(&**service),
            _ => None,
        };
        let context = UnitContext {
            kind: kind.to_owned(),
            id: status.name.to_string(),
            names,
            description: Some(status.description.clone()),
            documentation: section.documentation.clone(),
            dependencies: dependencies
                .map(|(relation, names)| (relation, texts(&names)))
                .collect(),
            stop_when_unneeded: section.stop_when_unneeded,
            refuse_manual_start: section.refuse_manual_start,
            refuse_manual_stop: section.refuse_manual_stop,
            allow_isolate: section.allow_isolate,
            ignore_on_isolate: section.ignore_on_isolate,
            default_dependencies: section.default_dependencies,
            survive_final_kill_signal: section.survive_final_kill_signal,
            fragment_path: definition.fragment.clone(),
            drop_in_paths: definition.drop_ins.clone(),
            transient: is_transient(definition),
            collect_mode: Some(word(section.collect_mode).replace('-', "_")),
            exec: service.map(|service| exec_context(&service.exec)),
            service: service.map(service_context),
        };
        let times = self.clients.timeline.of(&status.name);
        let usable = definition.load == LoadState::Loaded;
        let group = self.cgroup_of(&definition.name).map(|group| CGroupRuntime {
            path: Some(format!("/{group}")),
        });
        let changed = Some(status.changed_monotonic.0).filter(|at| *at > 0);
        let runtime = UnitRuntime {
            load_state: Some(status.load),
            active_state: Some(status.active.word().to_owned()),
            sub_state: Some(status.sub),
            state_change_timestamp: moment(changed),
            active_enter_timestamp: moment(times.active_enter_usec),
            active_exit_timestamp: moment(times.active_exit_usec),
            inactive_enter_timestamp: moment(times.inactive_enter_usec),
            inactive_exit_timestamp: moment(times.inactive_exit_usec),
            can_start: Some(usable && !section.refuse_manual_start),
            can_stop: Some(usable && !section.refuse_manual_stop),
            can_reload: Some(self.engine.can_reload(unit)),
            can_isolate: Some(usable && section.allow_isolate),
            job_id: status.job.map(|(id, _)| id.0),
            invocation_id: self.invocations.get(&definition.name).cloned(),
            markers: self
                .clients
                .markers
                .0
                .get(&definition.name)
                .map(|marker| vec![*marker]),
            cgroup: group,
        };
        Some(UnitEntry { context, runtime })
    }

    fn job_entries(&self, id: Option<u32>, unit: Option<&str>) -> (Vec<JobEntry>, Option<&'static str>) {
        let jobs = self.engine.jobs().into_iter();
        let entries = jobs.map(|job| JobEntry {
            id: job.id.0,
            unit: self.engine.name(job.unit).map(ToString::to_string),
            job_type: word(job.kind).replace('-', "_"),
            state: Some(if job.running { "running" } else { "waiting" }.to_owned()),
        });
        let fits = |entry: &JobEntry| {
            id.is_none_or(|id| entry.id == id) && unit.is_none_or(|unit| entry.unit.as_deref() == Some(unit))
        };
        let filter = id.map(|_| "id").or(unit.map(|_| "unit"));
        (entries.filter(fits).collect(), filter)
    }
}

/// What everybody may know of how a service runs: not its environment.
fn exec_context(exec: &softboot_unit::ExecContext) -> ExecContext {
    let directory = exec.working_directory.as_deref();
    ExecContext {
        working_directory: directory.map(|path| WorkingDirectory {
            path: Some(path.to_owned()).filter(|path| path != "~"),
            home: Some(path == "~"),
            missing_ok: Some(exec.working_directory_optional),
        }),
        root_directory: exec.root_directory.clone(),
        user: exec.user.clone(),
        group: exec.group.clone(),
        supplementary_groups: Some(exec.supplementary_groups.clone()),
        no_new_privileges: Some(exec.no_new_privileges),
        umask: Some(exec.umask),
        oom_score_adjust: exec.oom_score_adjust,
        ignore_sigpipe: Some(exec.ignore_sigpipe),
        nice: exec.nice,
        environment: None,
    }
}

fn service_context(service: &ServiceSection) -> ServiceContext {
    let command = |command: &softboot_unit::ExecCommand| ExecCommand {
        path: command.path.clone(),
        arguments: command.argv.clone(),
        ignore_failure: Some(command.ignore_failure),
        privileged: Some(command.full_privileges),
        no_setuid: Some(command.keep_user),
        no_env_expand: Some(command.no_substitution),
        via_shell: Some(false),
    };
    ServiceContext {
        kind: Some(word(service.service_type).replace('-', "_")),
        remain_after_exit: Some(service.remain_after_exit),
        exec_start: service.exec_start.iter().map(command).collect(),
    }
}

/// A moment of CLOCK_MONOTONIC on both clocks.
fn moment(monotonic: Option<u64>) -> Option<Timestamp> {
    let now = clock::now();
    monotonic.map(|at| Timestamp {
        realtime: Some(now.realtime.0.saturating_add(at).saturating_sub(now.monotonic.0)),
        monotonic: Some(at),
    })
}
