//! Whether a unit is enabled.

use serde::{Deserialize, Serialize};

use super::{Installer, PERSISTENT, RUNTIME};
use crate::model::LoadState;
use crate::name::UnitName;

/// The reference's UnitFileState (semantics 5.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnitFileState {
    /// A link below /etc pulls it in.
    Enabled,
    /// A link below /run does.
    EnabledRuntime,
    /// Its file is a link to one outside the search path.
    Linked,
    /// Likewise, below /run.
    LinkedRuntime,
    /// The name is another name of a unit.
    Alias,
    /// Its file is a link to /dev/null, or empty.
    Masked,
    /// Likewise, below /run.
    MaskedRuntime,
    /// It has nothing in `[Install]`.
    Static,
    /// It could be enabled.
    Disabled,
    /// Its `[Install]` only names other units.
    Indirect,
    /// A generator made it.
    Generated,
    /// It was made through the control interface.
    Transient,
    /// It cannot be read.
    Bad,
    /// There is no such file.
    NotFound,
}

impl UnitFileState {
    /// The word that `is-enabled` shows.
    pub fn word(self) -> &'static str {
        match self {
            UnitFileState::Enabled => "enabled",
            UnitFileState::EnabledRuntime => "enabled-runtime",
            UnitFileState::Linked => "linked",
            UnitFileState::LinkedRuntime => "linked-runtime",
            UnitFileState::Alias => "alias",
            UnitFileState::Masked => "masked",
            UnitFileState::MaskedRuntime => "masked-runtime",
            UnitFileState::Static => "static",
            UnitFileState::Disabled => "disabled",
            UnitFileState::Indirect => "indirect",
            UnitFileState::Generated => "generated",
            UnitFileState::Transient => "transient",
            UnitFileState::Bad => "bad",
            UnitFileState::NotFound => "not-found",
        }
    }

    /// `is-enabled` ends with success: enabled in some way, or nothing needs to be.
    pub fn is_good(self) -> bool {
        matches!(
            self,
            UnitFileState::Enabled
                | UnitFileState::EnabledRuntime
                | UnitFileState::Static
                | UnitFileState::Alias
                | UnitFileState::Indirect
                | UnitFileState::Generated
        )
    }
}

impl Installer<'_> {
    /// Whether a unit is enabled, and why it is not.
    pub fn state(&self, name: &UnitName) -> UnitFileState {
        let definition = self.loader.load(name);
        match definition.load {
            LoadState::Masked => {
                return if self.masked_below_run(name) {
                    UnitFileState::MaskedRuntime
                } else {
                    UnitFileState::Masked
                };
            }
            LoadState::Error(_) => return UnitFileState::Bad,
            _ => {}
        }
        if definition.name != *name {
            return UnitFileState::Alias;
        }
        let Some(fragment) = definition.fragment else {
            return UnitFileState::NotFound;
        };
        if fragment.starts_with("/run/systemd/generator") {
            return UnitFileState::Generated;
        }
        if fragment.starts_with("/run/systemd/transient/") {
            return UnitFileState::Transient;
        }
        for (directory, enabled, linked) in [
            (PERSISTENT, UnitFileState::Enabled, UnitFileState::Linked),
            (
                RUNTIME,
                UnitFileState::EnabledRuntime,
                UnitFileState::LinkedRuntime,
            ),
        ] {
            match self.links_in(directory, name) {
                Err(_) => return UnitFileState::Bad,
                Ok((true, _)) => return enabled,
                Ok((false, true)) => return linked,
                Ok((false, false)) => {}
            }
        }
        let install = &definition.unit.install;
        let pulled = [
            &install.wanted_by,
            &install.required_by,
            &install.upheld_by,
            &install.alias,
        ];
        if pulled.iter().any(|list| !list.is_empty()) {
            UnitFileState::Disabled
        } else if !install.also.is_empty() {
            UnitFileState::Indirect
        } else {
            UnitFileState::Static
        }
    }

    /// Whether links in a directory pull the unit in or give it another name, and whether its own file is a link to
    /// one outside the search path.
    fn links_in(&self, directory: &str, name: &UnitName) -> Result<(bool, bool), super::InstallError> {
        let (mut enabled, mut linked) = (false, false);
        for link in self.links(directory)? {
            if link.is_mask() {
                continue;
            }
            let own = link.name == *name || link.name.template().as_ref() == Some(name);
            let points_here = link.points_to().as_ref() == Some(name);
            if link.pulls {
                enabled |= own || points_here && !name.is_template();
            } else if own {
                let inside = self.paths.iter().any(|path| {
                    link.target
                        .rsplit_once('/')
                        .is_some_and(|(parent, _)| parent == path)
                });
                linked |= !inside && link.target.starts_with('/');
            } else {
                enabled |= points_here;
            }
        }
        Ok((enabled, linked))
    }

    /// The mask that counts is below /run.
    fn masked_below_run(&self, name: &UnitName) -> bool {
        let first = self.paths.iter().find(|path| {
            self.files
                .list(path)
                .is_ok_and(|entries| entries.iter().any(|entry| entry.name == name.as_str()))
        });
        first.is_some_and(|path| path.starts_with("/run/"))
    }
}
