//! Options of the verbs about processes, settings, dependencies and times.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{ArgAction, Args, ValueEnum};
use softboot_unit::Cleanable;

use super::SomeUnits;

/// `status`.
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Units, or numbers of processes; `.service` may be left out, `*` and `?` match units that are loaded
    #[arg(value_name = "UNIT|PID")]
    pub(crate) units: Vec<String>,
    /// How many of the last lines of the log
    #[arg(short = 'n', long, value_name = "LINES", default_value_t = 10)]
    pub(crate) lines: u32,
}

/// `set-environment`.
#[derive(Debug, Args)]
pub(crate) struct SetEnvironment {
    /// Variables
    #[arg(value_name = "NAME=VALUE", required = true)]
    pub(crate) assignments: Vec<String>,
}

/// `unset-environment`, `import-environment`.
#[derive(Debug, Args)]
pub(crate) struct Variables {
    /// Names of variables
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<String>,
}

/// `exit`.
#[derive(Debug, Args)]
pub(crate) struct Exit {
    /// What the container ends with
    #[arg(value_name = "CODE", default_value_t = 0)]
    pub(crate) code: u8,
    /// Do not stop units one by one
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Nothing: nobody is written to
    #[arg(long)]
    pub(crate) no_wall: bool,
}

/// `list-jobs`.
#[derive(Debug, Args)]
pub(crate) struct ListJobs {
    /// Also the jobs that each job waits for
    #[arg(long)]
    pub(crate) after: bool,
    /// Also the jobs that wait for each job
    #[arg(long)]
    pub(crate) before: bool,
    /// Only jobs of units whose names match; `*` and `?` as in a shell
    #[arg(value_name = "PATTERN")]
    pub(crate) patterns: Vec<String>,
}

/// `isolate`.
#[derive(Debug, Args)]
pub(crate) struct Isolate {
    /// The unit; `.target` may be left out
    #[arg(value_name = "UNIT")]
    pub(crate) unit: String,
    /// Only queue the jobs; do not wait for their end
    #[arg(long)]
    pub(crate) no_block: bool,
    /// Show which jobs this would make, and why, and make none
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Show which jobs this makes, and why
    #[arg(short = 'T', long, visible_alias = "show-transaction")]
    pub(crate) explain: bool,
}

/// `daemon-reload`.
#[derive(Debug, Args)]
pub(crate) struct Reload {
    /// Nothing: a reload is over when it is answered, and nothing waits for it
    #[arg(long)]
    pub(crate) no_block: bool,
}

/// `rescue`, `emergency`, `default`.
#[derive(Debug, Args)]
pub(crate) struct Whole {
    /// Only queue the jobs; do not wait for their end
    #[arg(long)]
    pub(crate) no_block: bool,
    /// Nothing: nobody is written to
    #[arg(long)]
    pub(crate) no_wall: bool,
}

/// `run`.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The command and its arguments
    #[arg(
        value_name = "COMMAND",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(crate) command: Vec<String>,
    /// The service's name; one is chosen unless given
    #[arg(short = 'u', long, value_name = "UNIT")]
    pub(crate) unit: Option<String>,
    /// What it is, for people
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// A setting as in a unit file, such as MemoryMax=100M
    #[arg(short = 'p', long = "property", value_name = "NAME=VALUE", action = ArgAction::Append)]
    pub(crate) properties: Vec<String>,
    /// A variable of its environment
    #[arg(short = 'E', long = "setenv", value_name = "NAME=VALUE", action = ArgAction::Append)]
    pub(crate) environment: Vec<String>,
    /// Wait until it has ended; its exit code is softctl's
    #[arg(long, conflicts_with = "no_block")]
    pub(crate) wait: bool,
    /// Only queue the start; do not wait for its end
    #[arg(long)]
    pub(crate) no_block: bool,
}

/// `kill`.
#[derive(Debug, Args)]
pub(crate) struct Kill {
    #[command(flatten)]
    pub(crate) units: SomeUnits,
    /// The signal, by name or number
    #[arg(short, long, value_name = "SIGNAL", default_value = "SIGTERM")]
    pub(crate) signal: String,
    /// Which processes get it
    #[arg(long, alias = "kill-who", value_name = "WHOM", value_enum, default_value_t = Whom::All)]
    pub(crate) kill_whom: Whom,
}

/// Which processes of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Whom {
    /// All of the unit
    All,
    /// The main one
    Main,
    /// The one that starts, reloads or stops the unit
    Control,
    /// As all, and it is an error if there is none
    AllFail,
    /// As main
    MainFail,
    /// As control
    ControlFail,
}

impl Whom {
    /// The interface's word.
    pub(crate) fn word(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// `clean`.
#[derive(Debug, Args)]
pub(crate) struct Clean {
    #[command(flatten)]
    pub(crate) units: SomeUnits,
    /// What to clean; several with commas between them [default: runtime,cache,fdstore]
    #[arg(long, value_name = "WHAT", value_parser = kinds(), value_delimiter = ',', action = ArgAction::Append)]
    pub(crate) what: Vec<String>,
}

/// The kinds of the unit model, or all of them.
fn kinds() -> PossibleValuesParser {
    let kinds = Cleanable::ALL.map(|kind| PossibleValue::new(kind.word()).help(kind.about()));
    PossibleValuesParser::new(
        kinds
            .into_iter()
            .chain([PossibleValue::new("all").help("all of these")]),
    )
}

/// `show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Units; none: softbootd itself
    #[arg(value_name = "UNIT")]
    pub(crate) units: Vec<String>,
    /// Only these properties, such as MainPID,ActiveState
    #[arg(short, long, value_name = "NAME", value_delimiter = ',', action = ArgAction::Append)]
    pub(crate) property: Vec<String>,
    /// The same, and only their values
    #[arg(short = 'P', value_name = "NAME", value_delimiter = ',', action = ArgAction::Append)]
    pub(crate) property_value: Vec<String>,
    /// Only values, without names
    #[arg(long)]
    pub(crate) value: bool,
    /// Also properties that are empty
    #[arg(short, long)]
    pub(crate) all: bool,
}

/// `list-sockets`.
#[derive(Debug, Args)]
pub(crate) struct ListSockets {
    /// Only sockets whose names match
    #[arg(value_name = "PATTERN")]
    pub(crate) patterns: Vec<String>,
    /// Also sockets that are not active
    #[arg(short, long)]
    pub(crate) all: bool,
}

/// `list-dependencies`.
#[derive(Debug, Args)]
pub(crate) struct ListDependencies {
    /// The unit
    #[arg(value_name = "UNIT", default_value = "default.target")]
    pub(crate) unit: String,
    /// What needs the unit, instead of what it needs
    #[arg(long, conflicts_with_all = ["after", "before"])]
    pub(crate) reverse: bool,
    /// What the unit comes after
    #[arg(long, conflicts_with = "before")]
    pub(crate) after: bool,
    /// What the unit comes before
    #[arg(long)]
    pub(crate) before: bool,
    /// Also what the needed units need that are no targets
    #[arg(short, long)]
    pub(crate) all: bool,
    /// A list instead of a tree
    #[arg(long)]
    pub(crate) plain: bool,
}

/// `dot`.
#[derive(Debug, Args)]
pub(crate) struct Dot {
    /// Only dependencies of or on units whose names match
    #[arg(value_name = "PATTERN")]
    pub(crate) patterns: Vec<String>,
    /// Only what comes before and after what
    #[arg(long, conflicts_with = "require")]
    pub(crate) order: bool,
    /// Only what needs what
    #[arg(long)]
    pub(crate) require: bool,
}

/// `critical-chain`.
#[derive(Debug, Args)]
pub(crate) struct CriticalChain {
    /// The unit
    #[arg(value_name = "UNIT", default_value = "default.target")]
    pub(crate) unit: String,
}

/// `greyout`.
#[derive(Debug, Args)]
pub(crate) struct Greyout {
    /// How many, the last of them last; softbootd keeps eight
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) last: u32,
}

/// `events`.
#[derive(Debug, Args)]
pub(crate) struct Events {
    /// Only units whose names match
    #[arg(value_name = "PATTERN")]
    pub(crate) patterns: Vec<String>,
}

/// `verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Unit files, or names of units
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<String>,
    /// Look for units below this directory instead of /
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) root: Option<PathBuf>,
}

/// `completions`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// `generate`.
#[derive(Debug, Args)]
pub(crate) struct Generate {
    /// Where to; it is made if it is not there
    #[arg(value_name = "DIRECTORY")]
    pub(crate) directory: PathBuf,
}
