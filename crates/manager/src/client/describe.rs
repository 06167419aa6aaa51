//! What clients see of units.

use std::fs;

use rustix::net::sockopt;
use softboot_control::api::{FdInfo, JobBrief, ListenInfo, LogLine, ProcessInfo, UnitDetail, UnitInfo};
use softboot_engine::{ExitStatus, UnitId, UnitStatus};
use softboot_unit::{KindSection, UnitName, signal_name};

use crate::cgroup;
use crate::owner::Role;
use crate::run::Manager;
use crate::socket::{describe_port, kind_word};
use crate::unit_log::{self, Line};

/// Lines of the log that a unit's details show.
const LOG_TAIL: usize = 10;
/// A command line longer than this is cut.
const COMMAND_MAX: usize = 256;

/// The word an enum has in its serialised form: one source for the interface's words.
pub(super) fn word(value: impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

pub(super) fn log_line(line: Line) -> LogLine {
    LogLine {
        time_usec: line.time.0,
        text: line.text,
    }
}

impl Manager {
    /// The short form of every unit.
    pub(super) fn unit_infos(&self) -> Vec<UnitInfo> {
        self.engine
            .ids()
            .filter_map(|unit| self.engine.status(unit))
            .map(info)
            .collect()
    }

    /// The short form of one.
    pub(super) fn unit_info(&self, unit: UnitId) -> Option<UnitInfo> {
        self.engine.status(unit).map(info)
    }

    /// The long form. Logs and command lines only for those who may read them.
    pub(super) fn unit_detail(&self, unit: UnitId, privileged: bool) -> UnitDetail {
        let Some(definition) = self.engine.definition(unit) else {
            return UnitDetail::default();
        };
        let name = &definition.name;
        let cgroup = self
            .cgroup_of(name)
            .filter(|relative| self.cgroups.path(relative).exists());
        let log_tail = if privileged {
            unit_log::tail(name, LOG_TAIL)
        } else {
            Vec::new()
        };
        UnitDetail {
            fragment: definition.fragment.clone(),
            drop_ins: definition.drop_ins.clone(),
            diagnostics: definition.diagnostics.iter().map(ToString::to_string).collect(),
            processes: cgroup
                .as_deref()
                .map(|path| self.processes_below(path))
                .unwrap_or_default(),
            cgroup: cgroup.map(|relative| format!("/{relative}")),
            listen: self.listen_infos(unit, name),
            fds: self.fd_infos(name),
            log_tail: log_tail.into_iter().map(log_line).collect(),
        }
    }

    fn processes_below(&self, relative: &str) -> Vec<ProcessInfo> {
        cgroup::subtree(&self.cgroups.path(relative))
            .iter()
            .flat_map(|group| cgroup::processes(group))
            .map(|pid| ProcessInfo {
                pid,
                command: command_line(pid),
            })
            .collect()
    }

    fn listen_infos(&self, unit: UnitId, name: &UnitName) -> Vec<ListenInfo> {
        let Some(KindSection::Socket(section)) = self.engine.definition(unit).map(|d| &d.kind) else {
            return Vec::new();
        };
        let owner = Role::Port.of(name);
        let fd_name = self.socket_fd_name(name).unwrap_or_else(|| {
            if section.accept {
                "connection".to_owned()
            } else {
                name.to_string()
            }
        });
        section
            .ports
            .iter()
            .enumerate()
            .map(|(position, port)| {
                let entry = fdstore::FdName::new(&position.to_string())
                    .ok()
                    .and_then(|position| self.store.find(&owner, &position));
                let cookie = entry
                    .and_then(|id| self.store.fd(id))
                    .and_then(|fd| sockopt::socket_cookie(fd).ok());
                ListenInfo {
                    address: describe_port(port),
                    kind: kind_word(port.kind).to_owned(),
                    fd_name: fd_name.clone(),
                    cookie,
                }
            })
            .collect()
    }

    pub(super) fn fd_infos(&self, name: &UnitName) -> Vec<FdInfo> {
        self.store
            .entries_of(&Role::Store.of(name))
            .map(|entry| {
                let path = self.store.fd(entry.id()).map(|fd| {
                    use std::os::fd::AsRawFd as _;
                    fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()))
                        .map(|path| path.to_string_lossy().into_owned())
                        .unwrap_or_default()
                });
                FdInfo {
                    name: entry.name().to_string(),
                    kind: entry.identity().kind().to_string(),
                    inode: entry.identity().inode(),
                    cookie: entry.identity().cookie(),
                    path: path.unwrap_or_default(),
                }
            })
            .collect()
    }
}

fn info(status: UnitStatus) -> UnitInfo {
    UnitInfo {
        name: status.name.to_string(),
        description: status.description,
        load: status.load,
        active: status.active.word().to_owned(),
        sub: status.sub,
        result: status.result,
        job: status.job.map(|(id, kind)| JobBrief {
            id: id.0,
            kind: word(kind),
        }),
        main_pid: status.main_pid,
        control_pid: status.control_pid,
        restarts: status.restarts,
        stored_fds: status.stored_fds,
        accepted: status.accepted,
        connections: status.connections,
        refused: status.refused,
        triggers: status.triggers.iter().map(ToString::to_string).collect(),
        triggered_by: status.triggered_by.iter().map(ToString::to_string).collect(),
        status_text: status.status_text,
        main_status: status.main_status.map(exit_text),
        changed_realtime_usec: status.changed_realtime.0,
        survives: status.survives,
    }
}

fn exit_text(status: ExitStatus) -> String {
    match status {
        ExitStatus::Exited(code) => format!("exited {code}"),
        ExitStatus::Signaled(signal) => format!("killed SIG{}", signal_name(signal)),
        ExitStatus::Dumped(signal) => format!("dumped SIG{}", signal_name(signal)),
    }
}

fn command_line(pid: i32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let text: String = String::from_utf8_lossy(&bytes)
        .trim_end_matches('\0')
        .chars()
        .map(|c| if c == '\0' { ' ' } else { c })
        .take(COMMAND_MAX)
        .collect();
    if text.is_empty() {
        // A process that is being made or has ended shows only its short name.
        return fs::read_to_string(format!("/proc/{pid}/comm"))
            .map(|name| format!("[{}]", name.trim_end()))
            .unwrap_or_default();
    }
    text
}
