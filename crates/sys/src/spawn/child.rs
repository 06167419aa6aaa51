//! The child between clone3 and execve.

use std::ffi::{CString, c_char, c_int};
use std::os::fd::AsRawFd as _;

use super::plan::SpawnPlan;
use super::status::{REPORT_LEN, Step};
use crate::exec::pointers;

/// Room for `LISTEN_PIDFDID=` and 20 digits.
const ASSIGNMENT_LEN: usize = 40;

/// Everything the child needs, made by the parent. The child changes its own copy only.
pub(super) struct Prepared<'p> {
    plan: &'p SpawnPlan<'p>,
    argv: Vec<*const c_char>,
    /// Ends with two free places for LISTEN_PID and LISTEN_PIDFDID, and NULL.
    env: Vec<*const c_char>,
    env_free: usize,
    listen_pid: [u8; ASSIGNMENT_LEN],
    listen_pidfd: [u8; ASSIGNMENT_LEN],
    oom: Option<CString>,
    /// Where each target's descriptor is now: 0, 1, 2, 3, …
    sources: Vec<c_int>,
    keep: Vec<c_int>,
    exec_fd: c_int,
    report: c_int,
}

impl<'p> Prepared<'p> {
    pub(super) fn new(plan: &'p SpawnPlan<'p>, report: c_int) -> Prepared<'p> {
        let mut env = pointers(&plan.env);
        let env_free = env.len().saturating_sub(1);
        env.extend([std::ptr::null(), std::ptr::null()]);
        Prepared {
            plan,
            argv: pointers(&plan.argv),
            env,
            env_free,
            listen_pid: [0; ASSIGNMENT_LEN],
            listen_pidfd: [0; ASSIGNMENT_LEN],
            oom: plan
                .oom_score_adjust
                .and_then(|score| CString::new(score.to_string()).ok()),
            sources: plan
                .stdio
                .iter()
                .chain(&plan.fds)
                .map(|fd| fd.as_raw_fd())
                .collect(),
            keep: plan.keep.iter().map(|fd| fd.as_raw_fd()).collect(),
            exec_fd: plan.exec_fd.map_or(-1, |fd| fd.as_raw_fd()),
            report,
        }
    }
}

/// Sets everything up and executes. Never returns.
///
/// # Safety
/// Only in the child of a clone3 without CLONE_VM.
pub(super) unsafe fn run(prepared: &mut Prepared<'_>) -> ! {
    // SAFETY: by contract.
    let step = unsafe { set_up(prepared) };
    // SAFETY: errno is this thread's own.
    let errno = unsafe { *libc::__errno_location() };
    let mut report = [0_u8; REPORT_LEN];
    let [number, rest @ ..] = &mut report;
    *number = step as u8;
    *rest = errno.to_le_bytes();
    // SAFETY: the buffer is whole; if writing fails the exit code still tells. _exit ends without any handler.
    unsafe {
        libc::write(prepared.report, report.as_ptr().cast(), report.len());
        libc::_exit(step.code())
    }
}

/// Returns only the step that failed; errno says why.
///
/// # Safety
/// As for [`run`]. Every call below gets pointers into `prepared` or constants, which live until the exec.
unsafe fn set_up(prepared: &mut Prepared<'_>) -> Step {
    let plan = prepared.plan;
    // SAFETY: plain system calls on numbers and valid pointers; none allocates or takes a lock.
    unsafe {
        signals(plan.ignore_sigpipe);
        if libc::setsid() < 0 {
            return Step::Session;
        }
        if let Some(score) = &prepared.oom
            && !write_file(c"/proc/self/oom_score_adj".as_ptr(), score.as_bytes())
        {
            return Step::OomAdjust;
        }
        if let Some(nice) = plan.nice
            && libc::setpriority(libc::PRIO_PROCESS, 0, nice) != 0
        {
            return Step::Nice;
        }
        libc::umask(plan.umask);
        if let Err(step) = place_descriptors(prepared) {
            return step;
        }
        if plan.controlling_tty && libc::ioctl(0, libc::TIOCSCTTY, 1) != 0 {
            return Step::Terminal;
        }
        for (resource, soft, hard) in &plan.rlimits {
            if !set_limit(*resource, *soft, *hard) {
                return Step::Limits;
            }
        }
        if let Err(step) = identity(plan) {
            return step;
        }
        if let Some((directory, optional)) = &plan.working_directory
            && libc::chdir(directory.as_ptr()) != 0
            && !(*optional && *libc::__errno_location() == libc::ENOENT)
        {
            return Step::WorkingDirectory;
        }
        if plan.no_new_privileges && libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 {
            return Step::NoNewPrivileges;
        }
        if plan.listen_pid {
            listen_variables(prepared);
        }
        let (argv, env) = (prepared.argv.as_ptr(), prepared.env.as_ptr());
        if prepared.exec_fd >= 0 {
            libc::syscall(
                libc::SYS_execveat,
                prepared.exec_fd,
                c"".as_ptr(),
                argv,
                env,
                libc::AT_EMPTY_PATH,
            );
        } else {
            libc::execve(plan.program.as_ptr(), argv, env);
        }
    }
    Step::Exec
}

/// A limit above the own hard limit that we may not raise becomes that hard limit.
///
/// # Safety
/// As for [`run`].
unsafe fn set_limit(resource: u32, soft: u64, hard: u64) -> bool {
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

/// Every disposition back to the default: CLONE_CLEAR_SIGHAND leaves what is ignored ignored. The mask is the parent's
/// and is cleared last, when nothing pending could meet a handler.
///
/// # Safety
/// As for [`run`].
unsafe fn signals(ignore_sigpipe: bool) {
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

/// Every source to its target, whatever numbers they have now.
///
/// First whatever stands on a target's number and is needed elsewhere moves out of the way; then nothing that is
/// still needed can be overwritten.
///
/// # Safety
/// As for [`run`].
unsafe fn place_descriptors(prepared: &mut Prepared<'_>) -> Result<(), Step> {
    let end = c_int::try_from(prepared.sources.len()).map_err(|_| Step::Descriptors)?;
    // SAFETY: fcntl, dup2 and close_range on numbers of the child's own table.
    unsafe {
        for (target, source) in (0..).zip(prepared.sources.iter_mut()) {
            if *source < end && *source != target {
                *source = out_of_the_way(*source, end).ok_or(step_of(target))?;
            }
        }
        for needed in [&mut prepared.report, &mut prepared.exec_fd] {
            if (0..end).contains(needed) {
                *needed = out_of_the_way(*needed, end).ok_or(Step::Descriptors)?;
            }
        }
        for (target, source) in (0..).zip(prepared.sources.iter().copied()) {
            let placed = if source == target {
                libc::fcntl(source, libc::F_SETFD, 0)
            } else {
                libc::dup2(source, target)
            };
            if placed < 0 {
                return Err(step_of(target));
            }
        }
        // What the parent opened without O_CLOEXEC by mistake does not leak either.
        libc::syscall(
            libc::SYS_close_range,
            end,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        );
        for kept in &prepared.keep {
            if libc::fcntl(*kept, libc::F_SETFD, 0) < 0 {
                return Err(Step::Descriptors);
            }
        }
    }
    Ok(())
}

fn step_of(target: c_int) -> Step {
    if target < 3 {
        Step::Stdio
    } else {
        Step::Descriptors
    }
}

/// # Safety
/// As for [`run`].
unsafe fn out_of_the_way(fd: c_int, lowest: c_int) -> Option<c_int> {
    // SAFETY: F_DUPFD_CLOEXEC only makes a new number.
    let moved = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, lowest) };
    (moved >= 0).then_some(moved)
}

/// Groups before the user: afterwards there is no right to set them.
///
/// # Safety
/// As for [`run`].
unsafe fn identity(plan: &SpawnPlan<'_>) -> Result<(), Step> {
    // The raw calls: libc's would signal other threads of this program, which the child does not have.
    // SAFETY: numbers, and a pointer to an array of the given length.
    unsafe {
        if let Some(groups) = &plan.groups
            && libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) != 0
        {
            return Err(Step::Groups);
        }
        if let Some(gid) = plan.gid
            && libc::syscall(libc::SYS_setresgid, gid, gid, gid) != 0
        {
            return Err(Step::Group);
        }
        if let Some(uid) = plan.uid
            && libc::syscall(libc::SYS_setresuid, uid, uid, uid) != 0
        {
            return Err(Step::User);
        }
    }
    Ok(())
}

/// # Safety
/// As for [`run`]; `path` is NUL-terminated.
unsafe fn write_file(path: *const c_char, bytes: &[u8]) -> bool {
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

/// LISTEN_PID= and LISTEN_PIDFDID= (sd_listen_fds(3)), in the places left free for them.
///
/// # Safety
/// As for [`run`].
unsafe fn listen_variables(prepared: &mut Prepared<'_>) {
    // SAFETY: getpid cannot fail; the pidfd is closed again.
    let (pid, id) = unsafe {
        let pid = libc::getpid();
        (pid, own_pidfd_id(pid))
    };
    let mut free = prepared.env_free;
    let assignments = [
        (
            &mut prepared.listen_pid,
            &b"LISTEN_PID="[..],
            u64::try_from(pid).ok(),
        ),
        (&mut prepared.listen_pidfd, &b"LISTEN_PIDFDID="[..], id),
    ];
    for (buffer, name, value) in assignments {
        let Some(value) = value else { continue };
        format_assignment(buffer, name, value);
        if let Some(place) = prepared.env.get_mut(free) {
            *place = buffer.as_ptr().cast();
            free += 1;
        }
    }
}

/// # Safety
/// As for [`run`].
unsafe fn own_pidfd_id(pid: c_int) -> Option<u64> {
    const PIDFS_MAGIC: i64 = 0x5049_4446;
    // SAFETY: zeroed structs are valid targets for fstatfs and fstat; the descriptor is ours and closed again.
    unsafe {
        let fd = c_int::try_from(libc::syscall(libc::SYS_pidfd_open, pid, 0))
            .ok()
            .filter(|fd| *fd >= 0)?;
        let mut filesystem: libc::statfs = std::mem::zeroed();
        let mut stat: libc::stat = std::mem::zeroed();
        let found = libc::fstatfs(fd, &raw mut filesystem) == 0
            && filesystem.f_type as i64 == PIDFS_MAGIC
            && libc::fstat(fd, &raw mut stat) == 0;
        libc::close(fd);
        found.then_some(stat.st_ino)
    }
}

/// `NAME=` and the number in decimal, terminated by NUL. The buffer is long enough for both names and any number.
fn format_assignment(buffer: &mut [u8; ASSIGNMENT_LEN], name: &[u8], value: u64) {
    let mut digits = [0_u8; 20];
    let mut count = 0;
    let mut rest = value;
    for slot in &mut digits {
        *slot = b'0'.wrapping_add(u8::try_from(rest % 10).unwrap_or(0));
        count += 1;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    let text = name.iter().chain(digits.iter().take(count).rev()).chain(&[0]);
    for (slot, byte) in buffer.iter_mut().zip(text) {
        *slot = *byte;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    #[test]
    fn numbers_are_written_in_decimal_without_allocating() {
        for value in [0, 7, 10, 4711, u64::MAX] {
            let mut buffer = [1; ASSIGNMENT_LEN];
            format_assignment(&mut buffer, b"LISTEN_PIDFDID=", value);
            let text = CStr::from_bytes_until_nul(&buffer).unwrap().to_str().unwrap();
            assert_eq!(text, format!("LISTEN_PIDFDID={value}"));
        }
    }
}
