//! How a process is started: commands and their environment.

use serde::{Deserialize, Serialize};

/// One command line of an Exec list (semantics 4.10).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecCommand {
    /// Absolute path, or a bare name that is searched in the fixed PATH.
    pub path: String,
    /// The arguments, `argv[0]` first. Variables are not substituted yet.
    pub argv: Vec<String>,
    /// `-`: failure counts as success.
    #[serde(default)]
    pub ignore_failure: bool,
    /// `:`: no environment substitution.
    #[serde(default)]
    pub no_substitution: bool,
    /// `+`: full privileges.
    #[serde(default)]
    pub full_privileges: bool,
    /// `!`: everything is applied except the change of user and group.
    #[serde(default)]
    pub keep_user: bool,
}

/// Where a standard stream goes or comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "path")]
pub enum StdStream {
    /// Output: as standard input if that is a terminal or a connection, else the log. Error: as standard output.
    Inherit,
    /// /dev/null.
    Null,
    /// The unit's log below /run (also what `journal` and `kmsg` mean while there is no journal).
    Log,
    /// The unit's log and the console.
    LogAndConsole,
    /// TTYPath=.
    Tty,
    /// The connection of an Accept=yes instance.
    Socket,
    /// `file:`: opened for reading (input), or writing without truncation from the start.
    File(String),
    /// `append:`.
    Append(String),
    /// `truncate:`.
    Truncate(String),
}

/// The environment in which a unit's processes run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecContext {
    /// `User=`, a name or a number.
    pub user: Option<String>,
    /// `Group=`, a name or a number.
    pub group: Option<String>,
    /// `Environment=`, resolved: one entry a variable, later assignments win.
    pub environment: Vec<(String, String)>,
    /// `EnvironmentFile=`; true: a missing file is no error.
    pub environment_files: Vec<(String, bool)>,
    /// `WorkingDirectory=`.
    pub working_directory: Option<String>,
    /// `WorkingDirectory=-…`: a missing one is no error.
    pub working_directory_optional: bool,
    /// `RootDirectory=`; a start is refused while it is not supported.
    pub root_directory: Option<String>,
    /// `StandardInput=` (default null).
    pub stdin: StdStream,
    /// `StandardOutput=` (default inherit: inetd-style services name their input only).
    pub stdout: StdStream,
    /// `StandardError=` (default inherit).
    pub stderr: StdStream,
    /// `TTYPath=` (default /dev/console).
    pub tty_path: String,
    /// `UMask=` (default 0022).
    pub umask: u32,
    /// `Limit…=`: name as in `NOFILE`, soft and hard value, `None` for infinity.
    pub limits: Vec<(String, Option<u64>, Option<u64>)>,
    /// `Nice=`.
    pub nice: Option<i32>,
    /// `OOMScoreAdjust=`.
    pub oom_score_adjust: Option<i32>,
    /// `NoNewPrivileges=`.
    pub no_new_privileges: bool,
    /// `IgnoreSIGPIPE=` (default yes).
    pub ignore_sigpipe: bool,
    /// `RuntimeDirectory=`: names below /run.
    pub runtime_directory: Vec<String>,
    /// `RuntimeDirectoryMode=` (default 0755).
    pub runtime_directory_mode: u32,
    /// `RuntimeDirectoryPreserve=`: true for yes; restart counts as no.
    pub runtime_directory_preserve: bool,
}

impl Default for ExecContext {
    fn default() -> ExecContext {
        ExecContext {
            user: None,
            group: None,
            environment: Vec::new(),
            environment_files: Vec::new(),
            working_directory: None,
            working_directory_optional: false,
            root_directory: None,
            stdin: StdStream::Null,
            stdout: StdStream::Inherit,
            stderr: StdStream::Inherit,
            tty_path: "/dev/console".to_owned(),
            umask: 0o022,
            limits: Vec::new(),
            nice: None,
            oom_score_adjust: None,
            no_new_privileges: false,
            ignore_sigpipe: true,
            runtime_directory: Vec::new(),
            runtime_directory_mode: 0o755,
            runtime_directory_preserve: false,
        }
    }
}
