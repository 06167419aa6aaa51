//! `[Service]`.

use serde::{Deserialize, Serialize};

use super::{ExecCommand, ExecContext, Usec};
use crate::name::UnitName;

/// `[Service]` with every default applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceSection {
    /// `Type=`.
    pub service_type: ServiceType,
    /// `ExecCondition=`.
    #[serde(default)]
    pub exec_condition: Vec<ExecCommand>,
    /// `ExecStartPre=`.
    #[serde(default)]
    pub exec_start_pre: Vec<ExecCommand>,
    /// `ExecStart=`.
    #[serde(default)]
    pub exec_start: Vec<ExecCommand>,
    /// `ExecStartPost=`.
    #[serde(default)]
    pub exec_start_post: Vec<ExecCommand>,
    /// `ExecReload=`.
    #[serde(default)]
    pub exec_reload: Vec<ExecCommand>,
    /// `ExecStop=`.
    #[serde(default)]
    pub exec_stop: Vec<ExecCommand>,
    /// `ExecStopPost=`.
    #[serde(default)]
    pub exec_stop_post: Vec<ExecCommand>,
    /// `Restart=`.
    pub restart: RestartPolicy,
    /// `RestartSec=` (default 100 ms).
    pub restart_delay: Usec,
    /// `RemainAfterExit=`.
    pub remain_after_exit: bool,
    /// `TimeoutStartSec=`; 90 s, infinite for oneshot.
    pub timeout_start: Usec,
    /// `TimeoutStopSec=`; 90 s.
    pub timeout_stop: Usec,
    /// `RuntimeMaxSec=`.
    pub runtime_max: Usec,
    /// `WatchdogSec=`; zero or infinite: off.
    pub watchdog: Usec,
    /// `NotifyAccess=`, already raised as semantics 3.2 says.
    pub notify_access: NotifyAccess,
    /// `FileDescriptorStoreMax=`.
    pub fd_store_max: u32,
    /// `FileDescriptorStorePreserve=`.
    pub fd_store_preserve: FdStorePreserve,
    /// `NonBlocking=`.
    pub non_blocking: bool,
    /// `Sockets=`.
    #[serde(default)]
    pub sockets: Vec<UnitName>,
    /// `SuccessExitStatus=`: exit codes.
    #[serde(default)]
    pub success_exit_codes: Vec<i32>,
    /// `SuccessExitStatus=`: signal numbers.
    #[serde(default)]
    pub success_signals: Vec<i32>,
    /// `RestartPreventExitStatus=`: exit codes.
    #[serde(default)]
    pub restart_prevent_codes: Vec<i32>,
    /// `RestartForceExitStatus=`: exit codes.
    #[serde(default)]
    pub restart_force_codes: Vec<i32>,
    /// `KillMode=` and its signals.
    pub kill: KillSettings,
    /// `PIDFile=`.
    pub pid_file: Option<String>,
    /// `BusName=`.
    pub bus_name: Option<String>,
    /// `Slice=` (default system.slice, or system-PREFIX.slice for an instance).
    pub slice: UnitName,
    /// `Delegate=`.
    pub delegate: bool,
    /// `MemoryMax=` in bytes; `None`: no limit.
    pub memory_max: Option<u64>,
    /// `TasksMax=`; `None`: no limit.
    pub tasks_max: Option<u64>,
    /// Everything else about its processes.
    pub exec: ExecContext,
}

/// `Type=` (semantics 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the setting's own words")]
pub enum ServiceType {
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the setting's own words")]
pub enum RestartPolicy {
    No,
    Always,
    OnSuccess,
    OnFailure,
    OnAbnormal,
    OnAbort,
    OnWatchdog,
}

/// `NotifyAccess=` (semantics 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the setting's own words")]
pub enum NotifyAccess {
    None,
    Main,
    Exec,
    All,
}

/// `FileDescriptorStorePreserve=` (semantics 3.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the setting's own words")]
pub enum FdStorePreserve {
    No,
    Restart,
    Yes,
    OnSuccess,
}

/// `KillMode=` (semantics 4.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the setting's own words")]
pub enum KillMode {
    ControlGroup,
    Mixed,
    Process,
    None,
}

/// How a unit's processes are ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KillSettings {
    /// `KillMode=`.
    pub mode: KillMode,
    /// `KillSignal=` (default SIGTERM), as a number.
    pub signal: i32,
    /// `RestartKillSignal=`.
    pub restart_signal: Option<i32>,
    /// `FinalKillSignal=` (default SIGKILL).
    pub final_signal: i32,
    /// `SendSIGHUP=`.
    pub send_sighup: bool,
    /// `SendSIGKILL=` (default yes).
    pub send_sigkill: bool,
    /// `WatchdogSignal=` (default SIGABRT).
    pub watchdog_signal: i32,
}

impl Default for KillSettings {
    fn default() -> KillSettings {
        // Numbers of signal(7), the same on every architecture softboot runs on.
        const SIGABRT: i32 = 6;
        const SIGKILL: i32 = 9;
        const SIGTERM: i32 = 15;
        KillSettings {
            mode: KillMode::ControlGroup,
            signal: SIGTERM,
            restart_signal: None,
            final_signal: SIGKILL,
            send_sighup: false,
            send_sigkill: true,
            watchdog_signal: SIGABRT,
        }
    }
}
