//! Properties of units and of the manager, with the names that tools know (semantics 8.3).

use serde_json::{Map, Value, json};
use softboot_control::api::{ApiError, PropertiesReply};
use softboot_control::systemd::RELATIONS;
use softboot_engine::{ExitStatus, UnitId, UnitStatus};
use softboot_unit::{
    Cleanable, Definition, ExecCommand, KindSection, LoadState, ServiceSection, SocketSection, UnitName,
};

use super::describe::word;
use crate::clock;
use crate::run::Manager;
use crate::socket::describe_port;

/// What `ExecMainCode` says of a process that ended: CLD_EXITED, CLD_KILLED, CLD_DUMPED of waitid(2).
const EXITED: i32 = 1;
const KILLED: i32 = 2;
const DUMPED: i32 = 3;

/// Collects properties.
struct Sheet(Map<String, Value>);

impl Sheet {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }
}

impl Manager {
    /// `GetProperties`. The environment may hold secrets, so only root gets it.
    pub(super) fn get_properties(&mut self, client: u64, name: Option<&str>, privileged: bool) {
        let properties = match name {
            None => Ok(self.manager_properties(privileged)),
            Some(name) => self.unit_properties(name, privileged),
        };
        match properties {
            Ok(properties) => self.reply(client, &PropertiesReply { properties }),
            Err(error) => self.reply_error(client, &error),
        }
    }

    fn manager_properties(&self, privileged: bool) -> Map<String, Value> {
        let info = self.manager_info();
        let mut sheet = Sheet(Map::new());
        sheet.put("Version", info.version);
        sheet.put("Architecture", std::env::consts::ARCH);
        sheet.put("SystemState", info.state);
        sheet.put("SoftRebootsCount", info.soft_reboots);
        sheet.put("NNames", info.units);
        sheet.put("NFailedUnits", info.failed);
        sheet.put("NJobs", info.jobs);
        sheet.put("UserspaceTimestampMonotonic", info.started_usec);
        sheet.put("FinishTimestampMonotonic", info.boot_finished_usec.unwrap_or(0));
        sheet.put("ControlGroup", "");
        sheet.put("UnitPath", softboot_unit::default_paths());
        sheet.put("ExitCode", self.exit_code);
        if privileged {
            sheet.put("Environment", self.environment_lines());
        }
        sheet.0
    }

    fn unit_properties(&mut self, name: &str, privileged: bool) -> Result<Map<String, Value>, ApiError> {
        let unit = self.find_or_load(name)?;
        let mut sheet = Sheet(Map::new());
        let (Some(status), Some(definition)) = (self.engine.status(unit), self.engine.definition(unit))
        else {
            return Ok(sheet.0);
        };
        self.put_state(&mut sheet, unit, &status, definition);
        put_settings(&mut sheet, definition);
        for relation in RELATIONS {
            sheet.put(relation, Vec::<String>::new());
        }
        for (relation, names) in self.engine.dependencies(unit) {
            sheet.put(&relation, texts(&names));
        }
        match &definition.kind {
            KindSection::Service(service) => put_service(&mut sheet, &status, service, privileged),
            KindSection::Socket(socket) => {
                put_socket(&mut sheet, &status, socket);
                let fd_name = self.socket_fd_name(&definition.name);
                sheet.put("FileDescriptorName", fd_name.unwrap_or_default());
            }
            _ => {}
        }
        if crate::process::commands::slice_of(definition).is_some() {
            self.put_group(&mut sheet, &definition.name);
        }
        Ok(sheet.0)
    }

    /// The unit's cgroup, and what is used in it: no number where the kernel says none.
    fn put_group(&self, sheet: &mut Sheet, name: &UnitName) {
        let relative = self.cgroup_of(name);
        let read = |file: &str| {
            let group = self.cgroups.path(relative.as_deref()?);
            std::fs::read_to_string(group.join(file)).ok()
        };
        let number = |file: &str| read(file)?.trim().parse::<u64>().ok();
        sheet.put("MemoryCurrent", number("memory.current"));
        sheet.put("TasksCurrent", number("pids.current"));
        let used = read("cpu.stat").and_then(|text| {
            let line = text.lines().find_map(|line| line.strip_prefix("usage_usec "))?;
            line.trim().parse::<u64>().ok()?.checked_mul(1000)
        });
        sheet.put("CPUUsageNSec", used);
        let path = relative.as_ref().map(|group| format!("/{group}"));
        sheet.put("ControlGroup", path.unwrap_or_default());
    }

    fn put_state(&self, sheet: &mut Sheet, unit: UnitId, status: &UnitStatus, definition: &Definition) {
        let mut names = vec![definition.name.to_string()];
        names.extend(definition.aliases.iter().map(ToString::to_string));
        sheet.put("Id", status.name.to_string());
        sheet.put("Names", names);
        sheet.put("Description", status.description.as_str());
        sheet.put("LoadState", status.load.as_str());
        let reason = match &definition.load {
            LoadState::BadSetting(reason) | LoadState::Error(reason) => reason.as_str(),
            _ => "",
        };
        sheet.put("LoadError", reason);
        sheet.put("ActiveState", status.active.word());
        sheet.put("SubState", status.sub.as_str());
        sheet.put("FragmentPath", definition.fragment.as_deref().unwrap_or(""));
        sheet.put("DropInPaths", definition.drop_ins.clone());
        sheet.put("StateChangeTimestamp", status.changed_realtime.0);
        sheet.put("StateChangeTimestampMonotonic", status.changed_monotonic.0);
        let times = self.clients.timeline.of(&status.name);
        for (name, time) in [
            ("InactiveExit", times.inactive_exit_usec),
            ("ActiveEnter", times.active_enter_usec),
            ("ActiveExit", times.active_exit_usec),
            ("InactiveEnter", times.inactive_enter_usec),
        ] {
            put_times(sheet, name, time);
        }
        sheet.put("Job", status.job.map_or(0, |(id, _)| id.0));
        sheet.put("CanReload", self.engine.can_reload(unit));
        let usable = definition.load == LoadState::Loaded;
        sheet.put("CanStart", usable && !definition.unit.refuse_manual_start);
        sheet.put("CanStop", usable && !definition.unit.refuse_manual_stop);
        sheet.put("CanIsolate", usable && definition.unit.allow_isolate);
        let clean = match &definition.kind {
            KindSection::Service(service) if usable => Cleanable::of(service),
            _ => Vec::new(),
        };
        let clean: Vec<&str> = clean.into_iter().map(Cleanable::word).collect();
        sheet.put("CanClean", clean);
        let transient = super::transient::is_transient(definition);
        sheet.put("Transient", transient);
        sheet.put("NeedDaemonReload", self.needs_reload(definition));
        let invocation = self.invocations.get(&definition.name);
        sheet.put("InvocationID", invocation.map_or("", String::as_str));
    }
}

/// A moment of CLOCK_MONOTONIC on both clocks; 0 for none.
fn put_times(sheet: &mut Sheet, name: &str, at: Option<u64>) {
    let now = clock::now();
    let at = at.filter(|at| *at > 0);
    let realtime = at.map(|at| now.realtime.0.saturating_add(at).saturating_sub(now.monotonic.0));
    sheet.put(&format!("{name}Timestamp"), realtime.unwrap_or(0));
    sheet.put(&format!("{name}TimestampMonotonic"), at.unwrap_or(0));
}

fn put_settings(sheet: &mut Sheet, definition: &Definition) {
    let unit = &definition.unit;
    sheet.put("Documentation", unit.documentation.clone());
    sheet.put("DefaultDependencies", unit.default_dependencies);
    sheet.put("AllowIsolate", unit.allow_isolate);
    sheet.put("IgnoreOnIsolate", unit.ignore_on_isolate);
    sheet.put("RefuseManualStart", unit.refuse_manual_start);
    sheet.put("RefuseManualStop", unit.refuse_manual_stop);
    sheet.put("StopWhenUnneeded", unit.stop_when_unneeded);
    sheet.put("SurviveFinalKillSignal", unit.survive_final_kill_signal);
    sheet.put("SurviveSoftReboot", unit.survive_soft_reboot == Some(true));
    sheet.put("StartLimitIntervalUSec", unit.start_limit.interval.0);
    sheet.put("StartLimitBurst", unit.start_limit.burst);
    sheet.put("JobTimeoutUSec", unit.job_timeout.0);
    sheet.put("JobRunningTimeoutUSec", unit.job_running_timeout.0);
    sheet.put("JobTimeoutAction", word(unit.job_timeout_action));
    sheet.put("StartLimitAction", word(unit.start_limit_action));
    sheet.put("SuccessAction", word(unit.success_action));
    sheet.put("FailureAction", word(unit.failure_action));
    sheet.put("OnFailureJobMode", word(unit.on_failure_job_mode));
    sheet.put("OnSuccessJobMode", word(unit.on_success_job_mode));
}

fn put_service(sheet: &mut Sheet, status: &UnitStatus, service: &ServiceSection, privileged: bool) {
    sheet.put("Type", word(service.service_type));
    sheet.put("Restart", word(service.restart));
    sheet.put("PIDFile", service.pid_file.as_deref().unwrap_or(""));
    sheet.put("NotifyAccess", word(service.notify_access));
    sheet.put("RestartUSec", service.restart_delay.0);
    sheet.put("RemainAfterExit", service.remain_after_exit);
    sheet.put("TimeoutStartUSec", service.timeout_start.0);
    sheet.put("TimeoutStopUSec", service.timeout_stop.0);
    sheet.put("RuntimeMaxUSec", service.runtime_max.0);
    sheet.put("WatchdogUSec", service.watchdog.0);
    sheet.put("FileDescriptorStoreMax", service.fd_store_max);
    sheet.put("FileDescriptorStorePreserve", word(service.fd_store_preserve));
    sheet.put("NFileDescriptorStore", status.stored_fds);
    sheet.put("StatusText", status.status_text.as_deref().unwrap_or(""));
    sheet.put("StatusErrno", status.errno.unwrap_or(0));
    sheet.put("StatusBusError", status.error_name.as_deref().unwrap_or(""));
    sheet.put("Result", status.result.as_deref().unwrap_or(""));
    sheet.put("CleanResult", status.clean_result.as_deref().unwrap_or(""));
    sheet.put("TimeoutCleanUSec", service.timeout_clean.0);
    sheet.put("NRestarts", status.restarts);
    sheet.put("MainPID", status.main_pid.unwrap_or(0));
    sheet.put("ControlPID", status.control_pid.unwrap_or(0));
    let (code, number) = match status.main_status {
        Some(ExitStatus::Exited(number)) => (EXITED, number),
        Some(ExitStatus::Signaled(number)) => (KILLED, number),
        Some(ExitStatus::Dumped(number)) => (DUMPED, number),
        None => (0, 0),
    };
    sheet.put("ExecMainCode", code);
    sheet.put("ExecMainStatus", number);
    sheet.put("ExecMainPID", status.last_main_pid.unwrap_or(0));
    for (name, at) in [
        ("ExecMainStart", status.main_started),
        ("ExecMainExit", status.main_ended),
    ] {
        put_times(sheet, name, at.map(|at| at.0));
    }
    for (name, list) in [
        ("ExecCondition", &service.exec_condition),
        ("ExecStartPre", &service.exec_start_pre),
        ("ExecStart", &service.exec_start),
        ("ExecStartPost", &service.exec_start_post),
        ("ExecReload", &service.exec_reload),
        ("ExecStop", &service.exec_stop),
        ("ExecStopPost", &service.exec_stop_post),
    ] {
        if !list.is_empty() {
            sheet.put(name, list.iter().map(command).collect::<Vec<_>>());
        }
    }
    sheet.put("KillMode", word(service.kill.mode));
    sheet.put("KillSignal", service.kill.signal);
    sheet.put("FinalKillSignal", service.kill.final_signal);
    sheet.put("SendSIGKILL", service.kill.send_sigkill);
    sheet.put("SendSIGHUP", service.kill.send_sighup);
    sheet.put("Slice", service.slice.to_string());
    sheet.put("Delegate", service.delegate);
    sheet.put("MemoryMax", service.memory_max.unwrap_or(u64::MAX));
    sheet.put("TasksMax", service.tasks_max.unwrap_or(u64::MAX));
    sheet.put("Sockets", texts(&service.sockets));
    let exec = &service.exec;
    sheet.put("User", exec.user.as_deref().unwrap_or(""));
    sheet.put("Group", exec.group.as_deref().unwrap_or(""));
    let directory = exec.working_directory.as_deref();
    sheet.put("WorkingDirectory", directory.unwrap_or(""));
    sheet.put("UMask", format!("{:04o}", exec.umask));
    sheet.put("NoNewPrivileges", exec.no_new_privileges);
    sheet.put("RuntimeDirectory", exec.runtime_directory.clone());
    if privileged {
        let variables = exec.environment.iter();
        let variables: Vec<String> = variables.map(|(name, value)| format!("{name}={value}")).collect();
        sheet.put("Environment", variables);
    }
}

fn put_socket(sheet: &mut Sheet, status: &UnitStatus, socket: &SocketSection) {
    let ports = socket.ports.iter();
    let listen: Vec<Value> = ports
        .map(|port| json!([listen_word(port.kind), describe_port(port)]))
        .collect();
    sheet.put("Listen", listen);
    sheet.put("Accept", socket.accept);
    sheet.put("Backlog", socket.backlog);
    sheet.put("MaxConnections", socket.max_connections);
    sheet.put("MaxConnectionsPerSource", socket.max_connections_per_source);
    sheet.put("DeferTrigger", word(socket.defer_trigger));
    sheet.put("DeferTriggerMaxUSec", socket.defer_trigger_max.0);
    sheet.put("FlushPending", socket.flush_pending);
    sheet.put("RemoveOnStop", socket.remove_on_stop);
    sheet.put("SocketMode", format!("{:04o}", socket.socket_mode));
    sheet.put("DirectoryMode", format!("{:04o}", socket.directory_mode));
    sheet.put("TriggerLimitIntervalUSec", socket.trigger_limit.interval.0);
    sheet.put("TriggerLimitBurst", socket.trigger_limit.burst);
    sheet.put("PollLimitIntervalUSec", socket.poll_limit.interval.0);
    sheet.put("PollLimitBurst", socket.poll_limit.burst);
    sheet.put("TimeoutUSec", socket.timeout.0);
    sheet.put("NAccepted", status.accepted);
    sheet.put("NConnections", status.connections);
    sheet.put("NRefused", status.refused);
    sheet.put("Result", status.result.as_deref().unwrap_or(""));
}

/// The kind of a port as the property `Listen` has it.
fn listen_word(kind: softboot_unit::PortKind) -> &'static str {
    match kind {
        softboot_unit::PortKind::Stream => "Stream",
        softboot_unit::PortKind::Datagram => "Datagram",
        softboot_unit::PortKind::SequentialPacket => "SequentialPacket",
        softboot_unit::PortKind::Fifo => "FIFO",
        softboot_unit::PortKind::Special => "Special",
        softboot_unit::PortKind::Netlink => "Netlink",
        softboot_unit::PortKind::MessageQueue => "MessageQueue",
    }
}

fn command(command: &ExecCommand) -> Value {
    json!({
        "path": command.path,
        "argv": command.argv,
        "ignoreErrors": command.ignore_failure,
    })
}

fn texts(values: &[impl ToString]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}
