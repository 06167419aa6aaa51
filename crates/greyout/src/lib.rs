//! Measures how long the clients of an endpoint waited during an event, whatever the event and whatever the init.
//!
//! The **grey-out** of a client on an endpoint, in an event, is the longest time from one good reply to the next that
//! touches the event. With it go the counts of attempts that failed, by the way they did, and the largest latency.
//! `docs/greyout.md` explains why.
//!
//! - [`probe`] makes attempts against [`endpoint`]s at a fixed rate; [`record`] keeps every [`attempt`] without loss.
//! - [`measure`] and [`stats`] are the pure computation: attempts and marks in, figures and their noise out.
//! - [`result`] puts the figures of many records and cycles together; [`report`] shows them to people.
//! - [`workload`] reads what is to run and to be probed, so that two managers can be given the same; [`serve`] is a service
//!   that answers every kind of probe.
//! - [`cli`] is the command line of the two programs.
//!
//! The clock of all is CLOCK_MONOTONIC, in nanoseconds, so a record can be laid beside the time stamps of any other
//! program of the same machine.

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
pub mod serve;
pub mod stats;
pub mod workload;

pub use attempt::{Attempt, Outcome};
pub use endpoint::Endpoint;
pub use measure::{Greyout, Window, greyout, greyout_within};
pub use probe::{Prober, Schedule};
pub use record::Recording;
