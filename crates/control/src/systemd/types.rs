//! The parameters and replies. Times are in microseconds.

use std::collections::BTreeMap;

use super::marker::Marker;
use serde::{Deserialize, Serialize};

/// The relations that a unit's context has, as the engine names them.
pub const RELATIONS: [&str; 26] = [
    "Wants",
    "WantedBy",
    "Requires",
    "RequiredBy",
    "Requisite",
    "RequisiteOf",
    "BindsTo",
    "BoundBy",
    "PartOf",
    "ConsistsOf",
    "Upholds",
    "UpheldBy",
    "Conflicts",
    "ConflictedBy",
    "Before",
    "After",
    "OnFailure",
    "OnFailureOf",
    "OnSuccess",
    "OnSuccessOf",
    "PropagatesReloadTo",
    "ReloadPropagatedFrom",
    "PropagatesStopTo",
    "StopPropagatedFrom",
    "Triggers",
    "TriggeredBy",
];

/// Which units `io.systemd.Unit.List` is asked for; each given one must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UnitFilter {
    /// The unit of this name or alias.
    pub name: Option<String>,
    /// The unit of this process.
    pub pid: Option<ProcessId>,
    /// The unit of this control group.
    pub cgroup: Option<String>,
    /// The unit with this run.
    #[serde(rename = "invocationID")]
    pub invocation_id: Option<String>,
}

/// A process; 0 is the caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ProcessId {
    /// Its number.
    pub pid: i32,
}

/// The same moment on two clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Timestamp {
    /// Since 1970; null where only the other clock is known.
    pub realtime: Option<u64>,
    /// CLOCK_MONOTONIC.
    pub monotonic: Option<u64>,
}

/// What does not change while softbootd runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are the interface's own")]
pub struct ManagerContext {
    pub service_watchdogs: bool,
    #[serde(rename = "DefaultTimeoutStartUSec")]
    pub default_timeout_start_usec: u64,
    #[serde(rename = "DefaultTimeoutStopUSec")]
    pub default_timeout_stop_usec: u64,
    #[serde(rename = "DefaultRestartUSec")]
    pub default_restart_usec: u64,
    pub control_group: Option<String>,
}

/// What does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are the interface's own")]
pub struct ManagerRuntime {
    pub version: String,
    pub architecture: String,
    pub unit_path: Vec<String>,
    pub userspace_timestamp: Option<Timestamp>,
    pub finish_timestamp: Option<Timestamp>,
    #[serde(rename = "NNames")]
    pub names: u32,
    #[serde(rename = "NFailedUnits")]
    pub failed_units: u32,
    #[serde(rename = "NJobs")]
    pub jobs: u32,
    pub system_state: String,
    pub soft_reboots_count: u32,
}

/// What a unit's files say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are the interface's own")]
pub struct UnitContext {
    #[serde(rename = "Type")]
    pub kind: String,
    #[serde(rename = "ID")]
    pub id: String,
    pub names: Vec<String>,
    pub description: Option<String>,
    pub documentation: Vec<String>,
    /// By relation.
    #[serde(flatten)]
    pub dependencies: BTreeMap<String, Vec<String>>,
    pub stop_when_unneeded: bool,
    pub refuse_manual_start: bool,
    pub refuse_manual_stop: bool,
    pub allow_isolate: bool,
    pub ignore_on_isolate: bool,
    pub default_dependencies: bool,
    pub survive_final_kill_signal: bool,
    pub fragment_path: Option<String>,
    pub drop_in_paths: Vec<String>,
    pub transient: bool,
    /// Words are joined by underscores here.
    pub collect_mode: Option<String>,
    pub exec: Option<ExecContext>,
    pub service: Option<ServiceContext>,
}

/// How a service's processes are run, as far as it can be set at creation. What others than root must not know is not
/// told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are the interface's own")]
pub struct ExecContext {
    pub working_directory: Option<WorkingDirectory>,
    pub root_directory: Option<String>,
    pub user: Option<String>,
    pub group: Option<String>,
    pub supplementary_groups: Option<Vec<String>>,
    pub no_new_privileges: Option<bool>,
    #[serde(rename = "UMask")]
    pub umask: Option<u32>,
    #[serde(rename = "OOMScoreAdjust")]
    pub oom_score_adjust: Option<i32>,
    #[serde(rename = "IgnoreSIGPIPE")]
    pub ignore_sigpipe: Option<bool>,
    pub nice: Option<i32>,
    pub environment: Option<Vec<String>>,
}

/// Where processes begin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the interface's own")]
pub struct WorkingDirectory {
    pub path: Option<String>,
    pub home: Option<bool>,
    #[serde(rename = "missingOK")]
    pub missing_ok: Option<bool>,
}

/// What a service's files say, as far as it can be set at creation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ServiceContext {
    /// Words are joined by underscores here.
    #[serde(rename = "Type")]
    pub kind: Option<String>,
    /// Active after its last process has ended.
    pub remain_after_exit: Option<bool>,
    /// What is run.
    pub exec_start: Vec<ExecCommand>,
}

/// A command line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the interface's own")]
pub struct ExecCommand {
    pub path: String,
    pub arguments: Vec<String>,
    pub ignore_failure: Option<bool>,
    pub privileged: Option<bool>,
    pub no_setuid: Option<bool>,
    pub no_env_expand: Option<bool>,
    pub via_shell: Option<bool>,
}

/// What a unit does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are the interface's own")]
pub struct UnitRuntime {
    pub load_state: Option<String>,
    pub active_state: Option<String>,
    pub sub_state: Option<String>,
    pub state_change_timestamp: Option<Timestamp>,
    pub active_enter_timestamp: Option<Timestamp>,
    pub active_exit_timestamp: Option<Timestamp>,
    pub inactive_enter_timestamp: Option<Timestamp>,
    pub inactive_exit_timestamp: Option<Timestamp>,
    pub can_start: Option<bool>,
    pub can_stop: Option<bool>,
    pub can_reload: Option<bool>,
    pub can_isolate: Option<bool>,
    pub job_id: Option<u32>,
    #[serde(rename = "InvocationID")]
    pub invocation_id: Option<String>,
    pub markers: Option<Vec<Marker>>,
    #[serde(rename = "CGroup")]
    pub cgroup: Option<CGroupRuntime>,
}

/// A unit's control group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CGroupRuntime {
    /// Where it is.
    pub path: Option<String>,
}

/// One reply of `io.systemd.Unit.List`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UnitEntry {
    /// What its files say.
    pub context: UnitContext,
    /// What it does.
    pub runtime: UnitRuntime,
}

/// One reply of `io.systemd.Job.List`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are the interface's own")]
pub struct JobEntry {
    pub id: u32,
    pub unit: Option<String>,
    /// Words are joined by underscores here.
    pub job_type: String,
    pub state: Option<String>,
}

/// A reply of `io.systemd.Unit.StartTransient`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TransientReply {
    /// In the last reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<UnitContext>,
    /// In the last reply, and when it has changed, if the caller wants to know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<UnitRuntime>,
    /// In the last reply, and when it has changed, if the caller wants to know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<TransientJob>,
}

/// The job in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TransientJob {
    /// What `io.systemd.Job.List` says of it too.
    #[serde(flatten)]
    pub job: JobEntry,
    /// How it ended.
    pub result: Option<String>,
}

/// A reply of `io.systemd.Manager.EnqueueMarkedJobs`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names are the interface's own")]
pub struct MarkedReply {
    #[serde(rename = "unitID")]
    pub unit_id: Option<String>,
    #[serde(rename = "jobID")]
    pub job_id: Option<u32>,
    pub error: Option<String>,
    #[serde(rename = "errorMessage")]
    pub error_message: Option<String>,
}
