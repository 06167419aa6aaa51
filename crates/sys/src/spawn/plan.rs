//! What to start, and what came of it.

use std::ffi::CString;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::Pid;

use super::status::Step;

/// A process to start. Make one with [`SpawnPlan::new`] and set what differs.
#[derive(Debug)]
pub struct SpawnPlan<'a> {
    /// The file to execute: a path; nothing is searched.
    pub program: CString,
    /// Executed in turn while the one before is not there.
    pub alternatives: Vec<CString>,
    /// Arguments, `argv[0]` first.
    pub argv: Vec<CString>,
    /// `NAME=value` each.
    pub env: Vec<CString>,
    /// Standard input, output and error.
    pub stdio: [BorrowedFd<'a>; 3],
    /// Placed at 3, 4, … in this order.
    pub fds: Vec<BorrowedFd<'a>>,
    /// Opened by the child, as the caller's user, and placed after `fds`. With any of them the child also adds
    /// `LISTEN_FDS` and `LISTEN_FDNAMES`, because only it knows what could be opened; `fd_names` names `fds`.
    pub open_files: Vec<OpenFile>,
    /// Names of `fds`, with `:` between them; used together with `open_files` alone.
    pub fd_names: CString,
    /// Add `LISTEN_PID` and, where the kernel has pidfs, `LISTEN_PIDFDID`: only the child knows them.
    pub listen_pid: bool,
    /// Add `SYSTEMD_EXEC_PID`, likewise.
    pub exec_pid: bool,
    /// Stay open at their own numbers. Not together with `fds`.
    pub keep: Vec<BorrowedFd<'a>>,
    /// The cgroup to be born in.
    pub cgroup: Option<BorrowedFd<'a>>,
    /// Where to run; true: a missing directory is no error.
    pub working_directory: Option<(CString, bool)>,
    /// Made in this order as the caller's user, before the changes of root and user.
    pub preparations: Vec<Preparation>,
    /// The root directory. What is executed, the working directory and `inside` are looked up in it.
    pub root: Option<CString>,
    /// Seen in that root, or in this one, through a mount table of the process' own. Without any the root is changed by
    /// chroot(2), and the mount table is the caller's.
    pub appearances: Vec<Appearance>,
    /// Made after `preparations`, when the root has changed.
    pub inside: Vec<Preparation>,
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
    /// Policy and priority.
    pub scheduling: Option<Scheduling>,
    /// Class and priority as ioprio_set(2) has them.
    pub io_priority: Option<i32>,
    /// As personality(2) has it.
    pub personality: Option<u64>,
    /// Capabilities.
    pub capabilities: Capabilities,
    /// oom_score_adj.
    pub oom_score_adjust: Option<i32>,
    /// PR_SET_NO_NEW_PRIVS.
    pub no_new_privileges: bool,
    /// What to do with a terminal before the program has it.
    pub terminal: Option<Terminal>,
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
            alternatives: Vec::new(),
            argv,
            env,
            stdio,
            fds: Vec::new(),
            open_files: Vec::new(),
            fd_names: CString::default(),
            listen_pid: false,
            exec_pid: false,
            keep: Vec::new(),
            cgroup: None,
            working_directory: None,
            preparations: Vec::new(),
            root: None,
            appearances: Vec::new(),
            inside: Vec::new(),
            uid: None,
            gid: None,
            groups: None,
            umask: 0o022,
            rlimits: Vec::new(),
            nice: None,
            scheduling: None,
            io_priority: None,
            personality: None,
            capabilities: Capabilities::default(),
            oom_score_adjust: None,
            no_new_privileges: false,
            terminal: None,
            ignore_sigpipe: false,
            exec_fd: None,
        }
    }
}

/// A file to open, or a listening AF_UNIX socket to connect to.
#[derive(Clone, Debug)]
pub struct OpenFile {
    /// Where it is.
    pub path: CString,
    /// The descriptor's name.
    pub name: CString,
    /// Access mode and flags of open(2).
    pub flags: i32,
    /// What cannot be opened is left out.
    pub optional: bool,
}

/// The terminal among the standard streams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terminal {
    /// Which of the standard streams it is.
    pub streams: [bool; 3],
    /// Standard input becomes the controlling terminal; only with `streams[0]`.
    pub control: bool,
    /// First everyone who has it open loses it; this is where it is opened anew.
    pub hang_up: Option<CString>,
    /// Empty its screen and what was scrolled out of it.
    pub clear: bool,
    /// It becomes this user's.
    pub owner: Option<u32>,
    /// Line discipline back to what a login expects.
    pub reset: bool,
    /// Its new width; `None`: as it is.
    pub columns: Option<u16>,
    /// Its new height; `None`: as it is.
    pub rows: Option<u16>,
}

/// sched_setscheduler(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scheduling {
    /// The kernel's number.
    pub policy: i32,
    /// 1 to 99 for the real-time policies, else 0.
    pub priority: i32,
    /// Children start with the usual policy.
    pub reset_on_fork: bool,
}

/// capabilities(7); bit N is capability number N.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// What remains of the bounding set; `None`: all of it.
    pub bounding: Option<u64>,
    /// What the process has as whatever user it is.
    pub ambient: u64,
    /// As prctl(2) has them.
    pub secure_bits: u32,
}

/// Something in the file system that the process needs.
#[derive(Clone, Debug)]
pub struct Preparation {
    /// What to report when it fails.
    pub step: Step,
    /// What to do.
    pub task: Task,
}

/// What to make.
#[derive(Clone, Debug)]
pub enum Task {
    /// A directory; one that is there gets the mode and the owner.
    Directory(Directory),
    /// A symbolic link.
    Link {
        /// What it says.
        target: CString,
        /// Where it is.
        path: CString,
    },
    /// A file with the contents of a credential.
    Credential(Credential),
}

/// A file or directory that appears in the process' mount table.
#[derive(Clone, Debug)]
pub struct Appearance {
    /// What to report when it fails.
    pub step: Step,
    /// Where it is below, before the change of the root.
    pub base: CString,
    /// The names from there on, as in [`Directory::parts`]; below the first no symbolic link is followed.
    pub parts: Vec<CString>,
    /// The names from the root on where it appears. What is missing is made.
    pub target: Vec<CString>,
    /// Nobody can write to it there.
    pub read_only: bool,
    /// Nothing in it is a program or a device there.
    pub data_only: bool,
    /// What may be missing.
    pub need: Need,
}

/// How much an [`Appearance`] is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing is executed without it.
    Must,
    /// What is not there does not appear.
    IfThere,
    /// Nor does it where there is no place for it.
    IfPossible,
}

/// A directory below another. Below the first part no symbolic link is followed.
#[derive(Clone, Debug)]
pub struct Directory {
    /// Made with mode 0755 when it is missing, but not its parents.
    pub base: CString,
    /// One name each; those in between get mode 0755.
    pub parts: Vec<CString>,
    /// Of the last part.
    pub mode: u32,
    /// User and group of the last part; `None`: as it is.
    pub owner: Option<(u32, u32)>,
}

/// A file with mode 0400.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The file to copy, of at most 1 MiB.
    pub source: Option<CString>,
    /// The contents when there is no such file.
    pub fallback: Option<Vec<u8>>,
    /// Without both there is no file, and that is no error.
    pub optional: bool,
    /// Where it is written first.
    pub draft: CString,
    /// Where it is then.
    pub path: CString,
    /// User and group.
    pub owner: (u32, u32),
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
    /// `keep` excludes `fds` and `open_files`: a kept number could be one that a passed descriptor needs.
    #[error("a process cannot both keep descriptors at their numbers and get others from 3 upwards")]
    KeepAndFds,
    /// No pipe for the outcome.
    #[error("making the pipe that reports a process' exec: {0}")]
    Pipe(#[source] Errno),
    /// clone3 failed.
    #[error("making a process (clone3): {0}")]
    Clone(#[source] Errno),
}
