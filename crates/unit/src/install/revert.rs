//! Back to what the vendor ships.

use std::collections::BTreeSet;

use super::{Change, InstallError, Installer, Plan};
use crate::name::UnitName;

/// Where an administrator and `--runtime` write; what is elsewhere is a vendor's, a generator's or a client's.
const CONFIGURED: [&str; 4] = [
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    super::PERSISTENT,
    super::RUNTIME,
];
/// Where vendors' files are.
const VENDOR: [&str; 2] = ["/usr/local/lib/systemd/system", "/usr/lib/systemd/system"];

impl Installer<'_> {
    /// Drop-ins and masks of these units go, and files that stand in the place of a vendor's. A file that is the only one
    /// stays.
    pub fn revert(&self, names: &[UnitName]) -> Result<Plan, InstallError> {
        let mut plan = Plan::default();
        for name in names.iter().collect::<BTreeSet<_>>() {
            let before = plan.changes.len();
            let mut has_vendor = false;
            for directory in VENDOR {
                has_vendor |= self.is_there(directory, name.as_str())?;
            }
            for directory in CONFIGURED {
                let path = format!("{directory}/{name}");
                let link = self.link_at(&path)?;
                if link.as_deref() == Some("/dev/null")
                    || (has_vendor && self.is_there(directory, name.as_str())?)
                {
                    plan.changes.push(Change::Remove { path });
                } else if self.is_there(directory, name.as_str())? {
                    plan.notes
                        .push(format!("{path} stays: no vendor has a file of {name}"));
                }
                let drop_ins = format!("{directory}/{name}.d");
                for file in self.names_in(&drop_ins)? {
                    plan.changes.push(Change::Remove {
                        path: format!("{drop_ins}/{file}"),
                    });
                }
            }
            if plan.changes.len() == before {
                plan.notes.push(format!("{name} has nothing to revert"));
            }
        }
        Ok(plan)
    }

    fn is_there(&self, directory: &str, name: &str) -> Result<bool, InstallError> {
        Ok(self.names_in(directory)?.iter().any(|known| known == name))
    }

    fn names_in(&self, directory: &str) -> Result<Vec<String>, InstallError> {
        let entries = self
            .files
            .list(directory)
            .map_err(|source| InstallError::Listing {
                path: directory.to_owned(),
                source,
            })?;
        let mut names: Vec<String> = entries.into_iter().map(|entry| entry.name).collect();
        names.sort();
        Ok(names)
    }
}
