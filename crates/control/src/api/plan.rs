//! What a job would do: `Explain`.

use serde::{Deserialize, Serialize};

/// Parameters of `Explain`: a job for a unit, as for `Enqueue`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainRequest {
    /// The unit.
    pub name: String,
    /// As [`super::EnqueueRequest::job`].
    pub job: String,
    /// As [`super::EnqueueRequest::mode`].
    #[serde(default = "replace")]
    pub mode: String,
}

fn replace() -> String {
    "replace".to_owned()
}

/// One step of how a request comes to want a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ChainLink {
    /// Whose job.
    pub unit: String,
    /// What kind.
    pub job: String,
    /// What the unit before it is to this one (`Requires`, …); `requested` for the first.
    pub reason: String,
}

/// A job that is queued or runs now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InstalledJob {
    /// Its number.
    pub id: u32,
    /// Whose.
    pub unit: String,
    /// What kind.
    pub job: String,
    /// Begun, as against waiting.
    pub running: bool,
    /// Only `CancelJob` can take it back.
    pub irreversible: bool,
}

/// A job that would be queued.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PlannedJob {
    /// Whose.
    pub unit: String,
    /// What kind.
    pub job: String,
    /// The request makes no sense without it.
    pub matters: bool,
    /// How the request comes to want it.
    pub chain: Vec<ChainLink>,
    /// The queued job that it would be merged into.
    pub joins: Option<InstalledJob>,
}

/// A job that was looked at and left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DroppedJob {
    /// Whose.
    pub unit: String,
    /// What kind.
    pub job: String,
    /// Why it was left out, in words.
    pub why: String,
    /// How the request came to look at it.
    pub chain: Vec<ChainLink>,
}

/// Why the request would be refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Refusal {
    /// The name of the error that `Enqueue` would answer with.
    pub error: String,
    /// One sentence.
    pub message: String,
    /// The unit whose job cannot be.
    pub unit: String,
    /// What kind of job that is.
    pub job: String,
    /// How the request comes to want it.
    pub chain: Vec<ChainLink>,
    /// The queued job in its way, if it is one.
    pub against: Option<InstalledJob>,
}

/// Reply of `Explain`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExplainReply {
    /// The jobs that would be queued.
    pub jobs: Vec<PlannedJob>,
    /// The jobs that were left out.
    pub dropped: Vec<DroppedJob>,
    /// Queued jobs that would be cancelled.
    pub cancelled: Vec<InstalledJob>,
    /// Set: nothing of the above would happen.
    pub refusal: Option<Refusal>,
}
