//! Unit files below a root directory, for the verbs that need no softbootd.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::io::{self, ErrorKind, Read as _};
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2};
use rustix::io::Errno;
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

    /// The same as it is now.
    pub(super) fn fresh(&self) -> Disk {
        Disk {
            root: self.root.clone(),
            listed: RefCell::default(),
        }
    }

    /// Links lead where they would if the root were the root: an image's must not end in the files of this system.
    fn open(&self, path: &str) -> Result<OwnedFd, Errno> {
        let root = open(
            &self.root,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        openat2(&root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT)
    }

    /// Where a path of the unit language is.
    pub(super) fn place(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }
}

impl FileProvider for Disk {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let file = match self.open(path) {
            Err(Errno::NOENT) => return Ok(None),
            other => other?,
        };
        let mut bytes = Vec::new();
        fs::File::from(file).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
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
