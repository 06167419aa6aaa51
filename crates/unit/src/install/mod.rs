//! Enabling, disabling and masking units (semantics 5.8), as a plan: what to link and what to remove.
//!
//! Nothing is changed here. Who carries a plan out makes the directories on the way, and removes those that become
//! empty.
//!
//! | request | looks at | changes |
//! |---|---|---|
//! | [`Installer::enable`] | `[Install]` of the unit and of what `Also=` names | links below the configuration directory |
//! | [`Installer::disable`] | links there, by their name and by what they point to | those links |
//! | [`Installer::reenable`] | both | links that are gone from `[Install]` go, those that are new come |
//! | [`Installer::link`] | a file anywhere | its name in the configuration directory |
//! | [`Installer::add`] | nothing | a link in `TARGET.wants` or `TARGET.requires` |
//! | [`Installer::mask`], [`Installer::unmask`] | the unit's own name there | one link to /dev/null |
//! | [`Installer::revert`] | what an administrator has of the unit | drop-ins, masks and files in the place of a vendor's |
//! | [`Installer::set_default`] | default.target | that link |
//! | [`Installer::state`] | all of it | nothing |

mod add;
mod default;
mod links;
mod plan;
mod revert;
mod state;

pub use add::Pull;
pub use plan::{Change, InstallError, InstallOptions, Plan};
pub use state::UnitFileState;

use crate::files::FileProvider;
use crate::loader::Loader;
use crate::specifier::Specifiers;

/// Where an administrator's links are.
pub const PERSISTENT: &str = "/etc/systemd/system";
/// Where links are that a reboot takes away.
pub const RUNTIME: &str = "/run/systemd/system";

/// Plans for one file system. Directories are listed once, so use one for one moment.
pub struct Installer<'a> {
    files: &'a dyn FileProvider,
    paths: Vec<String>,
    loader: Loader<'a>,
}

impl<'a> Installer<'a> {
    /// An installer for these directories, the most important first.
    pub fn new(files: &'a dyn FileProvider, paths: Vec<String>, specifiers: Specifiers) -> Installer<'a> {
        Installer {
            files,
            paths: paths.clone(),
            loader: Loader::new(files, paths, specifiers),
        }
    }
}

#[cfg(test)]
mod tests;
