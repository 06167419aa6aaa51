//! Runs a machine: QEMU, the threads that read from it, and what tests and tasks do with it.
//!
//! Threads only move bytes and note in `state` what they saw. Whoever waits for something waits there, and
//! the watchdog is part of each wait: a panic, an end or a silence of the machine ends any wait at once.

mod command;
mod interact;
mod lines;
mod process;
mod state;
mod terminal;
mod vm;

pub use command::{CommandEvent, CommandOutput, CommandSpec, RunningCommand};
pub use state::Hello;
pub use vm::{Event, Vm};
