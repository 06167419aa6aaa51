//! How a unit's processes are ended (semantics 4.9).

use serde::{Deserialize, Serialize};

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
#[serde(default)]
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
