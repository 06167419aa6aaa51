//! What to link and what to remove.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;

use serde::{Deserialize, Serialize};

use super::links::{Link, links};
use super::{Installer, PERSISTENT, RUNTIME};
use crate::model::{Definition, LoadState};
use crate::name::{NameError, UnitName};

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "change")]
pub enum Change {
    /// A symbolic link; what stands there already is replaced.
    Link {
        /// Where.
        path: String,
        /// What it says.
        target: String,
    },
    /// A symbolic link goes.
    Remove {
        /// Where.
        path: String,
    },
}

/// What a request comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// In the order in which they are to be made. None: everything is as it should be.
    pub changes: Vec<Change>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// How a request is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InstallOptions {
    /// `--runtime`: below /run, until the next reboot.
    pub runtime: bool,
    /// `--force`: links that stand in the way are replaced.
    pub force: bool,
}

impl InstallOptions {
    pub(super) fn directory(self) -> &'static str {
        if self.runtime { RUNTIME } else { PERSISTENT }
    }
}

/// Why there is no plan; nothing needs to be undone.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// There is no such file.
    #[error("unit {0} has no file; nothing was changed")]
    NotFound(UnitName),
    /// It is masked.
    #[error("unit {0} is masked; unmask it first")]
    Masked(UnitName),
    /// It cannot be read.
    #[error("unit {0} cannot be used: {1}")]
    Unusable(UnitName, String),
    /// It is another name of a unit.
    #[error("{0} is another name of {1}; use that one")]
    Alias(UnitName, UnitName),
    /// A template needs an instance.
    #[error("{0} is a template without DefaultInstance=; name an instance such as {1}")]
    NoInstance(UnitName, String),
    /// Only targets are booted, and not under the name that stands for one of them.
    #[error("{0} cannot be what a boot starts: name a target other than default.target")]
    NoDefault(UnitName),
    /// What is to be linked is no file, or its name is no unit's.
    #[error("{path} cannot be linked: {what}")]
    Unlinkable {
        /// Which.
        path: String,
        /// Why.
        what: String,
    },
    /// It is no name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A link is for one unit, and a template is none.
    #[error("{0} is a template; name an instance such as {1}")]
    NeedsInstance(UnitName, String),
    /// Something else stands where a link must be.
    #[error("{path} exists and is {what}; remove it, or force the request if it is a link")]
    InTheWay {
        /// Where.
        path: String,
        /// What it is.
        what: String,
    },
    /// A directory cannot be listed.
    #[error("listing {path}: {source}")]
    Listing {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
}

impl Installer<'_> {
    /// Links for these units and those that their `Also=` names.
    pub fn enable(&self, names: &[UnitName], options: InstallOptions) -> Result<Plan, InstallError> {
        let (wanted, mut plan) = self.wanted(names, options)?;
        self.make(wanted, options, &mut plan)?;
        Ok(plan)
    }

    /// The links that enabling comes to, whether they are there or not, and notes.
    pub(super) fn wanted(
        &self,
        names: &[UnitName],
        options: InstallOptions,
    ) -> Result<(BTreeMap<String, String>, Plan), InstallError> {
        let mut plan = Plan::default();
        let mut wanted: BTreeMap<String, String> = BTreeMap::new();
        let mut open: VecDeque<(UnitName, bool)> = names.iter().map(|name| (name.clone(), true)).collect();
        let mut seen: BTreeSet<UnitName> = BTreeSet::new();
        while let Some((name, asked)) = open.pop_front() {
            if !seen.insert(name.clone()) {
                continue;
            }
            let definition = self.usable(&name)?;
            let install = &definition.unit.install;
            if install.is_empty() && asked {
                plan.notes.push(format!(
                    "{name} has no [Install] section: it is started by other units or by hand, and cannot be enabled"
                ));
            }
            open.extend(install.also.iter().map(|also| (also.clone(), false)));
            self.links_of(definition, options, &mut wanted, &mut plan)?;
        }
        Ok((wanted, plan))
    }

    /// A unit with a file under its own name.
    pub(super) fn usable(&self, name: &UnitName) -> Result<Definition, InstallError> {
        let definition = self.loader.load(name);
        if definition.name != *name {
            return Err(InstallError::Alias(name.clone(), definition.name));
        }
        match &definition.load {
            LoadState::Masked => Err(InstallError::Masked(name.clone())),
            LoadState::Error(reason) => Err(InstallError::Unusable(name.clone(), reason.clone())),
            _ if definition.fragment.is_none() => Err(InstallError::NotFound(name.clone())),
            _ => Ok(definition),
        }
    }

    /// Where one unit's links go, and what they say.
    fn links_of(
        &self,
        definition: Definition,
        options: InstallOptions,
        wanted: &mut BTreeMap<String, String>,
        plan: &mut Plan,
    ) -> Result<(), InstallError> {
        let directory = options.directory();
        let target = definition.fragment.clone().unwrap_or_default();
        let template = definition.name.is_template().then(|| definition.name.clone());
        let mut definition = definition;
        if let (Some(template), Some(instance)) = (&template, &definition.unit.install.default_instance) {
            // Specifiers of [Install] are those of the instance.
            if let Ok(name) = template.with_instance(instance) {
                definition = self.loader.load(&name);
            }
        }
        let name = &definition.name;
        let install = &definition.unit.install;
        for (suffix, by) in [
            ("wants", &install.wanted_by),
            ("requires", &install.required_by),
            ("upholds", &install.upheld_by),
        ] {
            for other in by {
                if name.is_template() && !other.is_template() {
                    let example = name
                        .with_instance("NAME")
                        .map_or_else(|_| String::new(), |n| n.to_string());
                    return Err(InstallError::NoInstance(name.clone(), example));
                }
                wanted.insert(format!("{directory}/{other}.{suffix}/{name}"), target.clone());
            }
        }
        for alias in &install.alias {
            let own = template.as_ref().unwrap_or(name);
            let fits = alias.kind() == own.kind() && (!alias.is_template() || own.is_template());
            if !fits {
                plan.notes.push(format!(
                    "{own} cannot have the other name {alias}: the types differ"
                ));
            } else if alias != own && alias != name {
                wanted.insert(format!("{directory}/{alias}"), target.clone());
            }
        }
        Ok(())
    }

    /// The links that are not there yet.
    pub(super) fn make(
        &self,
        wanted: BTreeMap<String, String>,
        options: InstallOptions,
        plan: &mut Plan,
    ) -> Result<(), InstallError> {
        for (path, target) in wanted {
            match self.entry(&path)? {
                Entry::Link(found) if same_unit(&path, &found, &target) => continue,
                Entry::Nothing => {}
                Entry::Link(_) if options.force => {}
                Entry::Link(found) => {
                    let what = format!("a link to {found}");
                    return Err(InstallError::InTheWay { path, what });
                }
                Entry::Other => {
                    let what = "no link".to_owned();
                    return Err(InstallError::InTheWay { path, what });
                }
            }
            plan.changes.push(Change::Link { path, target });
        }
        Ok(())
    }

    fn entry(&self, path: &str) -> Result<Entry, InstallError> {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        let entries = self
            .files
            .list(directory)
            .map_err(|source| InstallError::Listing {
                path: directory.to_owned(),
                source,
            })?;
        let found = entries.into_iter().find(|entry| entry.name == name);
        Ok(match found.map(|entry| entry.link_target) {
            None => Entry::Nothing,
            Some(None) => Entry::Other,
            Some(Some(target)) => Entry::Link(target),
        })
    }

    /// What the link there says.
    pub(super) fn link_at(&self, path: &str) -> Result<Option<String>, InstallError> {
        Ok(match self.entry(path)? {
            Entry::Link(target) => Some(target),
            Entry::Nothing | Entry::Other => None,
        })
    }

    /// A file or directory is there.
    pub(super) fn is_other_than_link(&self, path: &str) -> Result<bool, InstallError> {
        Ok(matches!(self.entry(path)?, Entry::Other))
    }

    /// What has the name in the directories that count more (semantics 5.1).
    pub(super) fn stronger_than(
        &self,
        directory: &str,
        name: &UnitName,
    ) -> Result<Vec<String>, InstallError> {
        let mut found = Vec::new();
        for path in self.paths.iter().take_while(|path| *path != directory) {
            let file = format!("{path}/{name}");
            if !matches!(self.entry(&file)?, Entry::Nothing) {
                found.push(file);
            }
        }
        Ok(found)
    }

    pub(super) fn links(&self, directory: &str) -> Result<Vec<Link>, InstallError> {
        links(self.files, directory).map_err(|source| InstallError::Listing {
            path: directory.to_owned(),
            source,
        })
    }

    /// Every link of these units goes, whatever made it; `Also=` units lose theirs as well.
    pub fn disable(&self, names: &[UnitName], options: InstallOptions) -> Result<Plan, InstallError> {
        let links = self.links(options.directory())?;
        let mut gone: BTreeSet<UnitName> = BTreeSet::new();
        let mut open: VecDeque<UnitName> = names.iter().cloned().collect();
        let mut plan = Plan::default();
        let mut pointing: BTreeMap<UnitName, Vec<&Link>> = BTreeMap::new();
        for link in links.iter().filter(|link| !link.pulls && !link.is_mask()) {
            pointing
                .entry(link.points_to().unwrap_or_else(|| link.name.clone()))
                .or_default()
                .push(link);
        }
        while let Some(name) = open.pop_front() {
            if !gone.insert(name.clone()) {
                continue;
            }
            let install = self.loader.load(&name).unit.install;
            open.extend(install.also.iter().cloned());
            // An alias goes, and with it what is linked under that name.
            open.extend(
                pointing
                    .get(&name)
                    .into_iter()
                    .flatten()
                    .map(|link| link.name.clone()),
            );
        }
        let belongs = |name: &UnitName| {
            gone.contains(name) || name.template().is_some_and(|template| gone.contains(&template))
        };
        for link in &links {
            let by_target = link
                .points_to()
                .is_some_and(|name| gone.contains(&name) && !name.is_template());
            if !link.is_mask() && (belongs(&link.name) || by_target) {
                plan.changes.push(Change::Remove {
                    path: link.path.clone(),
                });
            }
        }
        Ok(plan)
    }

    /// A link to /dev/null in the place of each unit's file.
    pub fn mask(&self, names: &[UnitName], options: InstallOptions) -> Result<Plan, InstallError> {
        let mut plan = Plan::default();
        let wanted = names
            .iter()
            .map(|name| (format!("{}/{name}", options.directory()), "/dev/null".to_owned()))
            .collect();
        self.make(wanted, options, &mut plan)?;
        for name in names {
            for file in self.stronger_than(options.directory(), name)? {
                plan.notes
                    .push(format!("{name} is not masked by this: {file} counts more"));
            }
        }
        Ok(plan)
    }

    /// Masks go; other files stay.
    pub fn unmask(&self, names: &[UnitName], options: InstallOptions) -> Result<Plan, InstallError> {
        let mut plan = Plan::default();
        for name in names.iter().collect::<BTreeSet<_>>() {
            let path = format!("{}/{name}", options.directory());
            match self.entry(&path)? {
                Entry::Link(target) if target == "/dev/null" => plan.changes.push(Change::Remove { path }),
                _ => plan
                    .notes
                    .push(format!("{name} is not masked in {}", options.directory())),
            }
        }
        Ok(plan)
    }
}

enum Entry {
    Nothing,
    Link(String),
    Other,
}

/// A link that says the same in other words: relative, or to the same file name in another directory.
fn same_unit(path: &str, found: &str, wanted: &str) -> bool {
    if found == wanted {
        return true;
    }
    let last = |text: &str| text.rsplit('/').next().map(str::to_owned);
    // A link in a .wants directory counts by its name; elsewhere what it points to matters.
    let pulls = path.rsplit_once('/').is_some_and(|(directory, _)| {
        [".wants", ".requires", ".upholds"]
            .iter()
            .any(|suffix| directory.ends_with(suffix))
    });
    pulls && found != "/dev/null" && last(found) == last(wanted)
}
