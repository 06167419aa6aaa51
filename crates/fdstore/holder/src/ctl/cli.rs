//! What can be typed.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Talk to fdstored, the holder of descriptors.
#[derive(Debug, Parser)]
#[command(
    name = "fdstorectl",
    version,
    after_help = "Exit status: 0 done, 1 refused, 2 usage, 3 fdstored not reachable, 4 no such entry, 5 other \
                  failure. exec ends with the command's status; 126 when it cannot be executed, 127 when it is not \
                  there."
)]
pub struct Cli {
    /// fdstored's socket [default: $FDSTORED_SOCKET, else /run/fdstored/varlink].
    #[arg(long, global = true, value_name = "PATH")]
    pub(super) socket: Option<PathBuf>,
    /// Act for this owner (root only): a user's name or number.
    #[arg(long, global = true, value_name = "USER")]
    pub(super) owner: Option<String>,
    /// Print JSON.
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) action: Action,
}

impl Cli {
    /// Whether output and errors are JSON.
    pub fn json(&self) -> bool {
        self.json
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Show what is stored.
    List(List),
    /// Store descriptors under a name.
    Put(Put),
    /// Look at a descriptor, or copy the contents of a stored file.
    Get(Get),
    /// Tell what happens to entries, line by line, until interrupted.
    Watch(Watch),
    /// Take entries out and close them.
    Rm(Rm),
    /// Run a command with stored descriptors (LISTEN_FDS, LISTEN_FDNAMES), from number 3 on.
    Exec(Exec),
    /// Replace fdstored by the program file that is there now. Nothing is lost, clients stay connected.
    Upgrade,
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only these names (* and ? as in a shell).
    #[arg(value_name = "PATTERN")]
    pub(super) patterns: Vec<String>,
    /// Of all owners (root only).
    #[arg(long, short, conflicts_with = "owner")]
    pub(super) all: bool,
}

#[derive(Debug, Args)]
pub(super) struct Put {
    /// The name; what is stored under it already stays.
    pub(super) name: String,
    #[command(flatten)]
    pub(super) source: Source,
    /// How to open --open's file: r, w, rw, or path (O_PATH).
    #[arg(long, value_enum, default_value_t = Mode::R, requires = "open")]
    pub(super) mode: Mode,
    /// Free-form data beside the entry.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) label: Vec<String>,
    /// Let go of it after this time (90s, 15m, 12h, 7d), or "never".
    #[arg(long, value_name = "SPAN")]
    pub(super) expires: Option<String>,
    /// Keep it when it hangs up.
    #[arg(long)]
    pub(super) no_poll: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(super) struct Source {
    /// A descriptor that fdstorectl was started with, such as 5 after "5<file".
    #[arg(long, value_name = "N")]
    pub(super) fd: Vec<i32>,
    /// A file, directory, device, FIFO or namespace (/proc/PID/ns/net).
    #[arg(long, value_name = "PATH")]
    pub(super) open: Vec<PathBuf>,
    /// A new listening socket: ADDRESS:PORT for TCP, a path for unix.
    #[arg(long, value_name = "ADDRESS")]
    pub(super) listen: Vec<String>,
    /// A copy of a file's contents, in sealed memory; "-" is standard input.
    #[arg(long, value_name = "FILE")]
    pub(super) content: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Mode {
    R,
    W,
    Rw,
    Path,
}

#[derive(Debug, Args)]
pub(super) struct Get {
    #[command(flatten)]
    pub(super) which: Which,
    /// Copy the contents of a file or memfd, from its start.
    #[arg(long)]
    pub(super) to_stdout: bool,
    /// Take it out of the store.
    #[arg(long, requires = "to_stdout")]
    pub(super) take: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(super) struct Which {
    /// By name.
    #[arg(value_name = "NAME")]
    pub(super) names: Vec<String>,
    /// By id.
    #[arg(long = "id", value_name = "ID")]
    pub(super) ids: Vec<u64>,
}

#[derive(Debug, Args)]
pub(super) struct Watch {
    /// Only these names (* and ? as in a shell).
    #[arg(value_name = "PATTERN")]
    pub(super) patterns: Vec<String>,
    /// Of all owners (root only).
    #[arg(long, short, conflicts_with = "owner")]
    pub(super) all: bool,
    /// End after so many events.
    #[arg(long, short = 'n', value_name = "N")]
    pub(super) count: Option<u64>,
}

#[derive(Debug, Args)]
#[group(id = "rm_which", required = true, multiple = true, args = ["names", "ids"])]
pub(super) struct Rm {
    /// By name: all entries with it.
    #[arg(value_name = "NAME")]
    pub(super) names: Vec<String>,
    /// By id.
    #[arg(long = "id", value_name = "ID")]
    pub(super) ids: Vec<u64>,
    /// It is no error when there is no such entry.
    #[arg(long, short)]
    pub(super) force: bool,
}

#[derive(Debug, Args)]
#[group(id = "exec_which", required = true, multiple = true, args = ["names", "ids", "all"])]
pub(super) struct Exec {
    /// By name: all entries with it, oldest first.
    #[arg(value_name = "NAME")]
    pub(super) names: Vec<String>,
    /// By id.
    #[arg(long = "id", value_name = "ID")]
    pub(super) ids: Vec<u64>,
    /// All that the owner has, oldest first, be they none.
    #[arg(long, short, conflicts_with_all = ["names", "ids"])]
    pub(super) all: bool,
    /// What is not there is left out: for a program that stores it in its first life.
    #[arg(long)]
    pub(super) optional: bool,
    /// Take them out of the store.
    #[arg(long)]
    pub(super) take: bool,
    /// The command, after "--".
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(super) command: Vec<OsString>,
}
