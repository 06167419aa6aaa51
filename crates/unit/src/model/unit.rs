//! `[Unit]` and `[Install]`.

use serde::{Deserialize, Serialize};

use super::{Condition, Dependency, EmergencyAction, JobMode, Lazy, Rare, RateLimit, Usec};
use crate::name::UnitName;

/// `[Unit]`, with the dependencies of `[Install]`-made directories and the implicit ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UnitSection {
    /// `Description=`; the unit's name when absent.
    pub description: String,
    /// `Documentation=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub documentation: Vec<String>,
    /// Every dependency on another unit, implicit and default ones included.
    #[serde(skip_serializing_if = "super::lazy::is_default")]
    pub dependencies: Lazy<Vec<Dependency>>,
    /// `DefaultDependencies=`.
    #[serde(skip_serializing_if = "super::sparse::usual::is_true")]
    pub default_dependencies: bool,
    /// `Condition…=`, in file order.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub conditions: Vec<Condition>,
    /// `Assert…=`, in file order.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub asserts: Vec<Condition>,
    /// `AllowIsolate=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub allow_isolate: bool,
    /// `IgnoreOnIsolate=`, with the type's default applied (semantics 2.5).
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub ignore_on_isolate: bool,
    /// `RefuseManualStart=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub refuse_manual_start: bool,
    /// `RefuseManualStop=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub refuse_manual_stop: bool,
    /// `StopWhenUnneeded=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub stop_when_unneeded: bool,
    /// `SurviveFinalKillSignal=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub survive_final_kill_signal: bool,
    /// `SurviveSoftReboot=`: yes is the whole recipe of a survivor, see [`crate::recipe`]; no closes a socket that would
    /// stay open otherwise, see [`crate::stays_open`].
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub survive_soft_reboot: Option<bool>,
    /// `StartLimitIntervalSec=` and `StartLimitBurst=`; zero in either disables it.
    #[serde(skip_serializing_if = "super::sparse::usual::is_start_limit")]
    pub start_limit: RateLimit,
    /// `JobTimeoutSec=`.
    #[serde(skip_serializing_if = "super::sparse::usual::is_infinite")]
    pub job_timeout: Usec,
    /// `JobRunningTimeoutSec=`.
    #[serde(skip_serializing_if = "super::sparse::usual::is_infinite")]
    pub job_running_timeout: Usec,
    /// `JobTimeoutAction=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub job_timeout_action: EmergencyAction,
    /// `StartLimitAction=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub start_limit_action: EmergencyAction,
    /// `SuccessAction=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub success_action: EmergencyAction,
    /// `FailureAction=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub failure_action: EmergencyAction,
    /// `OnFailureJobMode=` (default replace).
    #[serde(skip_serializing_if = "super::sparse::usual::is_replace")]
    pub on_failure_job_mode: JobMode,
    /// `OnSuccessJobMode=` (default fail).
    #[serde(skip_serializing_if = "super::sparse::usual::is_fail")]
    pub on_success_job_mode: JobMode,
    /// `RequiresMountsFor=`: absolute paths. Mount units that have a file are among the dependencies already.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub requires_mounts_for: Vec<String>,
    /// `WantsMountsFor=`, likewise.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub wants_mounts_for: Vec<String>,
    /// `JoinsNamespaceOf=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub joins_namespace_of: Vec<UnitName>,
    /// `CollectMode=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub collect_mode: CollectMode,
    /// `SourcePath=`: the file that a generator made the unit from.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub source_path: Option<String>,
    /// `RebootArgument=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub reboot_argument: Option<String>,
    /// `JobTimeoutRebootArgument=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub job_timeout_reboot_argument: Option<String>,
    /// `SuccessActionExitStatus=`: 0 to 255.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub success_action_exit_status: Option<u8>,
    /// `FailureActionExitStatus=`: 0 to 255.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub failure_action_exit_status: Option<u8>,
    /// What `[Install]` says; softbootd itself never acts on it.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub install: Rare<InstallSection>,
}

/// `[Install]` (semantics 5.8).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InstallSection {
    /// `WantedBy=`.
    pub wanted_by: Vec<UnitName>,
    /// `RequiredBy=`.
    pub required_by: Vec<UnitName>,
    /// `UpheldBy=`.
    pub upheld_by: Vec<UnitName>,
    /// `Alias=`.
    pub alias: Vec<UnitName>,
    /// `Also=`.
    pub also: Vec<UnitName>,
    /// `DefaultInstance=`.
    pub default_instance: Option<String>,
}

impl InstallSection {
    /// Nothing is asked for: the unit cannot be enabled.
    pub fn is_empty(&self) -> bool {
        *self == InstallSection::default()
    }
}

/// `CollectMode=`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CollectMode {
    /// An inactive unit may be forgotten, a failed one not.
    #[default]
    Inactive,
    /// A failed one as well.
    InactiveOrFailed,
}

impl UnitSection {
    /// The section of an empty file named `name`.
    pub fn empty(name: &UnitName) -> UnitSection {
        use crate::name::UnitKind as K;
        UnitSection {
            description: name.to_string(),
            ignore_on_isolate: matches!(
                name.kind(),
                K::Slice | K::Scope | K::Device | K::Swap | K::Mount | K::Automount
            ),
            ..UnitSection::default()
        }
    }
}

impl Default for UnitSection {
    fn default() -> UnitSection {
        UnitSection {
            description: String::new(),
            documentation: Vec::new(),
            dependencies: Lazy::default(),
            default_dependencies: true,
            conditions: Vec::new(),
            asserts: Vec::new(),
            allow_isolate: false,
            ignore_on_isolate: false,
            refuse_manual_start: false,
            refuse_manual_stop: false,
            stop_when_unneeded: false,
            survive_final_kill_signal: false,
            survive_soft_reboot: None,
            start_limit: RateLimit::START_LIMIT,
            job_timeout: Usec::INFINITY,
            job_running_timeout: Usec::INFINITY,
            job_timeout_action: EmergencyAction::None,
            start_limit_action: EmergencyAction::None,
            success_action: EmergencyAction::None,
            failure_action: EmergencyAction::None,
            on_failure_job_mode: JobMode::Replace,
            on_success_job_mode: JobMode::Fail,
            requires_mounts_for: Vec::new(),
            wants_mounts_for: Vec::new(),
            joins_namespace_of: Vec::new(),
            collect_mode: CollectMode::Inactive,
            source_path: None,
            reboot_argument: None,
            job_timeout_reboot_argument: None,
            success_action_exit_status: None,
            failure_action_exit_status: None,
            install: Rare::default(),
        }
    }
}
