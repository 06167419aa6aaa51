//! Parameters of the calls that have many.

use serde::{Deserialize, Serialize};

/// SIGTERM.
const TERM: i32 = 15;

/// Parameters of `Enqueue`: a job for a unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnqueueRequest {
    /// The unit.
    pub name: String,
    /// `start`, `stop`, `restart`, `reload`, `try-restart`, `reload-or-restart`, …
    pub job: String,
    /// `replace`, `fail`, `lenient`, `isolate`, …
    #[serde(default = "replace")]
    pub mode: String,
    /// Answer when the job is finished, not when it is queued.
    #[serde(default = "yes")]
    pub wait: bool,
}

/// Parameters of `Logs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogsRequest {
    /// The unit.
    pub name: String,
    /// How many of the last lines.
    #[serde(default = "hundred")]
    pub lines: u32,
    /// Go on with what is written from now on. Needs `more`.
    #[serde(default)]
    pub follow: bool,
}

/// Parameters of `Kill`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KillRequest {
    /// The unit.
    pub name: String,
    /// `all`, `main`, `control`, or one of these with `-fail` behind it: then it is an error if nobody got the signal.
    #[serde(default = "all")]
    pub whom: String,
    /// The signal's number.
    #[serde(default = "term")]
    pub signal: i32,
}

/// Parameters of `StartTransient`: a service that has no file of its own yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransientRequest {
    /// The service; none: one that is free is chosen.
    #[serde(default)]
    pub name: Option<String>,
    /// The command and its arguments, word by word; nothing in them is substituted.
    pub command: Vec<String>,
    /// Lines of the unit's file beside those that follow from the above, in their order.
    #[serde(default)]
    pub settings: Vec<Setting>,
    /// How other jobs are met.
    #[serde(default = "replace")]
    pub mode: String,
    /// Answer when the start is finished, not when it is queued.
    #[serde(default = "yes")]
    pub wait: bool,
}

impl Default for TransientRequest {
    fn default() -> TransientRequest {
        TransientRequest {
            name: None,
            command: Vec::new(),
            settings: Vec::new(),
            mode: replace(),
            wait: true,
        }
    }
}

/// One line of a unit file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Setting {
    /// `Unit` or `Service`.
    pub section: String,
    /// What is set.
    pub key: String,
    /// To what; the rest of the line.
    pub value: String,
}

/// Parameters of `Subscribe`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SubscribeRequest {
    /// Units whose names match any of these; none: all units.
    pub units: Vec<String>,
}

impl SubscribeRequest {
    /// Whether events of this unit are wanted.
    pub fn wants(&self, unit: &str) -> bool {
        self.units.is_empty() || self.units.iter().any(|pattern| super::glob_match(pattern, unit))
    }
}

fn replace() -> String {
    "replace".to_owned()
}

fn all() -> String {
    "all".to_owned()
}

fn term() -> i32 {
    TERM
}

fn yes() -> bool {
    true
}

fn hundred() -> u32 {
    100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscriber_names_units_by_pattern_or_wants_all() {
        let of = |units: &[&str]| SubscribeRequest {
            units: units.iter().map(|unit| (*unit).to_owned()).collect(),
        };
        assert!(of(&[]).wants("a.service"));
        assert!(of(&["b.service", "a.*"]).wants("a.service"));
        assert!(!of(&["b.service"]).wants("a.service"));
    }
}
