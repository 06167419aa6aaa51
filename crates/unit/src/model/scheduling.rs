//! How the kernel schedules a unit's processes.

use serde::{Deserialize, Serialize};

/// `CPUSchedulingPolicy=` (sched(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the kernel's own words")]
pub enum CpuPolicy {
    Other,
    Batch,
    Idle,
    Fifo,
    Rr,
    Ext,
}

/// `IOSchedulingClass=` (ioprio_set(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the kernel's own words")]
pub enum IoClass {
    None,
    Realtime,
    BestEffort,
    Idle,
}

/// Policies and priorities; `None` is inherited from the manager.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scheduling {
    /// `CPUSchedulingPolicy=`.
    pub cpu_policy: Option<CpuPolicy>,
    /// `CPUSchedulingPriority=`: 1 to 99, for fifo and rr.
    pub cpu_priority: Option<u32>,
    /// `CPUSchedulingResetOnFork=`.
    pub reset_on_fork: bool,
    /// `IOSchedulingClass=`.
    pub io_class: Option<IoClass>,
    /// `IOSchedulingPriority=`: 0 (first) to 7.
    pub io_priority: Option<u32>,
}
