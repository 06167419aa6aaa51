//! What stands at the beginning and at the end of a record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Where and how a record was made. Members that this program does not know are ignored; missing ones are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Header {
    /// Program and version that wrote it.
    pub program: String,
    /// The probe's command line.
    pub command: Vec<String>,
    /// When it began: CLOCK_MONOTONIC nanoseconds.
    pub started: u64,
    /// The same instant in nanoseconds since 1970.
    pub realtime: u64,
    /// `/proc/sys/kernel/random/boot_id`: times of two files with the same id are of the same clock.
    pub boot_id: String,
    /// What it ran on.
    pub machine: Machine,
    /// What the caller says of the run: `manager`, `case`, `view`, `accelerator` have a meaning, others are shown.
    pub labels: BTreeMap<String, String>,
    /// What is probed. Attempts and marks name an endpoint by its place in this list.
    pub endpoints: Vec<EndpointHeader>,
}

/// What a probe ran on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Machine {
    /// `uname -srvm`.
    pub kernel: String,
    /// The processor's name.
    pub cpu: String,
    /// Processors that the probe may use.
    pub cpus: u64,
    /// Memory in KiB.
    pub memory: u64,
    /// The hypervisor or container that the machine shows itself as, empty if none.
    pub virtualization: String,
}

/// An endpoint in the header.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EndpointHeader {
    /// Its name in reports.
    pub name: String,
    /// What it is, as on the command line: `tcp:127.0.0.1:7000`.
    pub address: String,
    /// From one due time to the next, in nanoseconds.
    pub interval: u64,
    /// When an attempt is given up, in nanoseconds.
    pub timeout: u64,
}

/// What a probe says at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ending {
    /// When: CLOCK_MONOTONIC nanoseconds.
    pub finished: u64,
    /// Why: `duration`, `file`, `signal`.
    pub reason: String,
    /// Attempts that had no outcome yet.
    pub in_flight: Vec<InFlight>,
    /// What the probing itself took.
    pub cost: Cost,
}

/// An attempt that was under way when the probe ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InFlight {
    /// Place of the endpoint in the header.
    pub endpoint: u32,
    /// When it was due.
    pub due: u64,
    /// When it began.
    pub started: u64,
}

/// The cost of probing. Times are nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cost {
    /// From the first due time to the end.
    pub wall: u64,
    /// CPU time of the whole probe.
    pub cpu: u64,
    /// Endpoint by endpoint.
    pub endpoints: Vec<EndpointCost>,
}

/// How punctual the probe of one endpoint was. Times are nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EndpointCost {
    /// CPU time of its thread.
    pub cpu: u64,
    /// Attempts for which it slept and woke up, so that its lateness is the scheduler's and not the endpoint's.
    pub wakeups: u64,
    /// Lateness of those: median.
    pub late_median: u64,
    /// The 99th percentile.
    pub late_p99: u64,
    /// The largest.
    pub late_max: u64,
}
