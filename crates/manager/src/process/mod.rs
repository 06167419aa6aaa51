//! The processes that units asked for: starting, signalling, noticing their end.

mod kill;
mod program;
mod reap;
mod spawn;
mod streams;
mod table;

pub(crate) use kill::signal_process;
pub(crate) use program::PATH;
pub(crate) use table::{Process, Processes};
