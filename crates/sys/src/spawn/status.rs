//! The outcome of an exec, as the child reports it.

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;

use rustix::io::Errno;

/// What the child was doing when it failed. The number crosses the pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "Display says it")]
pub enum Step {
    Session = 1,
    OomAdjust = 2,
    Nice = 3,
    Limits = 4,
    Stdio = 5,
    Descriptors = 6,
    Terminal = 7,
    Groups = 8,
    Group = 9,
    User = 10,
    WorkingDirectory = 11,
    NoNewPrivileges = 12,
    Exec = 13,
    Scheduler = 14,
    IoPriority = 15,
    Personality = 16,
    Root = 17,
    Capabilities = 18,
    SecureBits = 19,
    StateDirectory = 20,
    CacheDirectory = 21,
    LogsDirectory = 22,
    ConfigurationDirectory = 23,
    Credentials = 24,
    OpenFile = 25,
    Namespace = 26,
    Appearance = 27,
}

impl Step {
    const ALL: [Step; 27] = [
        Step::Session,
        Step::OomAdjust,
        Step::Nice,
        Step::Limits,
        Step::Stdio,
        Step::Descriptors,
        Step::Terminal,
        Step::Groups,
        Step::Group,
        Step::User,
        Step::WorkingDirectory,
        Step::NoNewPrivileges,
        Step::Exec,
        Step::Scheduler,
        Step::IoPriority,
        Step::Personality,
        Step::Root,
        Step::Capabilities,
        Step::SecureBits,
        Step::StateDirectory,
        Step::CacheDirectory,
        Step::LogsDirectory,
        Step::ConfigurationDirectory,
        Step::Credentials,
        Step::OpenFile,
        Step::Namespace,
        Step::Appearance,
    ];

    /// The exit code of a child that failed here (systemd.exec(5), "Process exit codes").
    pub fn code(self) -> i32 {
        match self {
            Step::Session => 220,
            Step::OomAdjust => 206,
            Step::Nice => 201,
            Step::Limits => 205,
            Step::Stdio | Step::Terminal => 208,
            Step::Descriptors | Step::OpenFile => 202,
            Step::Groups | Step::Group => 216,
            Step::User => 217,
            Step::WorkingDirectory => 200,
            Step::NoNewPrivileges => 227,
            Step::Exec => 203,
            Step::Scheduler => 214,
            Step::IoPriority => 211,
            Step::Personality => 230,
            Step::Root => 210,
            Step::Capabilities => 218,
            Step::SecureBits => 213,
            Step::StateDirectory => 238,
            Step::CacheDirectory => 239,
            Step::LogsDirectory => 240,
            Step::ConfigurationDirectory => 241,
            Step::Credentials => 243,
            Step::Namespace | Step::Appearance => 226,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Session => "making a session",
            Step::OomAdjust => "setting the OOM score",
            Step::Nice => "setting the nice value",
            Step::Limits => "setting a resource limit",
            Step::Stdio => "placing the standard streams",
            Step::Descriptors => "placing the passed descriptors",
            Step::Terminal => "taking the controlling terminal",
            Step::Groups => "setting the supplementary groups",
            Step::Group => "setting the group",
            Step::User => "setting the user",
            Step::WorkingDirectory => "changing to the working directory",
            Step::NoNewPrivileges => "giving up new privileges",
            Step::Exec => "executing the program",
            Step::Scheduler => "setting the scheduling policy",
            Step::IoPriority => "setting the I/O priority",
            Step::Personality => "setting the personality",
            Step::Root => "changing to the root directory",
            Step::Capabilities => "setting the capabilities",
            Step::SecureBits => "setting the secure bits",
            Step::StateDirectory => "making the state directory",
            Step::CacheDirectory => "making the cache directory",
            Step::LogsDirectory => "making the logs directory",
            Step::ConfigurationDirectory => "making the configuration directory",
            Step::Credentials => "making the credentials",
            Step::OpenFile => "opening the files to pass",
            Step::Namespace => "making a mount namespace",
            Step::Appearance => "showing a directory or socket in the mount namespace",
        })
    }
}

/// How an exec stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecStatus {
    /// Not decided yet.
    Pending,
    /// The program runs.
    Executed,
    /// The child failed before it and has ended, or is about to.
    Failed {
        /// Where.
        step: Step,
        /// Why.
        errno: Errno,
        /// The child's exit code.
        code: i32,
    },
}

/// Size of a report: the step, then errno, little-endian.
pub(super) const REPORT_LEN: usize = 5;

/// Reads the pipe of [`super::Spawned::status`]. A child that was killed before its exec also closes the pipe: it
/// reads as executed, and its exit status tells.
pub fn exec_status(status: BorrowedFd<'_>) -> io::Result<ExecStatus> {
    let mut report = [0_u8; REPORT_LEN];
    match rustix::io::read(status, &mut report) {
        Ok(0) => Ok(ExecStatus::Executed),
        Ok(REPORT_LEN) => {
            let [number, errno @ ..] = report;
            let step = Step::ALL.into_iter().find(|step| *step as u8 == number);
            let step =
                step.ok_or_else(|| io::Error::other(format!("a child reported the unknown step {number}")))?;
            let errno = Errno::from_raw_os_error(i32::from_le_bytes(errno));
            Ok(ExecStatus::Failed {
                step,
                errno,
                code: step.code(),
            })
        }
        // Writes of less than PIPE_BUF are whole (pipe(7)).
        Ok(length) => Err(io::Error::other(format!("a child's report has {length} bytes"))),
        Err(Errno::AGAIN | Errno::INTR) => Ok(ExecStatus::Pending),
        Err(error) => Err(error.into()),
    }
}
