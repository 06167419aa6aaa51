//! The members of a result.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::timeline::Span;
use crate::attempt::Outcome;
use crate::measure::{Greyout, Window};
use crate::record::{Ending, EndpointHeader, Machine, Mark, Tail};
use crate::stats::{Comparison, Distribution, Interval, Spread};

/// What the member `schema` says.
pub const SCHEMA: &str = "softboot-greyout-result";
/// What this program writes, and the newest that it reads.
pub const VERSION: u32 = 1;

/// A whole result.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Results {
    /// [`SCHEMA`].
    pub schema: String,
    /// [`VERSION`].
    pub version: u32,
    /// Program and version that made it.
    pub program: String,
    /// What one types to measure again.
    pub command: String,
    /// The records.
    pub runs: Vec<Run>,
    /// The figures: a group is an endpoint in one case under one manager, over all cycles.
    pub groups: Vec<Group>,
    /// Each manager beside the first one, group by group.
    pub comparisons: Vec<GroupComparison>,
    /// What a reader has to know, such as a record that ends early.
    pub notes: Vec<String>,
}

/// What the caller said of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Labels {
    /// The service manager, with its version.
    pub manager: String,
    /// What is special about the run.
    pub case: String,
    /// From where it was probed: `survivor` or `host`.
    pub view: String,
}

/// A record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Run {
    /// Its file.
    pub file: String,
    /// Manager, case and view.
    #[serde(flatten)]
    pub labels: Labels,
    /// The other labels, `accelerator` among them.
    pub other: BTreeMap<String, String>,
    /// The probe's program and version.
    pub program: String,
    /// The probe's command line.
    pub command: Vec<String>,
    /// When it began: nanoseconds of CLOCK_MONOTONIC.
    pub started: u64,
    /// The same in nanoseconds since 1970.
    pub realtime: u64,
    /// Whose clock that is.
    pub boot_id: String,
    /// What it ran on.
    pub machine: Machine,
    /// What was probed.
    pub endpoints: Vec<EndpointHeader>,
    /// How the file ends.
    pub tail: Tail,
    /// What the probe said at its end.
    pub ending: Option<Ending>,
    /// What happened.
    pub events: Vec<EventResult>,
}

/// An event of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventResult {
    /// Its name.
    pub name: String,
    /// From begin to end.
    pub window: Window,
    /// The control period before it.
    pub control: Window,
    /// The time after it.
    pub after: Window,
    /// By place in the run's list: what clients of each endpoint saw.
    pub endpoints: Vec<EndpointResult>,
    /// Phases and units.
    pub spans: Vec<Span>,
    /// Notes within it.
    pub marks: Vec<Mark>,
}

/// An endpoint in an event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EndpointResult {
    /// The grey-out.
    #[serde(flatten)]
    pub greyout: Greyout,
    /// The same computation on pseudo-events in the control period.
    pub control: Spread,
}

/// An endpoint in one case under one manager, over all cycles. Times are nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Group {
    /// Manager, case and view.
    #[serde(flatten)]
    pub labels: Labels,
    /// The event's name.
    pub event: String,
    /// The endpoint's name.
    pub endpoint: String,
    /// Cycle by cycle, where the endpoint came back.
    pub lengths: Vec<u64>,
    /// Cycles in which it did not, or in which the record began too late.
    pub without_length: u64,
    /// The median of the lengths.
    pub median: Option<f64>,
    /// Where the true median is with a probability of 95 percent.
    pub interval: Option<Interval>,
    /// The pseudo-events of all control periods.
    pub control: Spread,
    /// Attempts that the events could touch.
    pub attempts: u64,
    /// Of those, how many failed, by outcome.
    pub failed: BTreeMap<Outcome, u64>,
    /// The largest latency of those.
    pub worst_latency: u64,
    /// Latencies.
    pub latency: Latency,
    /// The attempts of the cycle in the middle, for drawing.
    pub shown: Option<Shown>,
}

/// Latencies of the good attempts around the events of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Latency {
    /// Due in the control period.
    pub before: Distribution,
    /// Due from the begin of the event to its end, or to the end of the grey-out if that is later.
    pub during: Distribution,
    /// Due after that.
    pub after: Distribution,
}

/// Attempts around one event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Shown {
    /// The run, by its place.
    pub run: usize,
    /// The event in that run, by its place.
    pub event: usize,
    /// Attempt by attempt: due time from the begin of the event on, in nanoseconds.
    pub due: Vec<i64>,
    /// Latency in nanoseconds.
    pub latency: Vec<u64>,
    /// Outcome as in a record.
    pub outcome: Vec<u8>,
}

/// A group of another manager beside the same of the first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupComparison {
    /// The case.
    pub case: String,
    /// From where.
    pub view: String,
    /// The event.
    pub event: String,
    /// The endpoint.
    pub endpoint: String,
    /// Whose median is `a`.
    pub from: String,
    /// Whose median is `b`.
    pub to: String,
    /// What differs.
    #[serde(flatten)]
    pub comparison: Comparison,
}
