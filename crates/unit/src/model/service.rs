//! `[Service]`.

use serde::{Deserialize, Serialize};

use super::sparse::usual;
use super::{
    ExecCommand, ExecContext, ExitType, KillSettings, OomPolicy, OpenFile, Rare, RestartSettings,
    TimeoutFailureMode, Usec,
};
use crate::name::UnitName;

/// `[Service]` with every default applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceSection {
    /// `Type=`.
    pub service_type: ServiceType,
    /// `ExecCondition=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub exec_condition: Vec<ExecCommand>,
    /// `ExecStartPre=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub exec_start_pre: Vec<ExecCommand>,
    /// `ExecStart=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub exec_start: Vec<ExecCommand>,
    /// `ExecStartPost=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub exec_start_post: Vec<ExecCommand>,
    /// `ExecReload=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub exec_reload: Vec<ExecCommand>,
    /// `ExecStop=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub exec_stop: Vec<ExecCommand>,
    /// `ExecStopPost=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub exec_stop_post: Vec<ExecCommand>,
    /// `Restart=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub restart: RestartPolicy,
    /// `RestartSec=` (default 100 ms).
    #[serde(skip_serializing_if = "super::sparse::usual::is_restart_delay")]
    pub restart_delay: Usec,
    /// `RemainAfterExit=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub remain_after_exit: bool,
    /// `TimeoutStartSec=`; 90 s, infinite for oneshot.
    #[serde(skip_serializing_if = "super::sparse::usual::is_timeout")]
    pub timeout_start: Usec,
    /// `TimeoutStopSec=`; 90 s.
    #[serde(skip_serializing_if = "super::sparse::usual::is_timeout")]
    pub timeout_stop: Usec,
    /// `RuntimeMaxSec=`.
    #[serde(skip_serializing_if = "super::sparse::usual::is_infinite")]
    pub runtime_max: Usec,
    /// `WatchdogSec=`; zero or infinite: off.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub watchdog: Usec,
    /// `NotifyAccess=`, already raised as semantics 3.2 says.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub notify_access: NotifyAccess,
    /// `FileDescriptorStoreMax=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub fd_store_max: u32,
    /// `FileDescriptorStorePreserve=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub fd_store_preserve: FdStorePreserve,
    /// `NonBlocking=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub non_blocking: bool,
    /// `Sockets=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub sockets: Vec<UnitName>,
    /// `SuccessExitStatus=`: exit codes.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub success_exit_codes: Vec<i32>,
    /// `SuccessExitStatus=`: signal numbers.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub success_signals: Vec<i32>,
    /// `RestartPreventExitStatus=`: exit codes.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub restart_prevent_codes: Vec<i32>,
    /// `RestartForceExitStatus=`: exit codes.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub restart_force_codes: Vec<i32>,
    /// `KillMode=` and its signals.
    #[serde(
        skip_serializing_if = "super::sparse::is_default",
        serialize_with = "super::sparse::serialize"
    )]
    pub kill: Rare<KillSettings>,
    /// `PIDFile=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub pid_file: Option<String>,
    /// `BusName=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub bus_name: Option<String>,
    /// `Slice=` (default system.slice, or system-PREFIX.slice for an instance).
    #[serde(skip_serializing_if = "super::sparse::usual::is_system_slice")]
    pub slice: UnitName,
    /// `Delegate=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub delegate: bool,
    /// `MemoryMax=` in bytes; `None`: no limit.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub memory_max: Option<u64>,
    /// `TasksMax=`; `None`: no limit.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub tasks_max: Option<u64>,
    /// Everything else about its processes.
    #[serde(
        skip_serializing_if = "super::sparse::is_default",
        serialize_with = "super::sparse::serialize"
    )]
    pub exec: Rare<ExecContext>,
    /// `ExecReloadPost=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub exec_reload_post: Vec<ExecCommand>,
    /// Delays and exceptions of `Restart=`.
    #[serde(
        skip_serializing_if = "super::sparse::is_default",
        serialize_with = "super::sparse::serialize"
    )]
    pub restart_settings: Rare<RestartSettings>,
    /// `ExitType=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub exit_type: ExitType,
    /// `TimeoutAbortSec=`; `None`: as `TimeoutStopSec=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub timeout_abort: Option<Usec>,
    /// `TimeoutStartFailureMode=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub timeout_start_failure_mode: TimeoutFailureMode,
    /// `TimeoutStopFailureMode=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub timeout_stop_failure_mode: TimeoutFailureMode,
    /// `RuntimeRandomizedExtraSec=`: a random part of this is added to `RuntimeMaxSec=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub runtime_randomized_extra: Usec,
    /// `OOMPolicy=`; `None`: stop, or continue when delegated.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub oom_policy: Option<OomPolicy>,
    /// `OpenFile=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub open_files: Vec<OpenFile>,
    /// `GuessMainPID=` (default yes).
    #[serde(skip_serializing_if = "super::sparse::usual::is_true")]
    pub guess_main_pid: bool,
    /// `ReloadSignal=` (default SIGHUP), as a number.
    #[serde(skip_serializing_if = "super::sparse::usual::is_reload_signal")]
    pub reload_signal: i32,
    /// `TimeoutCleanSec=`: how long removing what the service leaves behind may take.
    #[serde(skip_serializing_if = "super::sparse::usual::is_infinite")]
    pub timeout_clean: Usec,
    /// `RootDirectoryStartOnly=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub root_directory_start_only: bool,
}

impl Default for ServiceSection {
    /// The section of an empty file.
    fn default() -> ServiceSection {
        ServiceSection {
            service_type: ServiceType::Simple,
            exec_condition: Vec::new(),
            exec_start_pre: Vec::new(),
            exec_start: Vec::new(),
            exec_start_post: Vec::new(),
            exec_reload: Vec::new(),
            exec_stop: Vec::new(),
            exec_stop_post: Vec::new(),
            restart: RestartPolicy::No,
            restart_delay: usual::RESTART_DELAY,
            remain_after_exit: false,
            timeout_start: usual::TIMEOUT,
            timeout_stop: usual::TIMEOUT,
            runtime_max: Usec::INFINITY,
            watchdog: Usec::ZERO,
            notify_access: NotifyAccess::None,
            fd_store_max: 0,
            fd_store_preserve: FdStorePreserve::Restart,
            non_blocking: false,
            sockets: Vec::new(),
            success_exit_codes: Vec::new(),
            success_signals: Vec::new(),
            restart_prevent_codes: Vec::new(),
            restart_force_codes: Vec::new(),
            kill: Rare::default(),
            pid_file: None,
            bus_name: None,
            slice: UnitName::system_slice(),
            delegate: false,
            memory_max: None,
            tasks_max: None,
            exec: Rare::default(),
            exec_reload_post: Vec::new(),
            restart_settings: Rare::default(),
            exit_type: ExitType::Main,
            timeout_abort: None,
            timeout_start_failure_mode: TimeoutFailureMode::Terminate,
            timeout_stop_failure_mode: TimeoutFailureMode::Terminate,
            runtime_randomized_extra: Usec::ZERO,
            oom_policy: None,
            open_files: Vec::new(),
            guess_main_pid: true,
            reload_signal: usual::RELOAD_SIGNAL,
            timeout_clean: Usec::INFINITY,
            root_directory_start_only: false,
        }
    }
}

/// `Type=` (semantics 4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the setting's own words")]
pub enum ServiceType {
    #[default]
    Simple,
    Exec,
    Idle,
    Forking,
    Oneshot,
    Dbus,
    Notify,
    NotifyReload,
}

/// `Restart=` (semantics 4.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the setting's own words")]
pub enum RestartPolicy {
    #[default]
    No,
    Always,
    OnSuccess,
    OnFailure,
    OnAbnormal,
    OnAbort,
    OnWatchdog,
}

/// `NotifyAccess=` (semantics 3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the setting's own words")]
pub enum NotifyAccess {
    #[default]
    None,
    Main,
    Exec,
    All,
}

/// `FileDescriptorStorePreserve=` (semantics 3.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the setting's own words")]
pub enum FdStorePreserve {
    No,
    #[default]
    Restart,
    Yes,
    OnSuccess,
}
