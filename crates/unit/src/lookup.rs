//! Which files make a unit (semantics 5.1, 5.2).

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::rc::Rc;

use crate::files::{DirEntry, FileProvider};
use crate::name::UnitName;

/// The system manager's directories, the most important first.
pub fn default_paths() -> Vec<String> {
    [
        "/etc/systemd/system.control",
        "/run/systemd/system.control",
        "/run/systemd/transient",
        "/run/systemd/generator.early",
        "/etc/systemd/system",
        "/etc/systemd/system.attached",
        "/run/systemd/system",
        "/run/systemd/system.attached",
        "/run/systemd/generator",
        "/usr/local/lib/systemd/system",
        "/usr/lib/systemd/system",
        "/run/systemd/generator.late",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// What stands under a name in the search path.
pub(crate) enum Found {
    /// Nothing.
    Nothing,
    /// A file with this path and these contents.
    File(String, Vec<u8>),
    /// A link to another unit's name.
    Alias(UnitName),
    /// A link to /dev/null, or an empty file.
    Masked,
    /// A file that cannot be read.
    Error(String, io::Error),
}

/// Lists each directory once.
pub(crate) struct Lookup<'a> {
    provider: &'a dyn FileProvider,
    paths: Vec<String>,
    listings: RefCell<HashMap<String, Rc<Vec<DirEntry>>>>,
}

impl<'a> Lookup<'a> {
    pub(crate) fn new(provider: &'a dyn FileProvider, paths: Vec<String>) -> Lookup<'a> {
        Lookup {
            provider,
            paths,
            listings: RefCell::new(HashMap::new()),
        }
    }

    fn list(&self, directory: &str) -> Rc<Vec<DirEntry>> {
        if let Some(known) = self.listings.borrow().get(directory) {
            return Rc::clone(known);
        }
        // A directory that cannot be read has no units; the file that is missed says so by being missed.
        let mut entries = self.provider.list(directory).unwrap_or_default();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let entries = Rc::new(entries);
        self.listings
            .borrow_mut()
            .insert(directory.to_owned(), Rc::clone(&entries));
        entries
    }

    fn entry(&self, directory: &str, name: &str) -> Option<DirEntry> {
        let entries = self.list(directory);
        let position = entries
            .binary_search_by(|entry| entry.name.as_str().cmp(name))
            .ok()?;
        entries.get(position).cloned()
    }

    /// The first file of this name.
    pub(crate) fn fragment(&self, name: &UnitName) -> Found {
        for directory in &self.paths {
            let Some(entry) = self.entry(directory, name.as_str()) else {
                continue;
            };
            let path = format!("{directory}/{}", entry.name);
            if let Some(target) = &entry.link_target {
                if target == "/dev/null" {
                    return Found::Masked;
                }
                if let Some(alias) = alias_target(name, target) {
                    return Found::Alias(alias);
                }
            }
            return match self.provider.read(&path) {
                Ok(Some(bytes)) if bytes.is_empty() => Found::Masked,
                Ok(Some(bytes)) => Found::File(path, bytes),
                // A link that leads nowhere is as good as nothing here.
                Ok(None) => continue,
                Err(error) => Found::Error(path, error),
            };
        }
        Found::Nothing
    }

    /// Drop-ins for any of `names`, in the order of application. A file name counts once: in the most specific
    /// directory of the most important path.
    pub(crate) fn drop_ins(&self, names: &[UnitName]) -> Vec<(String, Result<Vec<u8>, io::Error>)> {
        let mut chosen: BTreeMap<String, String> = BTreeMap::new();
        for stem in names.iter().flat_map(drop_in_stems) {
            for directory in &self.paths {
                let directory = format!("{directory}/{stem}.d");
                for entry in self
                    .list(&directory)
                    .iter()
                    .filter(|entry| entry.name.ends_with(".conf"))
                {
                    chosen
                        .entry(entry.name.clone())
                        .or_insert_with(|| format!("{directory}/{}", entry.name));
                }
            }
        }
        chosen
            .into_values()
            .filter_map(|path| match self.provider.read(&path) {
                Ok(Some(bytes)) => Some((path, Ok(bytes))),
                Ok(None) => None,
                Err(error) => Some((path, Err(error))),
            })
            .collect()
    }

    /// Names linked in `NAME.wants/` and the like; `suffix` is `wants`, `requires` or `upholds`.
    pub(crate) fn linked(&self, names: &[UnitName], suffix: &str) -> Vec<UnitName> {
        let mut found: BTreeMap<String, bool> = BTreeMap::new();
        let own = names.iter().map(|name| name.as_str().to_owned());
        let templates = names
            .iter()
            .filter_map(UnitName::template)
            .map(|name| name.as_str().to_owned());
        for stem in own.chain(templates) {
            for directory in &self.paths {
                for entry in self.list(&format!("{directory}/{stem}.{suffix}")).iter() {
                    let Some(target) = &entry.link_target else {
                        continue;
                    };
                    found.entry(entry.name.clone()).or_insert(target != "/dev/null");
                }
            }
        }
        found
            .into_iter()
            .filter(|(_, wanted)| *wanted)
            .filter_map(|(name, _)| UnitName::new(&name).ok())
            .collect()
    }
}

/// The unit that a link makes its own name an alias of; `None` when the link is only another place of the same file.
fn alias_target(own: &UnitName, target: &str) -> Option<UnitName> {
    let last = target.rsplit('/').next()?;
    let name = UnitName::new(last).ok()?;
    if name == *own || name.kind() != own.kind() {
        return None;
    }
    // An instance may be linked to its template's file: that is no alias.
    if own.template().as_ref() == Some(&name) {
        return None;
    }
    if name.is_template() {
        return name.with_instance(own.instance()?).ok();
    }
    Some(name)
}

/// Names of directories with drop-ins, the most specific first: the unit, its template, prefixes, the type.
fn drop_in_stems(name: &UnitName) -> Vec<String> {
    let mut stems = vec![name.as_str().to_owned()];
    stems.extend(name.template().map(|template| template.as_str().to_owned()));
    let prefix = name.prefix();
    let dashes: Vec<usize> = prefix
        .char_indices()
        .filter(|(_, c)| *c == '-')
        .map(|(at, _)| at)
        .collect();
    for at in dashes.into_iter().rev() {
        if let Some(head) = prefix.get(..=at).filter(|head| head.len() < prefix.len()) {
            stems.push(format!("{head}.{}", name.kind()));
        }
    }
    stems.push(name.kind().suffix().to_owned());
    stems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drop_in_directories_go_from_special_to_general() {
        let name = UnitName::new("a-b-c@i.service").unwrap();
        assert_eq!(
            drop_in_stems(&name),
            [
                "a-b-c@i.service",
                "a-b-c@.service",
                "a-b-.service",
                "a-.service",
                "service"
            ]
        );
    }
}
