//! Which files make a unit (semantics 5.1, 5.2).

use std::cell::OnceCell;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::rc::Rc;

use crate::files::{DirEntry, FileProvider};
use crate::listings::{Entries, Index, Listings};
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

/// The directories that `$SYSTEMD_UNIT_PATH` asks for: it replaces the list, and a colon at its end appends the usual
/// one (semantics 5.1).
pub fn search_paths(variable: Option<&str>) -> Vec<String> {
    let Some(text) = variable.filter(|text| !text.is_empty()) else {
        return default_paths();
    };
    let own = text.split(':').filter(|path| path.starts_with('/'));
    let mut paths: Vec<String> = own.map(|path| path.trim_end_matches('/').to_owned()).collect();
    if text.ends_with(':') {
        paths.extend(default_paths());
    }
    let mut seen = HashSet::new();
    paths.retain(|path| seen.insert(path.clone()));
    paths
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

/// Looks at each directory once.
pub(crate) struct Lookup<'a> {
    provider: &'a dyn FileProvider,
    paths: Vec<String>,
    listings: Kept<'a>,
    /// What was looked at already.
    seen: RefCell<HashMap<String, Entries>>,
    /// What is in all of them.
    index: OnceCell<Rc<Index>>,
}

/// Listings of one's own, or those that outlive the loader.
enum Kept<'a> {
    Own(Listings),
    Shared(&'a Listings),
}

impl<'a> Lookup<'a> {
    pub(crate) fn new(
        provider: &'a dyn FileProvider,
        paths: Vec<String>,
        listings: Option<&'a Listings>,
    ) -> Lookup<'a> {
        Lookup {
            provider,
            paths,
            listings: listings.map_or_else(|| Kept::Own(Listings::default()), Kept::Shared),
            seen: RefCell::new(HashMap::new()),
            index: OnceCell::new(),
        }
    }

    fn listings(&self) -> &Listings {
        match &self.listings {
            Kept::Own(listings) => listings,
            Kept::Shared(listings) => listings,
        }
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| {
            let path = self.paths.iter().map(|directory| self.list(directory));
            self.listings().index(path.collect(), || self.new_index())
        })
    }

    /// The directories of the search path that have an entry of this name, and the entry. Few have any: to ask each of
    /// twelve directories for some fifty names of a unit would be most of the time that a boot takes to read units.
    fn with_entry(&self, name: &str) -> impl Iterator<Item = (&str, DirEntry)> {
        let index = Some(self.index()).filter(|index| index.may_be_anywhere(name));
        let directories = self.paths.iter().enumerate();
        let found = directories.filter_map(move |(place, directory)| {
            let may_have = index.is_some_and(|index| index.may_have(name, place));
            may_have.then_some(directory.as_str())
        });
        found.filter_map(|directory| Some((directory, self.entry(directory, name)?)))
    }

    /// Other names of a unit by links to its file, links to those links included.
    pub(crate) fn aliases(&self, name: &UnitName) -> Vec<UnitName> {
        let known = &self.index().aliases;
        let mut found: Vec<UnitName> = Vec::new();
        let mut open = vec![name.clone()];
        let mut seen: HashSet<UnitName> = HashSet::from([name.clone()]);
        while let Some(next) = open.pop() {
            let own = known.get(&next).into_iter().flatten().cloned();
            let instance = next.instance().unwrap_or_default();
            let of_template = next
                .template()
                .and_then(|template| known.get(&template))
                .into_iter()
                .flatten()
                .filter_map(|alias| alias.with_instance(instance).ok());
            for alias in own.chain(of_template) {
                // Something more important may stand under that name.
                let counts = matches!(self.fragment(&alias), Found::Alias(_) | Found::Nothing);
                if counts && seen.insert(alias.clone()) {
                    found.push(alias.clone());
                    open.push(alias);
                }
            }
        }
        found.sort();
        found
    }

    fn new_index(&self) -> Index {
        let mut index = Index::default();
        let mut names: HashSet<String> = HashSet::new();
        for (place, directory) in self.paths.iter().enumerate() {
            for entry in self.list(directory).iter() {
                index.note(&entry.name, place);
                let Ok(own) = UnitName::new(&entry.name) else {
                    continue;
                };
                // The first directory wins.
                if !names.insert(entry.name.clone()) {
                    continue;
                }
                let target = entry.link_target.as_deref();
                if let Some(unit) = target.and_then(|target| alias_or_template(&own, target)) {
                    index.aliases.entry(unit).or_default().push(own);
                }
            }
        }
        index
    }

    fn list(&self, directory: &str) -> Entries {
        if let Some(known) = self.seen.borrow().get(directory) {
            return Rc::clone(known);
        }
        let entries = self.listings().list(self.provider, directory);
        self.seen
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
        for (directory, entry) in self.with_entry(name.as_str()) {
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
            let own = format!("{stem}.d");
            for (directory, _) in self.with_entry(&own) {
                for entry in self
                    .list(&format!("{directory}/{own}"))
                    .iter()
                    .filter(|entry| entry.name.ends_with(".conf"))
                {
                    chosen
                        .entry(entry.name.clone())
                        .or_insert_with(|| format!("{directory}/{own}/{}", entry.name));
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
            let own = format!("{stem}.{suffix}");
            for (directory, _) in self.with_entry(&own) {
                for entry in self.list(&format!("{directory}/{own}")).iter() {
                    let Some(target) = &entry.link_target else {
                        continue;
                    };
                    if found.contains_key(&entry.name) {
                        continue;
                    }
                    let path = format!("{directory}/{own}/{}", entry.name);
                    let empty = || matches!(self.provider.read(&path), Ok(Some(bytes)) if bytes.is_empty());
                    let wanted = target != "/dev/null" && !empty();
                    found.insert(entry.name.clone(), wanted);
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

/// As [`alias_target`], and between templates, which have no instance to pass on.
fn alias_or_template(own: &UnitName, target: &str) -> Option<UnitName> {
    let name = UnitName::new(target.rsplit('/').next()?).ok()?;
    if own.is_template() && name.is_template() && name != *own && name.kind() == own.kind() {
        return Some(name);
    }
    alias_target(own, target)
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
    fn a_variable_replaces_the_search_path() {
        assert_eq!(search_paths(None), default_paths());
        assert_eq!(search_paths(Some("/a:/b/:rel:/a")), ["/a", "/b"]);
        let longer = search_paths(Some("/a:"));
        assert_eq!(longer.len(), default_paths().len() + 1);
        assert_eq!(longer.first().map(String::as_str), Some("/a"));
    }

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
