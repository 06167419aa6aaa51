//! The child between clone3 and execve.

mod descriptors;
mod identity;
mod kernel;
mod mounts;
mod open_files;
mod preparation;
mod terminal;
mod variables;

use std::ffi::{CString, c_char, c_int};
use std::os::fd::AsRawFd as _;

use super::plan::{Preparation, SpawnPlan};
use super::status::{REPORT_LEN, Step};
use crate::exec::pointers;
use descriptors::Placing;
use variables::{ASSIGNMENT_LEN, OWN_VARIABLES};

/// Everything the child needs, made by the parent. The child changes its own copy only.
pub(super) struct Prepared<'p> {
    plan: &'p SpawnPlan<'p>,
    argv: Vec<*const c_char>,
    /// Ends with free places for what only the child knows, and NULL.
    env: Vec<*const c_char>,
    env_free: usize,
    own_variables: [[u8; ASSIGNMENT_LEN]; OWN_VARIABLES],
    oom: Option<CString>,
    /// Where each target's descriptor is now: 0, 1, 2, 3, …
    sources: Vec<c_int>,
    placing: Placing,
    /// How many of them stand from 3 upwards.
    passed: u64,
    /// `LISTEN_FDNAMES=…`; room for the names of what the child opens.
    names: Vec<u8>,
    keep: Vec<c_int>,
    exec_fd: c_int,
    /// What appears, while it is in no place; -1 for what is not there.
    trees: Vec<c_int>,
    report: c_int,
}

impl<'p> Prepared<'p> {
    pub(super) fn new(plan: &'p SpawnPlan<'p>, report: c_int) -> Prepared<'p> {
        let mut env = pointers(&plan.env);
        let env_free = env.len().saturating_sub(1);
        env.extend([std::ptr::null(); OWN_VARIABLES]);
        let opened: usize = plan
            .open_files
            .iter()
            .map(|file| file.name.to_bytes().len() + 1)
            .sum();
        let known = [b"LISTEN_FDNAMES=", plan.fd_names.to_bytes()].concat();
        let mut names = Vec::with_capacity(known.len() + opened + 1);
        names.extend(known);
        let targets = 3 + plan.fds.len() + plan.open_files.len();
        let mut sources = Vec::with_capacity(targets);
        sources.extend(plan.stdio.iter().chain(&plan.fds).map(|fd| fd.as_raw_fd()));
        Prepared {
            plan,
            argv: pointers(&plan.argv),
            env,
            env_free,
            own_variables: [[0; ASSIGNMENT_LEN]; OWN_VARIABLES],
            oom: plan
                .oom_score_adjust
                .and_then(|score| CString::new(score.to_string()).ok()),
            sources,
            placing: Placing::with_capacity(targets),
            passed: plan.fds.len() as u64,
            names,
            keep: plan.keep.iter().map(|fd| fd.as_raw_fd()).collect(),
            exec_fd: plan.exec_fd.map_or(-1, |fd| fd.as_raw_fd()),
            trees: Vec::with_capacity(plan.appearances.len()),
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
        kernel::signals(plan.ignore_sigpipe);
        if libc::setsid() < 0 {
            return Step::Session;
        }
        if let Some(score) = &prepared.oom
            && !kernel::write_file(c"/proc/self/oom_score_adj".as_ptr(), score.as_bytes())
        {
            return Step::OomAdjust;
        }
        if let Err(step) = kernel::schedule(plan) {
            return step;
        }
        if let Err(step) = open_files::open_all(prepared) {
            return step;
        }
        if let Err(step) = descriptors::place_descriptors(prepared) {
            return step;
        }
        if let Some(terminal) = &plan.terminal
            && !terminal::take(terminal)
        {
            return Step::Terminal;
        }
        // The modes of what is made are meant as they are.
        libc::umask(0);
        if let Err(step) = make_all(&plan.preparations) {
            return step;
        }
        if let Err(step) = mounts::enter(prepared) {
            return step;
        }
        if let Err(step) = make_all(&plan.inside) {
            return step;
        }
        libc::umask(plan.umask);
        for (resource, soft, hard) in &plan.rlimits {
            if !kernel::set_limit(*resource, *soft, *hard) {
                return Step::Limits;
            }
        }
        if let Err(step) = identity::take(plan) {
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
        variables::add(prepared);
        execute(prepared);
    }
    Step::Exec
}

/// # Safety
/// As for [`run`].
unsafe fn make_all(preparations: &[Preparation]) -> Result<(), Step> {
    for preparation in preparations {
        // SAFETY: by contract.
        if unsafe { !preparation::make(preparation) } {
            return Err(preparation.step);
        }
    }
    Ok(())
}

/// Returns only when nothing could be executed; errno says why.
///
/// # Safety
/// As for [`run`].
unsafe fn execute(prepared: &Prepared<'_>) {
    let (argv, env) = (prepared.argv.as_ptr(), prepared.env.as_ptr());
    // SAFETY: the arrays end in NULL, and everything in them lives as long as `prepared`.
    unsafe {
        if prepared.exec_fd >= 0 {
            let flags = libc::AT_EMPTY_PATH;
            libc::syscall(
                libc::SYS_execveat,
                prepared.exec_fd,
                c"".as_ptr(),
                argv,
                env,
                flags,
            );
            return;
        }
        libc::execve(prepared.plan.program.as_ptr(), argv, env);
        for program in &prepared.plan.alternatives {
            let errno = *libc::__errno_location();
            if errno != libc::ENOENT && errno != libc::ENOTDIR {
                return;
            }
            libc::execve(program.as_ptr(), argv, env);
        }
    }
}
