//! The modules of one kernel.

use super::decompress::{module_name, read_module};
use super::{Error, modinfo};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The directory `lib/modules/VERSION` of a kernel.
#[derive(Debug, Clone)]
pub struct ModuleTree {
    dir: PathBuf,
    version: String,
    /// Path below `dir`, by name.
    files: BTreeMap<String, String>,
    builtin: BTreeSet<String>,
    /// From modules.dep, by name; `None` where there is no such file.
    map: Option<BTreeMap<String, Vec<String>>>,
}

/// One module to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Its name, with `_`.
    pub name: String,
    /// Path in the guest, of the uncompressed file.
    pub guest_path: String,
    /// Its contents, uncompressed.
    pub data: Vec<u8>,
    /// Who wanted it: the chain.
    pub wanted_by: String,
}

/// What a set of wanted modules comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Closure {
    /// In load order: each after all it depends on.
    pub modules: Vec<Module>,
    /// Wanted, and part of the kernel itself: nothing to load.
    pub builtin: Vec<String>,
}

impl Closure {
    /// The contents of [`super::LOAD_ORDER`].
    #[must_use]
    pub fn load_order(&self) -> String {
        self.modules
            .iter()
            .map(|module| format!("{}\n", module.guest_path))
            .collect()
    }
}

impl ModuleTree {
    /// Reads the names in `dir`, which is a `lib/modules/VERSION`.
    ///
    /// # Errors
    /// An unreadable directory or map.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let version = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut files = BTreeMap::new();
        walk(dir, dir, &mut files)?;
        let builtin = read_optional(&dir.join("modules.builtin"))?.unwrap_or_default();
        let builtin = builtin.lines().filter_map(name_of_path).collect();
        let map = read_optional(&dir.join("modules.dep"))?.map(|text| parse_map(&text));
        Ok(Self {
            dir: dir.into(),
            version,
            files,
            builtin,
            map,
        })
    }

    /// Whether the module is there, as a file or in the kernel.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        let name = name.replace('-', "_");
        self.files.contains_key(&name) || self.builtin.contains(&name)
    }

    /// The wanted modules (name, who wants it) and all they depend on.
    ///
    /// # Errors
    /// An unknown module (names who wanted it), a damaged one, a ring.
    pub fn closure<'a>(
        &self,
        wanted: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Closure, Error> {
        let mut closure = Closure::default();
        let mut done = BTreeSet::new();
        for (name, reason) in wanted {
            self.visit(
                &name.replace('-', "_"),
                reason,
                &mut Vec::new(),
                &mut done,
                &mut closure,
            )?;
        }
        Ok(closure)
    }

    /// Depth first, so that what a module depends on is listed before it.
    fn visit(
        &self,
        name: &str,
        wanted_by: &str,
        path: &mut Vec<String>,
        done: &mut BTreeSet<String>,
        closure: &mut Closure,
    ) -> Result<(), Error> {
        if path.iter().any(|above| above == name) {
            return Err(Error::Ring {
                ring: format!("{}, {name}", path.join(", ")),
            });
        }
        if done.contains(name) {
            return Ok(());
        }
        let Some(file) = self.files.get(name) else {
            if self.builtin.contains(name) {
                done.insert(name.into());
                closure.builtin.push(name.into());
                return Ok(());
            }
            return Err(Error::Unknown {
                name: name.into(),
                wanted_by: wanted_by.into(),
                version: self.version.clone(),
            });
        };
        let source = self.dir.join(file);
        let data = read_module(&source)?;
        let depends = match self.map.as_ref().and_then(|map| map.get(name)) {
            Some(depends) => depends.clone(),
            None => modinfo::depends(&data).map_err(|what| Error::Bad { path: source, what })?,
        };
        path.push(name.into());
        for dependency in depends {
            self.visit(
                &dependency,
                &format!("module {name} ({wanted_by})"),
                path,
                done,
                closure,
            )?;
        }
        path.pop();
        done.insert(name.into());
        let stem = file.split_inclusive(".ko").next().unwrap_or(file);
        closure.modules.push(Module {
            name: name.into(),
            guest_path: format!("/usr/lib/modules/{}/{stem}", self.version),
            data,
            wanted_by: wanted_by.into(),
        });
        Ok(())
    }
}

fn walk(top: &Path, dir: &Path, files: &mut BTreeMap<String, String>) -> Result<(), Error> {
    let fail = |source| Error::Read {
        path: dir.into(),
        source,
    };
    for entry in std::fs::read_dir(dir).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let kind = entry.file_type().map_err(fail)?;
        let path = entry.path();
        if kind.is_dir() {
            walk(top, &path, files)?;
        } else if kind.is_file()
            && let Some(name) = module_name(&entry.file_name().to_string_lossy())
            && let Ok(inner) = path.strip_prefix(top)
        {
            files.insert(name, inner.to_string_lossy().into_owned());
        }
    }
    Ok(())
}

fn read_optional(path: &Path) -> Result<Option<String>, Error> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Read {
            path: path.into(),
            source,
        }),
    }
}

fn name_of_path(path: &str) -> Option<String> {
    module_name(path.trim().rsplit('/').next().unwrap_or_default())
}

/// `modules.dep`: a line `path: path path …` a module (modules.dep(5)).
fn parse_map(text: &str) -> BTreeMap<String, Vec<String>> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .filter_map(|(module, list)| {
            // The list names the last to be loaded first; the order below must not lean on that, visiting does.
            Some((
                name_of_path(module)?,
                list.split_whitespace().rev().filter_map(name_of_path).collect(),
            ))
        })
        .collect()
}
