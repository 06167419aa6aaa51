//! Children that ended.

use rustix::io::Errno;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// exit(2) with this code.
    Exited(i32),
    /// Killed by this signal.
    Signaled(i32),
    /// Killed by this signal, with a core dump.
    Dumped(i32),
}

/// A zombie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChildExit {
    /// Its number, which nobody else has before it is reaped.
    pub pid: i32,
    /// How it ended.
    pub status: ExitStatus,
}

/// Looks at some child that has ended, and leaves it a zombie: so its /proc entry and its number are still its own
/// while the caller finds out whose it was. `None` when no child has ended.
///
/// Reference: waitid(2) with WNOWAIT.
pub fn peek() -> Result<Option<ChildExit>, Errno> {
    // SAFETY: all-zero bytes are a valid siginfo_t; with WNOHANG a si_pid of 0 means that nothing was found.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: the pointer is to a siginfo_t that lives through the call.
    let result = unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, flags) };
    if result != 0 {
        return match crate::exec::last_errno() {
            Errno::CHILD => Ok(None),
            error => Err(error),
        };
    }
    // SAFETY: waitid has filled the SIGCHLD members of the union, or left them zero.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    if pid == 0 {
        return Ok(None);
    }
    let status = match info.si_code {
        libc::CLD_EXITED => ExitStatus::Exited(status),
        libc::CLD_DUMPED => ExitStatus::Dumped(status),
        _ => ExitStatus::Signaled(status),
    };
    Ok(Some(ChildExit { pid, status }))
}

/// Reaps one zombie. False when there is no such one.
///
/// Reference: waitid(2).
pub fn reap(pid: i32) -> Result<bool, Errno> {
    let Ok(id) = libc::id_t::try_from(pid) else {
        return Err(Errno::INVAL);
    };
    // SAFETY: as in `peek`.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: as in `peek`.
    let result = unsafe { libc::waitid(libc::P_PID, id, &raw mut info, libc::WEXITED | libc::WNOHANG) };
    if result != 0 {
        return match crate::exec::last_errno() {
            Errno::CHILD => Ok(false),
            error => Err(error),
        };
    }
    // SAFETY: as in `peek`.
    Ok(unsafe { info.si_pid() } != 0)
}
