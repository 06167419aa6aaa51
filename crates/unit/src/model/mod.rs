//! What a unit file means, as plain data.
//!
//! A [`Definition`] is complete: implicit and default dependencies are in it, specifiers are expanded, values are
//! typed. It serialises, because definitions travel over a re-exec as they are and no file is read again.

mod common;
mod dependency;
mod exec;
mod service;
mod socket;

pub use common::*;
pub use dependency::*;
pub use exec::*;
pub use service::*;
pub use socket::*;

use serde::{Deserialize, Serialize};

use crate::name::UnitName;

/// One unit as its files say it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// The canonical name.
    pub name: UnitName,
    /// Other names of the same unit (symlinks).
    #[serde(default)]
    pub aliases: Vec<UnitName>,
    /// Whether it can be used.
    pub load: LoadState,
    /// The file it came from; `None` for built-in units and those that were not found.
    #[serde(default)]
    pub fragment: Option<String>,
    /// Drop-in files, in the order in which they were applied.
    #[serde(default)]
    pub drop_ins: Vec<String>,
    /// Mistakes and things that are not supported, with file and line.
    #[serde(default)]
    pub diagnostics: Vec<Diagnostic>,
    /// `[Unit]`.
    pub unit: UnitSection,
    /// The section of its type.
    pub kind: KindSection,
}

/// Whether a unit can be used (the reference's LoadState).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state", content = "reason")]
pub enum LoadState {
    /// Read and usable.
    Loaded,
    /// No file has this name.
    NotFound,
    /// Read, but a setting makes it unusable; the text says which and why.
    BadSetting(String),
    /// A link to /dev/null or an empty file.
    Masked,
    /// It could not be read.
    Error(String),
}

impl LoadState {
    /// The word that status output shows.
    pub fn word(&self) -> &'static str {
        match self {
            LoadState::Loaded => "loaded",
            LoadState::NotFound => "not-found",
            LoadState::BadSetting(_) => "bad-setting",
            LoadState::Masked => "masked",
            LoadState::Error(_) => "error",
        }
    }
}

/// The section that belongs to the unit's type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type", content = "settings")]
pub enum KindSection {
    /// `[Service]`.
    Service(Box<ServiceSection>),
    /// `[Socket]`.
    Socket(Box<SocketSection>),
    /// Targets have no section of their own.
    Target,
    /// `[Slice]`.
    Slice,
    /// Any other type: known by name, not run yet.
    Other,
}

/// `[Unit]`, with the dependencies of `[Install]`-made directories and the implicit ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnitSection {
    /// `Description=`; the unit's name when absent.
    pub description: String,
    /// `Documentation=`.
    #[serde(default)]
    pub documentation: Vec<String>,
    /// Every dependency on another unit, implicit and default ones included.
    #[serde(default)]
    pub dependencies: Vec<Dependency>,
    /// `DefaultDependencies=`.
    pub default_dependencies: bool,
    /// `Condition…=`, in file order.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// `Assert…=`, in file order.
    #[serde(default)]
    pub asserts: Vec<Condition>,
    /// `AllowIsolate=`.
    pub allow_isolate: bool,
    /// `IgnoreOnIsolate=`, with the type's default applied (semantics 2.5).
    pub ignore_on_isolate: bool,
    /// `RefuseManualStart=`.
    pub refuse_manual_start: bool,
    /// `RefuseManualStop=`.
    pub refuse_manual_stop: bool,
    /// `StopWhenUnneeded=`.
    pub stop_when_unneeded: bool,
    /// `SurviveFinalKillSignal=`.
    pub survive_final_kill_signal: bool,
    /// `StartLimitIntervalSec=` and `StartLimitBurst=`; zero in either disables it.
    pub start_limit: RateLimit,
    /// `JobTimeoutSec=`.
    pub job_timeout: Usec,
    /// `JobRunningTimeoutSec=`.
    pub job_running_timeout: Usec,
    /// `JobTimeoutAction=`.
    pub job_timeout_action: EmergencyAction,
    /// `StartLimitAction=`.
    pub start_limit_action: EmergencyAction,
    /// `SuccessAction=`.
    pub success_action: EmergencyAction,
    /// `FailureAction=`.
    pub failure_action: EmergencyAction,
    /// `OnFailureJobMode=` (default replace).
    pub on_failure_job_mode: JobMode,
    /// `OnSuccessJobMode=` (default fail).
    pub on_success_job_mode: JobMode,
}

impl UnitSection {
    /// The section of an empty file named `name`.
    pub fn empty(name: &UnitName) -> UnitSection {
        use crate::name::UnitKind as K;
        UnitSection {
            description: name.to_string(),
            documentation: Vec::new(),
            dependencies: Vec::new(),
            default_dependencies: true,
            conditions: Vec::new(),
            asserts: Vec::new(),
            allow_isolate: false,
            ignore_on_isolate: matches!(
                name.kind(),
                K::Slice | K::Scope | K::Device | K::Swap | K::Mount | K::Automount
            ),
            refuse_manual_start: false,
            refuse_manual_stop: false,
            stop_when_unneeded: false,
            survive_final_kill_signal: false,
            start_limit: RateLimit {
                interval: Usec::from_secs(10),
                burst: 5,
            },
            job_timeout: Usec::INFINITY,
            job_running_timeout: Usec::INFINITY,
            job_timeout_action: EmergencyAction::None,
            start_limit_action: EmergencyAction::None,
            success_action: EmergencyAction::None,
            failure_action: EmergencyAction::None,
            on_failure_job_mode: JobMode::Replace,
            on_success_job_mode: JobMode::Fail,
        }
    }
}
