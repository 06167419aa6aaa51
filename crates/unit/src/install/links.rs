//! Links of a configuration directory.

use std::io;

use crate::files::FileProvider;
use crate::name::UnitName;

/// One symbolic link that names a unit.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) path: String,
    /// Its own name.
    pub(super) name: UnitName,
    /// As it is written.
    pub(super) target: String,
    /// In `NAME.wants` and the like, not in the directory itself.
    pub(super) pulls: bool,
}

impl Link {
    /// The unit that the link points to, by the last part of its target.
    pub(super) fn points_to(&self) -> Option<UnitName> {
        UnitName::new(self.target.rsplit('/').next()?).ok()
    }

    pub(super) fn is_mask(&self) -> bool {
        self.target == "/dev/null"
    }
}

const PULLING: [&str; 3] = [".wants", ".requires", ".upholds"];

/// Every link of a directory, and of its `.wants`, `.requires` and `.upholds` directories.
pub(super) fn links(files: &dyn FileProvider, directory: &str) -> io::Result<Vec<Link>> {
    let mut found = Vec::new();
    let mut entries = files.list(directory)?;
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    for entry in entries {
        let path = format!("{directory}/{}", entry.name);
        if let Some(target) = entry.link_target {
            if let Ok(name) = UnitName::new(&entry.name) {
                found.push(Link {
                    path,
                    name,
                    target,
                    pulls: false,
                });
            }
            continue;
        }
        if !PULLING.iter().any(|suffix| entry.name.ends_with(suffix)) {
            continue;
        }
        let mut inner = files.list(&path)?;
        inner.sort_by(|a, b| a.name.cmp(&b.name));
        for entry in inner {
            if let (Some(target), Ok(name)) = (entry.link_target, UnitName::new(&entry.name)) {
                found.push(Link {
                    path: format!("{path}/{}", entry.name),
                    name,
                    target,
                    pulls: true,
                });
            }
        }
    }
    Ok(found)
}
