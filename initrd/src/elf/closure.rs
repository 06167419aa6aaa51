//! All libraries of a program, by breadth as the dynamic loader finds them.

use super::{Error, Object};
use crate::rooted;
use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

/// The directories that stand for `/` when a library is looked for, in order: unpacked packages first, the host
/// last.
#[derive(Debug, Clone, Default)]
pub struct Roots(pub Vec<PathBuf>);

impl Roots {
    /// These, and the host's own `/` after them.
    #[must_use]
    pub fn then_host(mut roots: Vec<PathBuf>) -> Self {
        roots.push(PathBuf::from("/"));
        Self(roots)
    }
}

/// One library of a closure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// Where the guest must find it.
    pub path: String,
    /// Where its bytes are now.
    pub source: PathBuf,
    /// Who wanted it, nearest first, down to the program.
    pub wanted_by: String,
}

/// One object that is being loaded.
struct Loaded {
    object: Object,
    /// Its directory in the guest, for `$ORIGIN`.
    origin: String,
    /// Its name and those of all that led to it.
    chain: String,
    /// `DT_RPATH` of those that loaded it, expanded.
    inherited: Vec<String>,
}

/// The libraries that the program `source`, which will be `guest_path` in the guest, needs: its loader and all
/// `DT_NEEDED`, of the libraries too. Empty for a static program. `reason` stands at the end of each chain.
///
/// # Errors
/// A library that is nowhere, with the chain of those who wanted it; an unreadable or bad ELF file.
pub fn closure(roots: &Roots, source: &Path, guest_path: &str, reason: &str) -> Result<Vec<Library>, Error> {
    let program = read(source, reason)?;
    let mut libraries: Vec<Library> = Vec::new();
    let mut seen = BTreeSet::new();
    let first = Loaded {
        object: program.clone(),
        origin: parent(guest_path),
        chain: format!("{guest_path} ({reason})"),
        inherited: Vec::new(),
    };
    if let Some(interpreter) = &program.interpreter {
        let (source, _) =
            find_at(roots, &program, interpreter, &first.chain)?.ok_or_else(|| Error::Missing {
                name: interpreter.clone(),
                wanted_by: first.chain.clone(),
                looked_in: roots.0.iter().map(|root| root.display().to_string()).collect(),
            })?;
        seen.insert(interpreter.rsplit('/').next().unwrap_or_default().to_owned());
        libraries.push(Library {
            path: interpreter.clone(),
            source,
            wanted_by: first.chain.clone(),
        });
    }
    let mut queue = VecDeque::from([first]);
    while let Some(loaded) = queue.pop_front() {
        let (own, passed_on) = search_path(&loaded);
        for name in &loaded.object.needed {
            if !seen.insert(name.clone()) {
                continue;
            }
            let (path, source, object) = find(roots, &program, name, &own, &loaded.chain)?;
            libraries.push(Library {
                path: path.clone(),
                source,
                wanted_by: loaded.chain.clone(),
            });
            queue.push_back(Loaded {
                object,
                origin: parent(&path),
                chain: format!("{name}, wanted by {}", loaded.chain),
                inherited: passed_on.clone(),
            });
        }
    }
    Ok(libraries)
}

/// Where the loader looks for what `loaded` needs, and the part of it that holds for its libraries too.
fn search_path(loaded: &Loaded) -> (Vec<String>, Vec<String>) {
    let expand = |list: &[String]| -> Vec<String> {
        list.iter()
            .filter_map(|text| Object::expand(text, &loaded.origin))
            .collect()
    };
    let mut passed_on = Vec::new();
    if loaded.object.runpath.is_empty() {
        passed_on = expand(&loaded.object.rpath);
    }
    passed_on.extend(loaded.inherited.iter().cloned());
    // With DT_RUNPATH no DT_RPATH at all is looked at, neither its own nor that of those who loaded it.
    let own = if loaded.object.runpath.is_empty() {
        passed_on.clone()
    } else {
        expand(&loaded.object.runpath)
    };
    (own, passed_on)
}

fn find(
    roots: &Roots,
    program: &Object,
    name: &str,
    search: &[String],
    chain: &str,
) -> Result<(String, PathBuf, Object), Error> {
    let mut directories = search.to_vec();
    directories.extend(program.default_directories());
    // A name with a slash is a path and not looked for.
    let candidates: Vec<String> = if name.contains('/') {
        vec![name.to_owned()]
    } else {
        directories
            .iter()
            .map(|directory| format!("{directory}/{name}"))
            .collect()
    };
    for candidate in candidates {
        if let Some((source, object)) = find_at(roots, program, &candidate, chain)? {
            return Ok((candidate, source, object));
        }
    }
    Err(Error::Missing {
        name: name.into(),
        wanted_by: chain.into(),
        looked_in: directories,
    })
}

/// The file at a path of the guest, in the first root that has one for the same machine.
fn find_at(
    roots: &Roots,
    program: &Object,
    path: &str,
    chain: &str,
) -> Result<Option<(PathBuf, Object)>, Error> {
    for root in &roots.0 {
        let Some(source) = rooted::resolve(root, Path::new(path)) else {
            continue;
        };
        if !source.is_file() {
            continue;
        }
        let object = read(&source, chain)?;
        // The loader, too, goes on looking where a directory has the name for another machine.
        if program.fits(&object) {
            return Ok(Some((source, object)));
        }
    }
    Ok(None)
}

fn read(path: &Path, wanted_by: &str) -> Result<Object, Error> {
    let bytes = std::fs::read(path).map_err(|source| Error::Read {
        path: path.into(),
        wanted_by: wanted_by.into(),
        source,
    })?;
    Object::parse(&bytes).map_err(|what| Error::Bad {
        path: path.into(),
        wanted_by: wanted_by.into(),
        what,
    })
}

fn parent(path: &str) -> String {
    path.rsplit_once('/')
        .map_or_else(String::new, |(directory, _)| directory.to_owned())
}
