//! What definitions were made from.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, statat};
use serde::{Deserialize, Serialize};
use softboot_unit::files::{DirEntry, FileProvider};
use softboot_unit::{Definition, Loader, UnitName};

use super::watch::Watch;
use super::{Disk, SPECIFIER_FILES, specifiers, unit_path};

/// What definitions were made from: they are still right while this is as it was.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sources {
    path: Vec<String>,
    specifiers: String,
    /// Files and directories by the directory they are in: there is one path to follow for each, and not one for each
    /// file.
    files: BTreeMap<String, BTreeSet<String>>,
    /// Of all their stamps.
    hash: u64,
}

impl Sources {
    /// Nothing has changed since.
    pub(crate) fn are_unchanged(&self) -> bool {
        self.path == unit_path()
            && self.specifiers == format!("{:?}", specifiers())
            && self.hash == hash(&self.files)
    }

    /// Watches all of it, where the kernel tells of each change. What has changed before is not known to the watch.
    pub(crate) fn watch(&self) -> Option<Watch> {
        let own = self.files.iter().flat_map(|(directory, names)| {
            let names = names.iter().map(String::as_str);
            names.map(|name| (directory.as_str(), name))
        });
        Watch::begin(own.chain(SPECIFIER_FILES))
    }
}

/// A file or directory at a moment: inode, length, times of change; `None` if there was none.
type Stamp = Option<(u64, i64, (i64, u64), (i64, u64))>;

fn stamp(directory: BorrowedFd<'_>, name: &str) -> Stamp {
    let data = statat(directory, name, AtFlags::empty()).ok()?;
    let modified = (data.st_mtime, data.st_mtime_nsec);
    let changed = (data.st_ctime, data.st_ctime_nsec);
    Some((data.st_ino, data.st_size, modified, changed))
}

/// Of the stamps as they are now, in the order of [`Recorded::hash`].
fn hash(files: &BTreeMap<String, BTreeSet<String>>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (directory, names) in files {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(directory.as_str(), flags, Mode::empty()).ok();
        for name in names {
            let stamp = directory
                .as_ref()
                .and_then(|directory| stamp(directory.as_fd(), name));
            stamp.hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// The disk, and what was looked at on it.
#[derive(Default)]
struct Recorded {
    seen: RefCell<BTreeMap<String, BTreeMap<String, Stamp>>>,
}

impl Recorded {
    /// Before it is read: what changes meanwhile has changed.
    fn note(&self, path: &str) {
        let Some((directory, name)) = path.rsplit_once('/') else {
            return;
        };
        let directory = if directory.is_empty() { "/" } else { directory };
        let mut seen = self.seen.borrow_mut();
        if seen.get(directory).is_some_and(|names| names.contains_key(name)) {
            return;
        }
        let names = seen.entry(directory.to_owned()).or_default();
        names.insert(name.to_owned(), stamp(CWD, path));
    }

    fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let seen = self.seen.borrow();
        let stamps = seen.values().flat_map(BTreeMap::values);
        stamps.for_each(|stamp| stamp.hash(&mut hasher));
        hasher.finish()
    }

    fn names(self) -> BTreeMap<String, BTreeSet<String>> {
        let seen = self.seen.into_inner().into_iter();
        seen.map(|(directory, names)| (directory, names.into_keys().collect()))
            .collect()
    }
}

impl FileProvider for Recorded {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        self.note(path);
        Disk.read(path)
    }

    fn list(&self, directory: &str) -> io::Result<Vec<DirEntry>> {
        self.note(directory);
        Disk.list(directory)
    }
}

/// As [`super::closure`] with nothing known, and what it was made from.
pub(crate) fn closure_with_sources(names: &[UnitName]) -> (Vec<Definition>, Sources) {
    let disk = Recorded::default();
    let (path, specifiers) = (unit_path(), specifiers());
    let mut sources = Sources {
        path: path.clone(),
        specifiers: format!("{specifiers:?}"),
        ..Sources::default()
    };
    let definitions = Loader::new(&disk, path, specifiers).load_closure(names, &|_| false);
    sources.hash = disk.hash();
    sources.files = disk.names();
    (definitions, sources)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn sources_of(disk: Recorded) -> Sources {
        Sources {
            path: unit_path(),
            specifiers: format!("{:?}", specifiers()),
            hash: disk.hash(),
            files: disk.names(),
        }
    }

    #[test]
    fn a_file_that_was_changed_added_or_removed_is_noticed() {
        let directory = std::env::temp_dir().join(format!("softboot-sources-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let at = |name: &str| directory.join(name).to_str().unwrap().to_owned();
        let look = || {
            let disk = Recorded::default();
            disk.list(directory.to_str().unwrap()).unwrap();
            disk.read(&at("a.service")).unwrap();
            disk.read(&at("none.service")).unwrap();
            sources_of(disk)
        };
        fs::write(at("a.service"), "[Unit]\n").unwrap();
        let sources = look();
        assert!(sources.are_unchanged());
        let text = serde_json::to_string(&sources).unwrap();
        assert_eq!(serde_json::from_str::<Sources>(&text).unwrap(), sources);
        fs::write(at("a.service"), "[Unit]\nDescription=longer\n").unwrap();
        assert!(!sources.are_unchanged());
        let sources = look();
        fs::write(at("b.service"), "").unwrap();
        assert!(!sources.are_unchanged(), "the directory has one more");
        let sources = look();
        fs::write(at("none.service"), "").unwrap();
        assert!(!sources.are_unchanged());
        let sources = look();
        fs::remove_dir_all(&directory).unwrap();
        assert!(!sources.are_unchanged());
    }

    #[test]
    fn what_changes_between_reading_and_the_end_is_noticed() {
        let file = std::env::temp_dir().join(format!("softboot-between-{}", std::process::id()));
        fs::write(&file, "[Unit]\n").unwrap();
        let disk = Recorded::default();
        disk.read(file.to_str().unwrap()).unwrap();
        fs::write(&file, "[Unit]\nDescription=longer\n").unwrap();
        assert!(!sources_of(disk).are_unchanged());
        fs::remove_file(&file).unwrap();
    }
}
