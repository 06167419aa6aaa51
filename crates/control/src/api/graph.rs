//! Replies about how units hang together, and when what happened.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::UnitInfo;

/// Reply of `GetProperties`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PropertiesReply {
    /// By name. Spans and instants are integers in microseconds, the greatest one means never.
    pub properties: Map<String, Value>,
}

/// A unit and its partners.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UnitNode {
    /// Its name.
    pub name: String,
    /// As in [`UnitInfo::load`].
    pub load: String,
    /// As in [`UnitInfo::active`].
    pub active: String,
    /// Names of other units by relation (`Requires`, `RequiredBy`, `After`, …); relations without any are left out.
    pub dependencies: BTreeMap<String, Vec<String>>,
}

/// Reply of `ListDependencies`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DependenciesReply {
    /// Every unit that is known.
    pub units: Vec<UnitNode>,
}

/// The last changes of a unit's state; each is null while there was none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UnitTimes {
    /// It was no longer inactive or failed: its start began.
    pub inactive_exit_usec: Option<u64>,
    /// It became active: its start was done.
    pub active_enter_usec: Option<u64>,
    /// It was no longer active: its stop began.
    pub active_exit_usec: Option<u64>,
    /// It became inactive or failed.
    pub inactive_enter_usec: Option<u64>,
}

/// A unit in the time line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UnitTimeline {
    /// Its name.
    pub name: String,
    /// As in [`UnitInfo::active`].
    pub active: String,
    /// When it changed.
    pub times: UnitTimes,
}

/// Reply of `Timeline`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TimelineReply {
    /// When this userspace began.
    pub started_usec: u64,
    /// When its boot was complete.
    pub boot_finished_usec: Option<u64>,
    /// Units that have changed at all.
    pub units: Vec<UnitTimeline>,
}

/// Reply of `StartTransient`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TransientReply {
    /// The service.
    pub name: String,
    /// Its start job.
    pub job_id: Option<u32>,
    /// How that ended; `None` when nobody waited.
    pub result: Option<String>,
}

/// One reply of `Subscribe`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EventReply {
    /// `subscribed` (the first), `unit-changed`, `job-new` or `job-done`.
    pub event: String,
    /// CLOCK_MONOTONIC.
    pub time_usec: u64,
    /// The unit that changed, as it is now.
    pub unit: Option<UnitInfo>,
    /// The job that is new or done.
    pub job: Option<JobEvent>,
}

/// A job in an event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JobEvent {
    /// Its number.
    pub id: u32,
    /// Whose.
    pub unit: String,
    /// `start`, `stop`, …
    pub kind: String,
    /// How it ended, once it is done.
    pub result: Option<String>,
}
