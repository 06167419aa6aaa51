//! The words for what units and jobs are in.

use serde::{Deserialize, Serialize};
use softboot_unit::{UnitName, Usec};

use crate::event::JobId;

/// The reference's ActiveState.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "semantics, conventions and 4.1")]
pub enum ActiveState {
    Inactive,
    Activating,
    Active,
    Reloading,
    Refreshing,
    Deactivating,
    Failed,
    Maintenance,
}

impl ActiveState {
    /// `inactive` or `failed`.
    pub fn is_inactive_ish(self) -> bool {
        matches!(self, ActiveState::Inactive | ActiveState::Failed)
    }

    /// `active`, `reloading` or `refreshing`.
    pub fn is_active_ish(self) -> bool {
        matches!(
            self,
            ActiveState::Active | ActiveState::Reloading | ActiveState::Refreshing
        )
    }

    /// The word that status output shows.
    pub fn word(self) -> &'static str {
        match self {
            ActiveState::Inactive => "inactive",
            ActiveState::Activating => "activating",
            ActiveState::Active => "active",
            ActiveState::Reloading => "reloading",
            ActiveState::Refreshing => "refreshing",
            ActiveState::Deactivating => "deactivating",
            ActiveState::Failed => "failed",
            ActiveState::Maintenance => "maintenance",
        }
    }
}

/// What kind of job a request asks for (semantics 2.1). The collapsed kinds never reach the job table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "semantics 2.1 is the definition")]
pub enum JobKind {
    Start,
    VerifyActive,
    Stop,
    Reload,
    Restart,
    Nop,
    TryRestart,
    TryReload,
    ReloadOrStart,
}

/// How a job ended (semantics 2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "semantics 2.7 is the definition")]
pub enum JobResult {
    Done,
    Canceled,
    Timeout,
    Failed,
    Dependency,
    Skipped,
    Invalid,
    Assert,
    Unsupported,
    Collected,
    Once,
    Frozen,
    Concurrency,
}

/// How a service's last run ended (semantics 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "semantics 4.1 is the definition")]
pub enum ServiceResult {
    Success,
    Resources,
    Protocol,
    Timeout,
    ExitCode,
    Signal,
    CoreDump,
    Watchdog,
    StartLimitHit,
    OomKill,
    ExecCondition,
}

/// How a socket's last run ended (semantics 1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "semantics 1.7 is the definition")]
pub enum SocketResult {
    Success,
    Resources,
    Timeout,
    ExitCode,
    Signal,
    CoreDump,
    StartLimitHit,
    TriggerLimitHit,
    ServiceStartLimitHit,
}

/// A unit's state for people and clients.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnitStatus {
    /// Canonical name.
    pub name: UnitName,
    /// Description=.
    pub description: String,
    /// LoadState word.
    pub load: String,
    /// ActiveState.
    pub active: ActiveState,
    /// SubState word (semantics 1.7, 4.1).
    pub sub: String,
    /// Result word (`success`, `exit-code`, …) for services and sockets.
    pub result: Option<String>,
    /// Likewise, of the last removal of what a service left behind.
    pub clean_result: Option<String>,
    /// Its job, if any.
    pub job: Option<(JobId, JobKind)>,
    /// Main process.
    pub main_pid: Option<i32>,
    /// Control process.
    pub control_pid: Option<i32>,
    /// How the main process ended.
    pub main_status: Option<crate::event::ExitStatus>,
    /// The last main process, alive or not.
    #[serde(default)]
    pub last_main_pid: Option<i32>,
    /// CLOCK_MONOTONIC of its start.
    #[serde(default)]
    pub main_started: Option<Usec>,
    /// CLOCK_MONOTONIC of its end.
    #[serde(default)]
    pub main_ended: Option<Usec>,
    /// STATUS= text.
    pub status_text: Option<String>,
    /// ERRNO= that it reported.
    #[serde(default)]
    pub errno: Option<i32>,
    /// BUSERROR= or VARLINKERROR= that it reported.
    #[serde(default)]
    pub error_name: Option<String>,
    /// Automatic restarts.
    pub restarts: u32,
    /// Entries in the fd store.
    pub stored_fds: u32,
    /// Sockets: connections accepted so far, open now, refused.
    pub accepted: u32,
    /// See `accepted`.
    pub connections: u32,
    /// See `accepted`.
    pub refused: u32,
    /// What this unit triggers or is triggered by.
    pub triggers: Vec<UnitName>,
    /// See `triggers`.
    pub triggered_by: Vec<UnitName>,
    /// CLOCK_REALTIME of the last state change; zero when it never changed.
    pub changed_realtime: Usec,
    /// CLOCK_MONOTONIC of the last state change.
    pub changed_monotonic: Usec,
    /// A survivor: runs through soft-reboots.
    pub survives: bool,
}
