//! Unit files below a root directory, for the verbs that need no softbootd.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::PathBuf;

use softboot_unit::files::{DirEntry, FileProvider};

/// The directory that stands for `/`.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    root: PathBuf,
    /// Directories that were listed; one run of softctl sees one moment.
    listed: RefCell<HashMap<String, Vec<DirEntry>>>,
}

impl Disk {
    /// `None` is the root itself.
    pub(super) fn new(root: Option<&PathBuf>) -> Disk {
        Disk {
            root: root.cloned().unwrap_or_else(|| PathBuf::from("/")),
            listed: RefCell::default(),
        }
    }

    /// Where a path of the unit language is.
    pub(super) fn place(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }
}

impl FileProvider for Disk {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.place(path)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            other => other.map(Some),
        }
    }

    fn list(&self, directory: &str) -> io::Result<Vec<DirEntry>> {
        if let Some(known) = self.listed.borrow().get(directory) {
            return Ok(known.clone());
        }
        let place = self.place(directory);
        let entries = match fs::read_dir(&place) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(Vec::new());
            }
            other => other?,
        };
        let mut found = Vec::new();
        for name in entries.map(|entry| entry.map(|entry| entry.file_name())) {
            // A name that is no text is no unit's.
            if let Ok(name) = name?.into_string() {
                let target = fs::read_link(place.join(&name)).ok();
                found.push(DirEntry {
                    link_target: target.and_then(|target| target.into_os_string().into_string().ok()),
                    name,
                });
            }
        }
        self.listed
            .borrow_mut()
            .insert(directory.to_owned(), found.clone());
        Ok(found)
    }
}
