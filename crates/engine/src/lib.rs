//! The decisions of a service manager, and nothing else.
//!
//! [`Engine::step`] takes one [`Event`] and the [`Now`] at which it was seen, changes the state, and returns the
//! [`Action`]s the manager has to carry out. No system call, no clock, no descriptor, no thread: the same events at
//! the same times give the same actions, so a whole manager can be simulated and replayed.
//!
//! Where to read on: `engine` (the step and its queues), `transaction` (from a request to jobs), `jobs` (running and
//! finishing them), `service` and `socket` (the state machines), `ending` (the way out), `saved` (over an exec).

pub mod action;
mod control;
mod ending;
mod ends;
mod engine;
pub mod event;
mod jobs;
mod limit;
mod mount;
mod query;
mod reaction;
mod saved;
mod service;
mod socket;
pub mod state;
mod transaction;
mod units;

pub use action::*;
pub use engine::Engine;
pub use event::*;
pub use limit::Limiter;
pub use query::JobInfo;
pub use saved::{Compared, ImageUnit, NextUserspace, Resume, SavedEngine, Table};
pub use socket::{AcceptRefusal, Peer};
pub use softboot_unit::JobMode;
pub use state::*;
pub use transaction::{
    DropReason, DroppedJob, InstalledJob, Link, Obstacle, Plan, PlannedJob, Reason, Refusal,
};
pub use units::{Related, Relation};
