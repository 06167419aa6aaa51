//! From a name to a [`Definition`], and from some names to everything they mention.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::builtin;
use crate::check;
use crate::files::FileProvider;
use crate::implicit;
use crate::listings::Listings;
use crate::lookup::{Found, Lookup};
use crate::model::{
    Definition, Dependency, DependencyKind, Diagnostic, KindSection, LoadState, Origin, Severity,
};
use crate::name::{UnitKind, UnitName};
use crate::recipe;
use crate::settings::Draft;
use crate::specifier::Specifiers;

/// A chain of aliases longer than this is a circle.
const MAX_ALIASES: usize = 8;

/// Loads units from one file system. Directories are looked at once, so use one loader for one moment.
pub struct Loader<'a> {
    lookup: Lookup<'a>,
    specifiers: Specifiers,
}

impl<'a> Loader<'a> {
    /// A loader for these directories, the most important first.
    pub fn new(provider: &'a dyn FileProvider, paths: Vec<String>, specifiers: Specifiers) -> Loader<'a> {
        Loader {
            lookup: Lookup::new(provider, paths, None),
            specifiers,
        }
    }

    /// The same, and what directories hold is kept in `listings` for the next one.
    pub fn with_listings(
        provider: &'a dyn FileProvider,
        paths: Vec<String>,
        specifiers: Specifiers,
        listings: &'a Listings,
    ) -> Loader<'a> {
        Loader {
            lookup: Lookup::new(provider, paths, Some(listings)),
            specifiers,
        }
    }

    /// Loads one unit. An alias gives the unit it stands for.
    pub fn load(&self, name: &UnitName) -> Definition {
        let mut names = vec![name.clone()];
        let mut current = name.clone();
        loop {
            let own = self.lookup.fragment(&current);
            let found = match (own, current.template()) {
                (Found::Nothing, Some(template)) => match self.lookup.fragment(&template) {
                    // Another name of the template is another name of each instance.
                    Found::Alias(target) if target.is_template() => {
                        let instance = current.instance().unwrap_or_default();
                        target
                            .with_instance(instance)
                            .map_or(Found::Nothing, Found::Alias)
                    }
                    found => found,
                },
                (found, _) => found,
            };
            match found {
                Found::Alias(target) if names.len() <= MAX_ALIASES && !names.contains(&target) => {
                    names.push(target.clone());
                    current = target;
                }
                Found::Alias(target) => {
                    let reason = format!("{name} is an alias in a circle ({target})");
                    return self.unusable(&current, names, LoadState::Error(reason));
                }
                Found::Masked => return self.unusable(&current, names, LoadState::Masked),
                Found::Error(path, error) => {
                    return self.unusable(
                        &current,
                        names,
                        LoadState::Error(format!("reading {path}: {error}")),
                    );
                }
                Found::File(path, bytes) => return self.build(&current, names, Some(path), Some(&bytes)),
                Found::Nothing => match builtin::alias(&current).filter(|target| !names.contains(target)) {
                    Some(target) => {
                        names.push(target.clone());
                        current = target;
                    }
                    None => {
                        let text = builtin::text(&current);
                        return self.build(&current, names, None, text.as_deref().map(str::as_bytes));
                    }
                },
            }
        }
    }

    fn unusable(&self, name: &UnitName, names: Vec<UnitName>, load: LoadState) -> Definition {
        let draft = Draft::new(name, &self.specifiers, "");
        Definition {
            name: name.clone(),
            aliases: others(name, names),
            load,
            fragment: None,
            drop_ins: Vec::new(),
            diagnostics: Vec::new(),
            kind: draft.kind_section(),
            slice: None,
            unit: draft.unit.section,
        }
    }

    fn build(
        &self,
        name: &UnitName,
        names: Vec<UnitName>,
        fragment: Option<String>,
        contents: Option<&[u8]>,
    ) -> Definition {
        let mut names = names;
        let more = self.lookup.aliases(name);
        names.extend(
            more.into_iter()
                .filter(|alias| !names.contains(alias))
                .collect::<Vec<_>>(),
        );
        let mut draft = Draft::new(name, &self.specifiers, fragment.as_deref().unwrap_or(""));
        let file = fragment.clone().unwrap_or_else(|| format!("(built-in)/{name}"));
        if let Some(bytes) = contents {
            draft.apply(&file, bytes);
        }
        let mut drop_ins = Vec::new();
        for (path, bytes) in self.lookup.drop_ins(&names) {
            match bytes {
                Ok(bytes) => {
                    draft.apply(&path, &bytes);
                    drop_ins.push(path);
                }
                Err(error) => draft.diagnostics.push(Diagnostic::new(
                    Severity::Warning,
                    &path,
                    0,
                    format!("the drop-in cannot be read: {error}"),
                )),
            }
        }
        self.finish(draft, names, fragment, drop_ins, contents.is_some())
    }

    fn finish(
        &self,
        draft: Draft<'_>,
        names: Vec<UnitName>,
        fragment: Option<String>,
        drop_ins: Vec<String>,
        exists: bool,
    ) -> Definition {
        let name = draft.name.clone();
        let kind = draft.kind_section();
        let slice = (kind == KindSection::Slice).then(|| Box::new(draft.slice));
        let mut unit = draft.unit.section;
        let mut dependencies = draft.unit.dependencies;
        for (suffix, dependency) in [
            ("wants", DependencyKind::Wants),
            ("requires", DependencyKind::Requires),
            ("upholds", DependencyKind::Upholds),
        ] {
            let linked = self.lookup.linked(&names, suffix);
            dependencies.extend(linked.into_iter().map(|on| Dependency {
                kind: dependency,
                on,
                origin: Origin::File,
            }));
        }
        recipe::complete(&mut unit, draft.unit.written, &mut dependencies);
        for (how, path) in implicit::mounts_for(&unit, &kind) {
            self.add_mounts(&name, how, &path, &mut dependencies);
        }
        // A unit that does not exist still has the dependencies that links give it, but no defaults.
        implicit::add(
            &name,
            &kind,
            unit.default_dependencies && exists,
            &mut dependencies,
        );
        if !exists {
            dependencies.retain(|dependency| dependency.origin == Origin::File);
        }
        unit.dependencies = dependencies.into();
        let broken = draft.unit.broken.or_else(|| {
            exists
                .then(|| check::contradiction(&name, &unit, &kind))
                .flatten()
        });
        let mut diagnostics = shortened(draft.diagnostics);
        let load = match (exists, broken) {
            (false, _) => LoadState::NotFound,
            (true, None) => LoadState::Loaded,
            (true, Some(reason)) => {
                if !diagnostics
                    .iter()
                    .any(|diagnostic| diagnostic.severity == Severity::Error)
                {
                    let file = fragment.clone().unwrap_or_else(|| format!("(built-in)/{name}"));
                    diagnostics.push(Diagnostic::new(Severity::Error, &file, 0, reason.clone()));
                }
                LoadState::BadSetting(reason)
            }
        };
        Definition {
            aliases: others(&name, names),
            name,
            load,
            fragment,
            drop_ins,
            diagnostics,
            unit,
            kind,
            slice,
        }
    }

    /// Mount units with a file, for a path and everything above it.
    fn add_mounts(
        &self,
        own: &UnitName,
        how: DependencyKind,
        path: &str,
        dependencies: &mut Vec<Dependency>,
    ) {
        for mount in implicit::mounts_above(path) {
            let has_file = matches!(self.lookup.fragment(&mount), Found::File(..));
            if has_file && mount != *own {
                dependencies.extend([how, DependencyKind::After].map(|kind| Dependency {
                    kind,
                    on: mount.clone(),
                    origin: Origin::Implicit,
                }));
            }
        }
    }

    /// Loads `names` and every unit they mention, directly or not, that `known` does not have. Units without a file
    /// are among them as not found, so the result has no loose ends. Each unit comes once, under its own name.
    pub fn load_closure(&self, names: &[UnitName], known: &dyn Fn(&UnitName) -> bool) -> Vec<Definition> {
        let mut open: VecDeque<UnitName> = names.iter().cloned().collect();
        let mut asked: BTreeSet<UnitName> = BTreeSet::new();
        let mut loaded: BTreeMap<UnitName, Definition> = BTreeMap::new();
        let mut order: Vec<UnitName> = Vec::new();
        while let Some(name) = open.pop_front() {
            if !asked.insert(name.clone()) || known(&name) || name.is_template() {
                continue;
            }
            let definition = self.load(&name);
            if let Some(first) = loaded.get_mut(&definition.name) {
                // Reached by another of its names.
                let new = definition
                    .aliases
                    .into_iter()
                    .filter(|alias| !first.aliases.contains(alias));
                let new: Vec<UnitName> = new.collect();
                first.aliases.extend(new);
                continue;
            }
            asked.insert(definition.name.clone());
            open.extend(mentioned(&definition));
            order.push(definition.name.clone());
            loaded.insert(definition.name.clone(), definition);
        }
        order_targets(&mut loaded);
        let mut all: Vec<Definition> = order.iter().filter_map(|name| loaded.remove(name)).collect();
        all.iter_mut().for_each(Definition::pack);
        all
    }
}

/// Of `definitions`, which a loader made, those that `names` lead to, as [`Loader::load_closure`] would give them; and the
/// names of units that are not among them.
pub fn closure_of(names: &[UnitName], definitions: Vec<Definition>) -> (Vec<Definition>, Vec<UnitName>) {
    let mut places: BTreeMap<UnitName, usize> = BTreeMap::new();
    for (place, definition) in definitions.iter().enumerate() {
        for name in definition.aliases.iter().chain([&definition.name]) {
            places.insert(name.clone(), place);
        }
    }
    let mut all: Vec<Option<Definition>> = definitions.into_iter().map(Some).collect();
    let mut open: VecDeque<UnitName> = names.iter().cloned().collect();
    let (mut found, mut missing) = (Vec::new(), BTreeSet::new());
    while let Some(name) = open.pop_front() {
        if name.is_template() {
            continue;
        }
        let Some(place) = places.get(&name) else {
            missing.insert(name);
            continue;
        };
        if let Some(definition) = all.get_mut(*place).and_then(Option::take) {
            open.extend(mentioned(&definition));
            found.push(definition);
        }
    }
    (found, missing.into_iter().collect())
}

/// A file of nothing but mistakes is not repeated as a whole: errors, and the first of the rest.
fn shortened(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    const MOST: usize = 500;
    if diagnostics.len() <= MOST {
        return diagnostics;
    }
    let rest = diagnostics.split_off(MOST);
    let total = rest.len();
    let errors = rest
        .into_iter()
        .filter(|d| d.severity == Severity::Error)
        .take(MOST);
    diagnostics.extend(errors);
    if let Some(last) = diagnostics.last() {
        let more = total.saturating_sub(diagnostics.len().saturating_sub(MOST));
        let file = last.file.clone();
        let message = format!("{more} more remarks are left out");
        diagnostics.push(Diagnostic::new(Severity::Warning, &file, 0, message));
    }
    diagnostics
}

fn others(name: &UnitName, names: Vec<UnitName>) -> Vec<UnitName> {
    names.into_iter().filter(|other| other != name).collect()
}

/// The units that a unit's definition names, so that they are loaded with it.
pub fn mentioned(definition: &Definition) -> Vec<UnitName> {
    let mut names: Vec<UnitName> = definition
        .unit
        .dependencies
        .iter()
        .map(|d| d.on.clone())
        .collect();
    names.extend(definition.unit.joins_namespace_of.iter().cloned());
    // The sockets of a service are among its dependencies, and so is the service of a socket that triggers one: sections
    // may be kept as text, and reading many of them takes long.
    let triggers = |dependency: &Dependency| dependency.kind == DependencyKind::Triggers;
    if let KindSection::Socket(socket) = &definition.kind
        && !definition.unit.dependencies.iter().any(triggers)
    {
        names.push(socket.service.clone());
    }
    names
}

/// The order of targets after what they want needs both sides.
fn order_targets(loaded: &mut BTreeMap<UnitName, Definition>) {
    let canonical: BTreeMap<UnitName, UnitName> = loaded
        .values()
        .flat_map(|d| d.aliases.iter().map(|alias| (alias.clone(), d.name.clone())))
        .collect();
    let find = |name: &UnitName| loaded.get(canonical.get(name).unwrap_or(name));
    let additions: Vec<(UnitName, Vec<Dependency>)> = loaded
        .values()
        .filter(|d| {
            d.name.kind() == UnitKind::Target && d.unit.default_dependencies && d.load == LoadState::Loaded
        })
        .map(|target| {
            let follows = |on: &UnitName| {
                find(on).is_some_and(|d| d.load == LoadState::Loaded && d.unit.default_dependencies)
            };
            let is_before = |on: &UnitName| {
                find(on).is_some_and(|d| {
                    d.unit.dependencies.iter().any(|dependency| {
                        dependency.kind == DependencyKind::After
                            && (dependency.on == target.name || target.aliases.contains(&dependency.on))
                    })
                })
            };
            let added = implicit::order_target(&target.name, &target.unit.dependencies, follows, is_before);
            (target.name.clone(), added)
        })
        .collect();
    for (name, added) in additions {
        if let Some(definition) = loaded.get_mut(&name) {
            definition.unit.dependencies.extend(added);
        }
    }
}

#[cfg(test)]
mod closure_tests;
#[cfg(test)]
mod tests;
