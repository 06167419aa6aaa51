//! Links beside those that `[Install]` asks for, and those anew.

use std::collections::{BTreeMap, BTreeSet};

use super::{Change, InstallError, InstallOptions, Installer, Plan};
use crate::model::LoadState;
use crate::name::UnitName;

/// How a unit pulls in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pull {
    /// As by Wants=.
    Wants,
    /// As by Requires=.
    Requires,
}

impl Pull {
    fn suffix(self) -> &'static str {
        match self {
            Pull::Wants => "wants",
            Pull::Requires => "requires",
        }
    }
}

impl Installer<'_> {
    /// As disabling and enabling, and what is as it should be stays: at no moment is the unit not enabled.
    pub fn reenable(&self, names: &[UnitName], options: InstallOptions) -> Result<Plan, InstallError> {
        let (mut wanted, mut plan) = self.wanted(names, options)?;
        let mut gone: BTreeSet<String> = BTreeSet::new();
        for change in self.disable(names, options)?.changes {
            let Change::Remove { path } = change else { continue };
            // The file itself may be a link (see `link`); without it there would be nothing to enable.
            let is_file = names
                .iter()
                .any(|name| path == format!("{}/{name}", options.directory()));
            if !is_file {
                gone.insert(path);
            }
        }
        for path in &gone {
            match wanted.remove(path) {
                None => plan.changes.push(Change::Remove { path: path.clone() }),
                // It is the unit's own, so it may say something else without being in the way.
                Some(target) if self.link_at(path)?.as_deref() != Some(target.as_str()) => {
                    plan.changes.push(Change::Link {
                        path: path.clone(),
                        target,
                    });
                }
                Some(_) => {}
            }
        }
        self.make(wanted, options, &mut plan)?;
        Ok(plan)
    }

    /// Names for files outside the search path, so that they are found. `files` are absolute paths.
    pub fn link(&self, files: &[String], options: InstallOptions) -> Result<Plan, InstallError> {
        let mut plan = Plan::default();
        let mut wanted = BTreeMap::new();
        for file in files {
            let (directory, name) = file.rsplit_once('/').unwrap_or(("", file));
            let unlinkable = |what: String| InstallError::Unlinkable {
                path: file.clone(),
                what,
            };
            let name = UnitName::new(name).map_err(|error| unlinkable(error.to_string()))?;
            match self.files.read(file) {
                Ok(Some(_)) => {}
                Ok(None) => return Err(unlinkable("there is no such file".to_owned())),
                Err(error) => return Err(unlinkable(error.to_string())),
            }
            if self.paths.iter().any(|path| path == directory) {
                plan.notes
                    .push(format!("{file} needs no link: units are looked for there"));
                continue;
            }
            wanted.insert(format!("{}/{name}", options.directory()), file.clone());
        }
        self.make(wanted, options, &mut plan)?;
        Ok(plan)
    }

    /// `target` pulls in these units, whatever their `[Install]` says.
    pub fn add(
        &self,
        pull: Pull,
        target: &UnitName,
        names: &[UnitName],
        options: InstallOptions,
    ) -> Result<Plan, InstallError> {
        let mut plan = Plan::default();
        let mut wanted = BTreeMap::new();
        match self.loader.load(target).load {
            LoadState::Masked => return Err(InstallError::Masked(target.clone())),
            LoadState::NotFound => {
                plan.notes.push(format!(
                    "there is no {target} yet; the link counts when there is one"
                ));
            }
            _ => {}
        }
        for name in names {
            let definition = self.usable(name)?;
            if name.is_template() {
                let example = name
                    .with_instance("NAME")
                    .map_or_else(|_| String::new(), |name| name.to_string());
                return Err(InstallError::NeedsInstance(name.clone(), example));
            }
            let path = format!("{}/{target}.{}/{name}", options.directory(), pull.suffix());
            wanted.insert(path, definition.fragment.unwrap_or_default());
        }
        self.make(wanted, options, &mut plan)?;
        Ok(plan)
    }
}
