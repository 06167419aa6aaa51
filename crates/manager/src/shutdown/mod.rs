//! The ends: the final kill before a soft-reboot or a shutdown, and the end of the machine.

mod final_kill;
mod kernel_threads;
mod machine;
mod settings;
mod survivors;
mod tear_down;
mod under_way;
mod watchdog;

pub(crate) use final_kill::FinalKill;
pub(crate) use kernel_threads::KernelThreads;
pub(crate) use machine::{MachineEnd, NO_KERNEL, kexec_is_loaded};
pub(crate) use settings::{goes_on_in_place, keeps_sockets, verification_limit};
pub(crate) use survivors::Marked;
