//! The ends: the final kill before a soft-reboot or a shutdown, and the end of the machine.

mod final_kill;
mod machine;

pub(crate) use final_kill::FinalKill;
pub(crate) use machine::mount_points;
