//! Options of the verbs about unit files and the links that enable them.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use super::SomeUnits;

/// Where files and links are.
#[derive(Debug, Args)]
pub(crate) struct Root {
    /// Files and links below this directory instead of /
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) root: Option<PathBuf>,
}

/// `list-unit-files`.
#[derive(Debug, Args)]
pub(crate) struct ListUnitFiles {
    /// Only units whose names match; `*` and `?` as in a shell
    #[arg(value_name = "PATTERN")]
    pub(crate) patterns: Vec<String>,
    /// Only units of these types, such as service,socket
    #[arg(short = 't', long = "type", value_name = "TYPE", value_delimiter = ',', action = ArgAction::Append)]
    pub(crate) types: Vec<String>,
    /// Only units in these states, such as enabled,masked
    #[arg(long = "state", value_name = "STATE", value_delimiter = ',', action = ArgAction::Append)]
    pub(crate) state: Vec<String>,
    #[command(flatten)]
    pub(crate) root: Root,
}

/// `is-enabled`.
#[derive(Debug, Args)]
pub(crate) struct IsEnabled {
    #[command(flatten)]
    pub(crate) units: Names,
    #[command(flatten)]
    pub(crate) root: Root,
}

/// At least one name of a unit or template.
#[derive(Debug, Args)]
pub(crate) struct Names {
    /// Units or templates; `.service` may be left out
    #[arg(value_name = "UNIT", required = true)]
    pub(crate) units: Vec<String>,
}

/// How links are changed.
#[derive(Debug, Args)]
pub(crate) struct Change {
    /// Only until the next reboot
    #[arg(long)]
    pub(crate) runtime: bool,
    /// Replace links that stand in the way
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Do not have softbootd read the unit files again
    #[arg(long)]
    pub(crate) no_reload: bool,
    #[command(flatten)]
    pub(crate) root: Root,
}

/// `enable`, `disable`, `mask`.
#[derive(Debug, Args)]
pub(crate) struct Enable {
    #[command(flatten)]
    pub(crate) units: Names,
    /// Also start them (enable), or stop them (disable, mask)
    #[arg(long, conflicts_with_all = ["root", "no_reload"])]
    pub(crate) now: bool,
    #[command(flatten)]
    pub(crate) change: Change,
}

/// `unmask`.
#[derive(Debug, Args)]
pub(crate) struct Unmask {
    #[command(flatten)]
    pub(crate) units: Names,
    #[command(flatten)]
    pub(crate) change: Change,
}

impl From<&Names> for SomeUnits {
    fn from(names: &Names) -> SomeUnits {
        SomeUnits {
            units: names.units.clone(),
        }
    }
}
