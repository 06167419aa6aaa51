//! The processes that units asked for: starting, signalling, noticing their end.

mod account;
mod adopt;
mod clean;
pub(crate) mod commands;
mod context;
pub(crate) mod credentials;
pub(crate) mod directories;
mod group;
mod journal;
mod kill;
mod limits;
mod open_files;
mod passed;
mod pid_file;
mod program;
mod reap;
mod reclaim;
mod refused;
mod spawn;
mod streams;
mod table;
mod terminal;
mod view;

pub(crate) use adopt::{Proof, all, stat};
pub(crate) use clean::{CLEAN, clean_main};
pub(crate) use kill::signal_process;
pub(crate) use pid_file::PidFiles;
pub(crate) use program::PATH;
pub(crate) use reclaim::Unclaimed;
pub(crate) use table::{Process, Processes};
pub(crate) use terminal::{LEAVE as LEAVE_TERMINAL, leave_main as leave_terminal_main};
