//! A new process: clone3 straight into its cgroup, with a pidfd, then exec.
//!
//! Everything that allocates is done before the clone. Between clone3 and execve the child makes system calls only:
//! no allocation, no lock, no panic, because it is a copy of one thread of a program that may have more. What fails
//! there is written to a pipe as step and errno, and the child ends with the exit code the reference would show.
//!
//! The parent never waits for the child: the pipe says [`ExecStatus::Executed`] by end-of-file, when the exec closes
//! it, and is polled like anything else.

mod child;
mod plan;
mod status;

pub use plan::{
    Appearance, Capabilities, Credential, Directory, Need, OpenFile, Preparation, Scheduling, SpawnError,
    SpawnPlan, Spawned, Task, Terminal,
};
pub use status::{ExecStatus, Step, exec_status};

use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Pid;

/// Starts the process. Returns as soon as it exists; whether its exec succeeds is told by [`Spawned::status`].
///
/// References: clone(2) "clone3", execve(2), cgroups(7).
pub fn spawn(plan: &SpawnPlan<'_>) -> Result<Spawned, SpawnError> {
    let places = !plan.fds.is_empty() || !plan.open_files.is_empty();
    if places && !plan.keep.is_empty() {
        return Err(SpawnError::KeepAndFds);
    }
    let (status, report) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).map_err(SpawnError::Pipe)?;
    let mut prepared = child::Prepared::new(plan, report.as_raw_fd());

    let mut pidfd: libc::c_int = -1;
    // SAFETY: all-zero bytes are a valid clone_args: no flags, nothing set.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = (libc::CLONE_PIDFD as u64) | CLONE_CLEAR_SIGHAND;
    args.pidfd = (&raw mut pidfd) as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    if let Some(cgroup) = &plan.cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = u64::try_from(cgroup.as_raw_fd()).unwrap_or(u64::MAX);
    }
    // SAFETY: the arguments are valid and of the given size. Without CLONE_VM the child runs on a copy of this
    // memory, so nothing it does touches the parent.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of::<libc::clone_args>()) };
    if pid == 0 {
        // SAFETY: this is the child, and `prepared` holds everything it needs.
        unsafe { child::run(&mut prepared) }
    }
    let Some(pid) = i32::try_from(pid)
        .ok()
        .filter(|pid| *pid > 0)
        .and_then(Pid::from_raw)
    else {
        return Err(SpawnError::Clone(crate::exec::last_errno()));
    };
    // SAFETY: the kernel has just made this descriptor for us (CLONE_PIDFD).
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Spawned { pid, pidfd, status })
}

/// linux/sched.h; libc has these as signed numbers only on some targets.
const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

#[cfg(test)]
mod tests;
