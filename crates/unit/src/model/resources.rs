//! What a unit's cgroup may use (semantics 4.11; cgroup-v2 of the kernel's documentation).

use serde::{Deserialize, Serialize};

use super::Usec;

/// How much of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "value")]
pub enum Amount {
    /// Bytes, or a number of tasks.
    Absolute(u64),
    /// Hundredths of a percent of what the machine has: 10000 is all of it.
    Share(u32),
    /// No limit.
    Infinity,
}

impl Amount {
    /// The number when the machine has `total`; `None` for no limit.
    pub fn of(self, total: u64) -> Option<u64> {
        match self {
            Amount::Absolute(amount) => Some(amount),
            Amount::Share(share) => {
                let part = u128::from(total).saturating_mul(u128::from(share)) / 10_000;
                Some(u64::try_from(part).unwrap_or(u64::MAX))
            }
            Amount::Infinity => None,
        }
    }
}

/// `CPUWeight=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "value")]
pub enum CpuWeight {
    /// Only when nothing else wants the processor.
    Idle,
    /// 1 to 10000.
    Weight(u32),
}

/// `Delegate=`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "controllers")]
pub enum Delegate {
    /// The subtree belongs to the manager.
    #[default]
    No,
    /// Every controller is delegated.
    Yes,
    /// These controllers are delegated; none is possible.
    Controllers(Vec<String>),
}

/// Settings of systemd.resource-control(5). What is `None` is not set: the kernel's value stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResourceControl {
    /// `Delegate=`.
    pub delegate: Delegate,
    /// `DelegateSubgroup=`: the group below the unit's own in which the main process starts.
    pub delegate_subgroup: Option<String>,
    /// `MemoryMin=`.
    pub memory_min: Option<Amount>,
    /// `MemoryLow=`.
    pub memory_low: Option<Amount>,
    /// `MemoryHigh=`.
    pub memory_high: Option<Amount>,
    /// `MemoryMax=`.
    pub memory_max: Option<Amount>,
    /// `MemorySwapMax=`.
    pub memory_swap_max: Option<Amount>,
    /// `TasksMax=`.
    pub tasks_max: Option<Amount>,
    /// `CPUWeight=`.
    pub cpu_weight: Option<CpuWeight>,
    /// `CPUQuota=`: processor time for each second of time.
    pub cpu_quota: Option<Usec>,
    /// `CPUQuotaPeriodSec=`.
    pub cpu_quota_period: Option<Usec>,
    /// `IOWeight=`: 1 to 10000.
    pub io_weight: Option<u32>,
}

/// `[Slice]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SliceSection {
    /// What everything in the slice may use together.
    pub resources: ResourceControl,
    /// `ConcurrencyHardMax=`: so many units at most; `None`: no limit.
    pub concurrency_hard_max: Option<u32>,
    /// `ConcurrencySoftMax=`: so many units run, others wait; `None`: no limit.
    pub concurrency_soft_max: Option<u32>,
}
