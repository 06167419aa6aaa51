//! What a manager says of an event: phases and units, on the clock of the record.

use serde::{Deserialize, Serialize};

use crate::measure::Window;
use crate::record::Mark;

/// A time line, as a file of its own: JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Timeline {
    /// `/proc/sys/kernel/random/boot_id` of the clock; empty: whoever gives it knows that it fits.
    pub boot_id: String,
    /// Phases and units, of however many events. Each is shown with the events that it touches.
    pub spans: Vec<Span>,
    /// Events and notes that the record does not have.
    pub marks: Vec<Mark>,
}

/// Something that took from an instant to another. Nanoseconds of CLOCK_MONOTONIC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Where it is drawn.
    pub lane: Lane,
    /// Of the phase or the unit.
    pub name: String,
    /// When it began.
    pub begin: u64,
    /// When it was over.
    pub end: u64,
    /// Whether the event would have been shorter without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub critical: bool,
    /// What else there is to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// Where a span is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lane {
    /// A phase of the manager.
    Phase,
    /// A unit that stops.
    Stop,
    /// A unit that starts.
    Start,
}

impl Span {
    /// Whether it has a part in this window.
    pub fn touches(&self, window: Window) -> bool {
        self.begin <= window.end && self.end >= window.begin
    }
}
