//! What the kernel keeps of a process: signals, limits, scheduling.

use std::ffi::{c_char, c_int};

use crate::spawn::plan::{Scheduling, SpawnPlan};
use crate::spawn::status::Step;

/// Every disposition back to the default: CLONE_CLEAR_SIGHAND leaves what is ignored ignored. The mask is the parent's
/// and is cleared last, when nothing pending could meet a handler.
///
/// # Safety
/// As for [`super::run`].
pub(super) unsafe fn signals(ignore_sigpipe: bool) {
    const LAST: c_int = 64;
    // SAFETY: the kernel's sigaction starts with the handler and is no longer than this zeroed array, which means
    // SIG_DFL, no flags, an empty mask; SIGKILL, SIGSTOP refuse and stay as they are. The raw call, because libc's
    // refuses the signals it keeps for itself. A zeroed set is the empty one for sigprocmask.
    unsafe {
        let default = [0_u64; 4];
        for signal in 1..=LAST {
            let none = std::ptr::null_mut::<u64>();
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                default.as_ptr(),
                none,
                size_of::<u64>(),
            );
        }
        if ignore_sigpipe {
            libc::signal(libc::SIGPIPE, libc::SIG_IGN);
        }
        let empty: libc::sigset_t = std::mem::zeroed();
        libc::sigprocmask(libc::SIG_SETMASK, &raw const empty, std::ptr::null_mut());
    }
}

/// A limit above the own hard limit that we may not raise becomes that hard limit.
///
/// # Safety
/// As for [`super::run`].
pub(super) unsafe fn set_limit(resource: u32, soft: u64, hard: u64) -> bool {
    let mut limit = libc::rlimit {
        rlim_cur: soft,
        rlim_max: hard,
    };
    // SAFETY: a valid struct to read from, and another to write to.
    unsafe {
        if libc::setrlimit(resource as _, &raw const limit) == 0 {
            return true;
        }
        let mut own: libc::rlimit = std::mem::zeroed();
        if *libc::__errno_location() != libc::EPERM || libc::getrlimit(resource as _, &raw mut own) != 0 {
            return false;
        }
        limit.rlim_max = hard.min(own.rlim_max);
        limit.rlim_cur = soft.min(limit.rlim_max);
        libc::setrlimit(resource as _, &raw const limit) == 0
    }
}

/// # Safety
/// As for [`super::run`]; `path` is NUL-terminated.
pub(super) unsafe fn write_file(path: *const c_char, bytes: &[u8]) -> bool {
    // SAFETY: a valid path, and a buffer of the given length.
    unsafe {
        let fd = libc::open(path, libc::O_WRONLY | libc::O_CLOEXEC);
        if fd < 0 {
            return false;
        }
        let written = libc::write(fd, bytes.as_ptr().cast(), bytes.len());
        libc::close(fd);
        usize::try_from(written) == Ok(bytes.len())
    }
}

/// Nice value, policy, priorities and personality.
///
/// # Safety
/// As for [`super::run`].
pub(super) unsafe fn schedule(plan: &SpawnPlan<'_>) -> Result<(), Step> {
    const SCHED_RESET_ON_FORK: c_int = 0x4000_0000;
    const IOPRIO_WHO_PROCESS: c_int = 1;
    // SAFETY: numbers, and a parameter that lives as long as the call. The raw calls, because not every libc has them.
    unsafe {
        if let Some(nice) = plan.nice
            && libc::setpriority(libc::PRIO_PROCESS, 0, nice) != 0
        {
            return Err(Step::Nice);
        }
        if let Some(Scheduling {
            policy,
            priority,
            reset_on_fork,
        }) = plan.scheduling
        {
            let policy = if reset_on_fork {
                policy | SCHED_RESET_ON_FORK
            } else {
                policy
            };
            if libc::syscall(libc::SYS_sched_setscheduler, 0, policy, &raw const priority) != 0 {
                return Err(Step::Scheduler);
            }
        }
        if let Some(priority) = plan.io_priority
            && libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, priority) != 0
        {
            return Err(Step::IoPriority);
        }
        if let Some(personality) = plan.personality
            && libc::syscall(libc::SYS_personality, personality) < 0
        {
            return Err(Step::Personality);
        }
    }
    Ok(())
}
