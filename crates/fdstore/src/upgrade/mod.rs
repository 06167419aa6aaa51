//! The next program beside this one: it is started as a child, gets the store, and this one goes on until the next one
//! says that it is ready. Then this one stops accepting, finishes what it has begun, and ends.
//!
//! ```text
//! old program                                   new program
//!   Upgrade::start ── fork, exec ──────────────▶ Successor::from_env
//!                  ── the store (transfer) ────▶ Successor::receive
//!   still serves                                 reads its configuration, …
//!   Upgrade::wait  ◀──────────────── ready ───── Successor::ready
//!   drains and ends                              serves
//! ```
//!
//! The store crosses as [`crate::transfer`] does it, over a socket that only this child has. So nothing is opened for
//! exec in this process, where another thread may just be starting a process of its own; each descriptor is checked,
//! and the child says what it did not take.
//!
//! A child that exits, fails, or is not ready by the caller's deadline is ended and reaped, and this program is as it
//! was: both had the descriptors open, and a listening socket goes on with whoever has it. Upgrades can follow each
//! other while earlier programs still drain: each is started by the one before it.

mod start;
mod successor;

use std::io;
use std::process::ExitStatus;

use serde::{Deserialize, Serialize};

use crate::transfer::TransferError;

pub use start::{Upgrade, Upgraded};
pub use successor::{Successor, SuccessorError};

/// Tells the child the number of its socket, and whose child it is to be: `NUMBER:PID`.
const VARIABLE: &str = "FDSTORE_UPGRADE";

/// What the child says once it has the store.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Word {
    Ready {},
    Failed { reason: String },
}

/// Why there was no upgrade. The child is gone, and this program is as it was.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// It could not be started.
    #[error("starting the next program: {0}")]
    Start(#[source] io::Error),
    /// It ended before it was ready.
    #[error("the next program ended before it was ready: {0}")]
    Exited(ExitStatus),
    /// It said why it cannot.
    #[error("the next program cannot take over: {0}")]
    Failed(String),
    /// It was not ready in time.
    #[error("the next program was not ready in time, and was ended")]
    Deadline,
    /// The store did not get there.
    #[error("handing the store to the next program: {0}")]
    Transfer(#[source] TransferError),
    /// The system refused.
    #[error("waiting for the next program: {0}")]
    Io(#[from] io::Error),
}
