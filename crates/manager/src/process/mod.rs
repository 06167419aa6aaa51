//! The processes that units asked for: starting, signalling, noticing their end.

mod adopt;
pub(crate) mod commands;
mod kill;
mod pid_file;
mod program;
mod reap;
mod spawn;
mod streams;
mod table;

pub(crate) use adopt::Proof;
pub(crate) use kill::signal_process;
pub(crate) use pid_file::PidFiles;
pub(crate) use program::PATH;
pub(crate) use table::{Process, Processes};
