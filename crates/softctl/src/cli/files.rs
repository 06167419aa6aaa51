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

/// `enable`, `reenable`, `disable`, `mask`.
#[derive(Debug, Args)]
pub(crate) struct Enable {
    #[command(flatten)]
    pub(crate) units: Names,
    /// Also start them (enable), start them anew (reenable), or stop them (disable, mask)
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

/// `link`.
#[derive(Debug, Args)]
pub(crate) struct Link {
    /// Unit files, such as /srv/app/app.service
    #[arg(value_name = "PATH", required = true)]
    pub(crate) files: Vec<String>,
    #[command(flatten)]
    pub(crate) change: Change,
}

/// `add-wants`, `add-requires`.
#[derive(Debug, Args)]
pub(crate) struct AddTo {
    /// Who is to start them; `.target` may be left out
    #[arg(value_name = "TARGET")]
    pub(crate) target: String,
    #[command(flatten)]
    pub(crate) units: Names,
    #[command(flatten)]
    pub(crate) change: Change,
}

/// `set-default`.
#[derive(Debug, Args)]
pub(crate) struct SetDefault {
    /// The target; `.target` may be left out
    #[arg(value_name = "TARGET")]
    pub(crate) target: String,
    #[command(flatten)]
    pub(crate) change: Anew,
}

/// `revert`.
#[derive(Debug, Args)]
pub(crate) struct Revert {
    #[command(flatten)]
    pub(crate) units: Names,
    #[command(flatten)]
    pub(crate) change: Anew,
}

/// What follows a change of files.
#[derive(Debug, Args)]
pub(crate) struct Anew {
    /// Do not have softbootd read the unit files again
    #[arg(long)]
    pub(crate) no_reload: bool,
    #[command(flatten)]
    pub(crate) root: Root,
}

/// `edit`.
#[derive(Debug, Args)]
pub(crate) struct Edit {
    #[command(flatten)]
    pub(crate) units: Names,
    /// Which drop-in; `.conf` may be left out [default: override.conf]
    #[arg(long, value_name = "NAME")]
    pub(crate) drop_in: Option<String>,
    /// Read the new text from standard input instead of an editor
    #[arg(long)]
    pub(crate) stdin: bool,
    /// Only until the next reboot
    #[arg(long)]
    pub(crate) runtime: bool,
    /// Also units that have no file yet
    #[arg(short, long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) change: Anew,
}

impl From<&Names> for SomeUnits {
    fn from(names: &Names) -> SomeUnits {
        SomeUnits {
            units: names.units.clone(),
        }
    }
}
