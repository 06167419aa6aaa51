//! What a replacement of the manager, with or without its userspace, cost: phase by phase and unit by unit.

use serde::{Deserialize, Serialize};

/// A soft-reboot, a re-exec, or a crash that was gone on from. Times are CLOCK_MONOTONIC in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cycle {
    /// `soft-reboot`, `reexec` or `crash`.
    pub kind: String,
    /// When it was asked for; of a crash, when the program after it began.
    pub requested_usec: u64,
    /// When all was over: after a soft-reboot, when the boot was complete. `None`: it is not yet.
    pub finished_usec: Option<u64>,
    /// One after the other.
    pub phases: Vec<CyclePhase>,
    /// Units that were stopped.
    pub stopped: u32,
    /// Units that were started.
    pub started: u32,
    /// Of those the ones that were away for the longest time, and the ones that the end of a phase waited for.
    pub units: Vec<UnitCycle>,
}

/// A phase of a cycle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CyclePhase {
    /// `verifying`, `stopping`, `ending what is left`, `switching the root`, `writing and exec`, …, `booting`.
    pub name: String,
    /// When it began.
    pub began_usec: u64,
    /// How long it took.
    pub took_usec: u64,
    /// Nothing is stopped, and softbootd answers: this is no part of anybody's grey-out.
    pub harmless: bool,
}

/// A unit's part of a cycle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UnitCycle {
    /// Its name.
    pub name: String,
    /// When its stop began; `None`: it was not stopped.
    pub stop_began_usec: Option<u64>,
    /// When it was down.
    pub stop_ended_usec: Option<u64>,
    /// When its start began; `None`: it was not started, or not yet.
    pub start_began_usec: Option<u64>,
    /// When it was active again.
    pub start_ended_usec: Option<u64>,
    /// The end of the phase in which units stop waited for this one, or for who waited for it.
    pub stop_critical: bool,
    /// The end of the boot did.
    pub start_critical: bool,
    /// Units that stopped only when this one was down, one after the other or all at once.
    pub held_up_stops: u32,
    /// Units that started only when this one was active.
    pub held_up_starts: u32,
    /// TimeoutStopSec= of a service.
    pub stop_limit_usec: Option<u64>,
    /// Of a socket: how long the client waited that was seen first, until a service was there to take it.
    pub client_waited_usec: Option<u64>,
}

impl UnitCycle {
    /// How long the unit was away: from where its stop began until it was active again.
    pub fn away_usec(&self) -> Option<u64> {
        self.start_ended_usec?.checked_sub(self.stop_began_usec?)
    }

    /// How long its stop took.
    pub fn stop_usec(&self) -> Option<u64> {
        self.stop_ended_usec?.checked_sub(self.stop_began_usec?)
    }

    /// How long its start took.
    pub fn start_usec(&self) -> Option<u64> {
        self.start_ended_usec?.checked_sub(self.start_began_usec?)
    }
}

/// Reply of `Greyout`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GreyoutReply {
    /// The last ones, oldest first.
    pub cycles: Vec<Cycle>,
}
