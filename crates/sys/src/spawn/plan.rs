//! What to start, and what came of it.

use std::ffi::CString;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::Pid;

/// A process to start. Make one with [`SpawnPlan::new`] and set what differs.
#[derive(Debug)]
pub struct SpawnPlan<'a> {
    /// The file to execute: a path; nothing is searched.
    pub program: CString,
    /// Arguments, `argv[0]` first.
    pub argv: Vec<CString>,
    /// `NAME=value` each.
    pub env: Vec<CString>,
    /// Standard input, output and error.
    pub stdio: [BorrowedFd<'a>; 3],
    /// Placed at 3, 4, … in this order.
    pub fds: Vec<BorrowedFd<'a>>,
    /// Add `LISTEN_PID` and, where the kernel has pidfs, `LISTEN_PIDFDID`: only the child knows them.
    pub listen_pid: bool,
    /// Stay open at their own numbers. Not together with `fds`.
    pub keep: Vec<BorrowedFd<'a>>,
    /// The cgroup to be born in.
    pub cgroup: Option<BorrowedFd<'a>>,
    /// Where to run; true: a missing directory is no error.
    pub working_directory: Option<(CString, bool)>,
    /// Real, effective and saved user.
    pub uid: Option<u32>,
    /// Real, effective and saved group.
    pub gid: Option<u32>,
    /// Supplementary groups.
    pub groups: Option<Vec<u32>>,
    /// File mode creation mask.
    pub umask: u32,
    /// RLIMIT number, soft and hard value each; `u64::MAX` is no limit.
    pub rlimits: Vec<(u32, u64, u64)>,
    /// Nice value.
    pub nice: Option<i32>,
    /// oom_score_adj.
    pub oom_score_adjust: Option<i32>,
    /// PR_SET_NO_NEW_PRIVS.
    pub no_new_privileges: bool,
    /// Make standard input the controlling terminal.
    pub controlling_tty: bool,
    /// Start with SIGPIPE ignored; else it kills, as usual.
    pub ignore_sigpipe: bool,
    /// Execute this descriptor in place of `program`.
    pub exec_fd: Option<BorrowedFd<'a>>,
}

impl<'a> SpawnPlan<'a> {
    /// A process of the caller's user, in the caller's cgroup and directory, with nothing but its standard streams.
    pub fn new(program: CString, argv: Vec<CString>, env: Vec<CString>, stdio: [BorrowedFd<'a>; 3]) -> Self {
        SpawnPlan {
            program,
            argv,
            env,
            stdio,
            fds: Vec::new(),
            listen_pid: false,
            keep: Vec::new(),
            cgroup: None,
            working_directory: None,
            uid: None,
            gid: None,
            groups: None,
            umask: 0o022,
            rlimits: Vec::new(),
            nice: None,
            oom_score_adjust: None,
            no_new_privileges: false,
            controlling_tty: false,
            ignore_sigpipe: false,
            exec_fd: None,
        }
    }
}

/// A process that exists.
#[derive(Debug)]
pub struct Spawned {
    /// Its number.
    pub pid: Pid,
    /// A descriptor for it; closed on exec.
    pub pidfd: OwnedFd,
    /// Readable when the exec has succeeded or failed: see [`super::exec_status`]. Closed on exec, non-blocking.
    pub status: OwnedFd,
}

/// Why there is no process.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// `keep` and `fds` exclude each other: a kept number could be one that a passed descriptor needs.
    #[error("a process cannot both keep descriptors at their numbers and get others from 3 upwards")]
    KeepAndFds,
    /// No pipe for the outcome.
    #[error("making the pipe that reports a process' exec: {0}")]
    Pipe(#[source] Errno),
    /// clone3 failed.
    #[error("making a process (clone3): {0}")]
    Clone(#[source] Errno),
}
