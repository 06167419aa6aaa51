//! What a service does when something ends or takes too long (semantics 4.7, 4.8).

use serde::{Deserialize, Serialize};

use super::Usec;

/// Delays and exceptions of `Restart=` (semantics 4.7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RestartSettings {
    /// `RestartSteps=`: in so many restarts the delay grows to [`RestartSettings::max_delay`]; 0: it does not grow.
    pub steps: u32,
    /// `RestartMaxDelaySec=`.
    pub max_delay: Usec,
    /// `RestartRandomizedDelaySec=`: a random part of this is added.
    pub randomized_delay: Usec,
    /// `RestartMode=`.
    pub mode: RestartMode,
    /// `RestartPreventExitStatus=`: signal numbers.
    pub prevent_signals: Vec<i32>,
    /// `RestartForceExitStatus=`: signal numbers.
    pub force_signals: Vec<i32>,
}

impl Default for RestartSettings {
    fn default() -> RestartSettings {
        RestartSettings {
            steps: 0,
            max_delay: Usec::INFINITY,
            randomized_delay: Usec::ZERO,
            mode: RestartMode::Normal,
            prevent_signals: Vec::new(),
            force_signals: Vec::new(),
        }
    }
}

/// `RestartMode=` (semantics 4.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartMode {
    /// Through failed or inactive, so that OnFailure= and dependents notice.
    #[default]
    Normal,
    /// Without those states.
    Direct,
    /// As normal, with more in the log.
    Debug,
}

/// `ExitType=`: when the service counts as over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExitType {
    /// With its main process.
    #[default]
    Main,
    /// With the last process of its cgroup.
    Cgroup,
}

/// `TimeoutStartFailureMode=` and `TimeoutStopFailureMode=`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeoutFailureMode {
    /// `KillSignal=` first.
    #[default]
    Terminate,
    /// `WatchdogSignal=` first.
    Abort,
    /// `FinalKillSignal=` at once.
    Kill,
}

/// `OOMPolicy=` (semantics 4.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OomPolicy {
    /// It is noted.
    Continue,
    /// The service is stopped.
    Stop,
    /// The kernel kills the whole cgroup.
    Kill,
}

/// `OpenFile=` (semantics 3.11).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenFile {
    /// An absolute path: a file, or an AF_UNIX socket to connect to.
    pub path: String,
    /// The descriptor's name.
    pub name: String,
    /// `read-only`.
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
    pub read_only: bool,
    /// `append`.
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
    pub append: bool,
    /// `truncate`.
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
    pub truncate: bool,
    /// `graceful`: no error when it cannot be opened.
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
    pub graceful: bool,
}
