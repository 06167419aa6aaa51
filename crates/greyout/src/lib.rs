//! Measures how long the clients of an endpoint waited during an event, whatever the event and whatever the init.
//!
//! The **grey-out** of a client on an endpoint runs from its last good reply before the event to its first good
//! reply after it. With it go the counts of refused, reset and timed-out attempts and the largest latency.
//!
//! Two parts: [`probe`] makes attempts against an endpoint at a fixed rate and records them; [`measure`] is the pure
//! computation on a record. The clock of both is CLOCK_MONOTONIC, in nanoseconds, so a record can be laid beside the
//! time stamps of any other program of the same machine.

pub mod attempt;
pub mod cli;
pub mod clock;
pub mod duration;
pub mod endpoint;
pub mod measure;
pub mod probe;
pub mod record;
pub mod report;
pub mod result;
pub mod stats;
pub mod workload;

pub use attempt::{Attempt, Outcome};
pub use endpoint::Endpoint;
pub use measure::{Greyout, Window, greyout, greyout_within};
pub use probe::{Prober, Schedule};
pub use record::Recording;
