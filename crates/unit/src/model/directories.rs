//! Directories that a unit's processes get.

use serde::{Deserialize, Serialize};

/// One entry of `StateDirectory=` and the like: `name[:symlink[:ro]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecDirectory {
    /// A relative path without `.` and `..`.
    pub name: String,
    /// A link to it in the same place, relative as well.
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
    pub symlink: Option<String>,
    /// `ro`: the processes may not write to it.
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
    pub read_only: bool,
}

/// The directories of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecDirectories {
    /// In file order.
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
    pub entries: Vec<ExecDirectory>,
    /// `…DirectoryMode=` (default 0755).
    pub mode: u32,
}

impl Default for ExecDirectories {
    fn default() -> ExecDirectories {
        ExecDirectories {
            entries: Vec::new(),
            mode: 0o755,
        }
    }
}

/// `RuntimeDirectoryPreserve=`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DirectoryPreserve {
    /// Removed when the unit stops.
    #[default]
    No,
    /// Kept while the unit restarts.
    Restart,
    /// Never removed.
    Yes,
}
