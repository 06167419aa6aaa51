//! How a process is started: commands and their environment.

use serde::{Deserialize, Serialize};

use super::{
    CapabilitySet, Credential, CredentialImport, DirectoryPreserve, ExecDirectories, ResourceControl,
    Scheduling,
};

/// One command line of an Exec list (semantics 4.10).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecCommand {
    /// Absolute path, or a bare name that is searched in the fixed PATH.
    pub path: String,
    /// The arguments, `argv[0]` first. Variables are not substituted yet.
    pub argv: Vec<String>,
    /// `-`: failure counts as success.
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
    pub ignore_failure: bool,
    /// `:`: no environment substitution.
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
    pub no_substitution: bool,
    /// `+`: full privileges.
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
    pub full_privileges: bool,
    /// `!`: everything is applied except the change of user and group.
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
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
    /// `journal`: the journal when there is one, else the unit's log below /run.
    Log,
    /// The same and the console.
    LogAndConsole,
    /// `kmsg`: the same as [`StdStream::Log`], and the journal passes it on to the kernel's log.
    Kmsg,
    /// The same and the console.
    KmsgAndConsole,
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
    /// `data`: [`ExecContext::stdin_data`].
    Data,
    /// `fd:NAME`: a descriptor that a socket unit passes; without a name, the stream's own.
    Fd(String),
}

impl StdStream {
    /// What goes to the journal, or to the unit's log without one.
    pub fn is_log(&self) -> bool {
        matches!(self, StdStream::Log | StdStream::Kmsg) || self.is_on_console()
    }

    /// A log that the console shows, too.
    pub fn is_on_console(&self) -> bool {
        matches!(self, StdStream::LogAndConsole | StdStream::KmsgAndConsole)
    }
}

/// The environment in which a unit's processes run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
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
    /// `RootDirectory=`.
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
    /// `RuntimeDirectoryPreserve=` in full; [`ExecContext::runtime_directory_preserve`] is true for yes alone.
    pub runtime_directory_kept: DirectoryPreserve,
    /// `RuntimeDirectory=name:symlink`: links below /run, each with the directory it points to.
    pub runtime_directory_links: Vec<(String, String)>,
    /// `RuntimeDirectory=name::ro`: those that the unit's processes may not write to.
    pub runtime_directory_read_only: Vec<String>,
    /// `StateDirectory=`, below /var/lib.
    pub state_directory: ExecDirectories,
    /// `CacheDirectory=`, below /var/cache.
    pub cache_directory: ExecDirectories,
    /// `LogsDirectory=`, below /var/log.
    pub logs_directory: ExecDirectories,
    /// `ConfigurationDirectory=`, below /etc.
    pub configuration_directory: ExecDirectories,
    /// `SupplementaryGroups=`: names or numbers.
    pub supplementary_groups: Vec<String>,
    /// `CapabilityBoundingSet=`; `None`: nothing is taken away.
    pub capability_bounding_set: Option<CapabilitySet>,
    /// `AmbientCapabilities=`.
    pub ambient_capabilities: CapabilitySet,
    /// `SecureBits=`, as prctl(2) has them.
    pub secure_bits: u32,
    /// `Personality=`: the architecture's name.
    pub personality: Option<String>,
    /// `RootImage=`; such a unit is not usable while images are not supported.
    pub root_image: Option<String>,
    /// `PassEnvironment=`: variables of the manager.
    pub pass_environment: Vec<String>,
    /// `UnsetEnvironment=`: `NAME` or `NAME=value`, removed at the very end.
    pub unset_environment: Vec<String>,
    /// `SetLoginEnvironment=`; without it the variables of a login are set with `User=` alone.
    pub set_login_environment: Option<bool>,
    /// `LoadCredential=`.
    pub load_credentials: Vec<Credential>,
    /// `SetCredential=`: what credentials are when nothing was loaded under their names.
    pub set_credentials: Vec<Credential>,
    /// `ImportCredential=`.
    pub credential_imports: Vec<CredentialImport>,
    /// `StandardInputText=` and `StandardInputData=`, in file order; each text ends in a newline.
    pub stdin_data: Vec<u8>,
    /// `TTYReset=`.
    pub tty_reset: bool,
    /// `TTYVHangup=`.
    pub tty_vhangup: bool,
    /// `TTYVTDisallocate=`.
    pub tty_vt_disallocate: bool,
    /// `TTYColumns=`.
    pub tty_columns: Option<u32>,
    /// `TTYRows=`.
    pub tty_rows: Option<u32>,
    /// `SyslogIdentifier=`.
    pub syslog_identifier: Option<String>,
    /// `SyslogFacility=`, by its number (default 3, daemon).
    pub syslog_facility: u8,
    /// `SyslogLevel=` of lines that do not say their own: 0 (emerg) to 7 (debug), default 6 (info).
    pub syslog_level: u8,
    /// `SyslogLevelPrefix=` (default yes): `<N>` in front of a line is its level.
    pub syslog_level_prefix: bool,
    /// `LogLevelMax=`: 0 (emerg) to 7 (debug); less important lines are dropped.
    pub log_level_max: Option<u8>,
    /// `CPUScheduling…=` and `IOScheduling…=`.
    pub scheduling: Scheduling,
    /// What the unit's cgroup may use. The service's own `delegate`, `memory_max` and `tasks_max` say the same where
    /// they can: they know no percentages.
    pub resources: ResourceControl,
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
            runtime_directory_kept: DirectoryPreserve::No,
            runtime_directory_links: Vec::new(),
            runtime_directory_read_only: Vec::new(),
            state_directory: ExecDirectories::default(),
            cache_directory: ExecDirectories::default(),
            logs_directory: ExecDirectories::default(),
            configuration_directory: ExecDirectories::default(),
            supplementary_groups: Vec::new(),
            capability_bounding_set: None,
            ambient_capabilities: CapabilitySet::EMPTY,
            secure_bits: 0,
            personality: None,
            root_image: None,
            pass_environment: Vec::new(),
            unset_environment: Vec::new(),
            set_login_environment: None,
            load_credentials: Vec::new(),
            set_credentials: Vec::new(),
            credential_imports: Vec::new(),
            stdin_data: Vec::new(),
            tty_reset: false,
            tty_vhangup: false,
            tty_vt_disallocate: false,
            tty_columns: None,
            tty_rows: None,
            syslog_identifier: None,
            syslog_facility: 3,
            syslog_level: 6,
            syslog_level_prefix: true,
            log_level_max: None,
            scheduling: Scheduling::default(),
            resources: ResourceControl::default(),
        }
    }
}
