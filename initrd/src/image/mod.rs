//! The tree that becomes the initrd: entries in order of their paths, each with the reason it is there.
//!
//! Paths are those of the guest. Symbolic links already in the image are followed in the directory part of a path,
//! so that after `/lib -> usr/lib` the file `/lib/x` lands in `/usr/lib/x`, as it would in the running guest. Parents
//! are made as they are needed (mode 0755, root). The same path wanted twice is fine when both want the same;
//! else the error names both.

mod entry;
mod error;
mod list;
mod tree;
mod unpack;
mod write;

pub use entry::{Entry, Kind, Source};
pub use error::Error;
pub use list::{Listing, Row};
pub use unpack::Devices;

use std::collections::BTreeMap;
use std::sync::Arc;

/// An ordered tree of entries.
#[derive(Debug, Clone, Default)]
pub struct Image {
    /// By path without the leading slash: byte order puts a parent before its children.
    entries: BTreeMap<String, Entry>,
    notes: Vec<String>,
}

/// As many symbolic links as the kernel follows in one lookup (path_resolution(7)).
const MAX_LINKS: u32 = 40;

impl Image {
    /// An image with nothing but its root.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a directory with these permission bits.
    ///
    /// # Errors
    /// A bad path, a conflict.
    pub fn add_dir(&mut self, path: &str, mode: u32, reason: &str) -> Result<(), Error> {
        let mut key = self.locate(path, reason)?;
        // A link to a directory is as good as one, as it is for mkdir -p.
        if let Some(target) = self.follow(&key)
            && matches!(
                self.entries.get(&target),
                Some(Entry {
                    kind: Kind::Directory { .. },
                    ..
                })
            )
        {
            key = target;
        }
        let new = Entry::new(key.clone(), mode, Kind::Directory { implied: false }, reason);
        match self.entries.get_mut(&key) {
            Some(entry) if matches!(entry.kind, Kind::Directory { implied: true }) => {
                *entry = new;
                Ok(())
            }
            _ => self.insert(key, mode, new.kind, reason),
        }
    }

    /// Adds a file with these permission bits and the contents of `source`, which is read now.
    ///
    /// # Errors
    /// An unreadable source (names who wanted it), a bad path, a conflict.
    pub fn add_file(
        &mut self,
        path: &str,
        mode: u32,
        source: impl Into<Source>,
        reason: &str,
    ) -> Result<(), Error> {
        let data = match source.into() {
            Source::Bytes(bytes) => bytes,
            Source::Path(from) => match std::fs::read(&from) {
                Ok(bytes) => bytes.into(),
                Err(source) => {
                    return Err(Error::Read {
                        from,
                        path: path.into(),
                        reason: reason.into(),
                        source,
                    });
                }
            },
        };
        let key = self.locate(path, reason)?;
        self.insert(key, mode, Kind::File(data), reason)
    }

    /// Adds a symbolic link; `target` is written as given.
    ///
    /// # Errors
    /// A bad path, a conflict.
    pub fn add_symlink(&mut self, path: &str, target: &str, reason: &str) -> Result<(), Error> {
        let key = self.locate(path, reason)?;
        self.insert(key, 0o777, Kind::Symlink(target.into()), reason)
    }

    /// Adds a device node with these permission bits.
    ///
    /// # Errors
    /// A bad path, a conflict.
    pub fn add_device(&mut self, path: &str, mode: u32, device: Device, reason: &str) -> Result<(), Error> {
        let key = self.locate(path, reason)?;
        self.insert(key, mode, Kind::Device(device), reason)
    }

    /// Adds one more name of the file `target`, which must be in the image already.
    ///
    /// # Errors
    /// A target that is no file of the image, a bad path, a conflict.
    pub fn add_hardlink(&mut self, path: &str, target: &str, reason: &str) -> Result<(), Error> {
        let target_key = self.locate(target, reason)?;
        let (first, mode, owner) = match self.entries.get(&target_key) {
            Some(Entry {
                kind: Kind::File(_),
                mode,
                uid,
                gid,
                ..
            }) => (target_key, *mode, (*uid, *gid)),
            Some(Entry {
                kind: Kind::HardLink(first),
                mode,
                uid,
                gid,
                ..
            }) => (first.clone(), *mode, (*uid, *gid)),
            _ => {
                return Err(Error::LinkTarget {
                    path: path.into(),
                    target: target.into(),
                    reason: reason.into(),
                });
            }
        };
        let key = self.locate(path, reason)?;
        self.insert(key.clone(), mode, Kind::HardLink(first), reason)?;
        if let Some(entry) = self.entries.get_mut(&key) {
            (entry.uid, entry.gid) = owner;
        }
        Ok(())
    }

    /// Sets the owner and group of an entry, and of all other names of it.
    ///
    /// # Errors
    /// No such entry.
    pub fn set_owner(&mut self, path: &str, uid: u32, gid: u32) -> Result<(), Error> {
        let no_entry = || Error::NoEntry { path: path.into() };
        let key = self.locate(path, "an owner").map_err(|_| no_entry())?;
        let first = match self.entries.get(&key).ok_or_else(no_entry)? {
            Entry {
                kind: Kind::HardLink(first),
                ..
            } => first.clone(),
            _ => key,
        };
        for (name, entry) in &mut self.entries {
            let same = *name == first || matches!(&entry.kind, Kind::HardLink(of) if *of == first);
            if same {
                (entry.uid, entry.gid) = (uid, gid);
            }
        }
        Ok(())
    }

    /// All entries in the order of the archive. The root itself is none of them.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// The entry at a path, directory links followed as for adding; the last name is not followed.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.entries.get(&self.normal(path, "").ok()?)
    }

    /// Leaves a remark for the reader of the list, as of an optional part that was left out.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// The remarks.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    fn insert(&mut self, key: String, mode: u32, kind: Kind, reason: &str) -> Result<(), Error> {
        let new = Entry::new(key.clone(), mode, kind, reason);
        match self.entries.get(&key) {
            None => {
                self.entries.insert(key, new);
                Ok(())
            }
            Some(old) if old.mode == new.mode && old.kind == new.kind => Ok(()),
            Some(old) => Err(Error::Conflict {
                path: format!("/{key}"),
                first: old.reason.clone(),
                first_is: old.describe(),
                second: reason.into(),
                second_is: new.describe(),
            }),
        }
    }

    /// The key of a path, with its parents made.
    fn locate(&mut self, path: &str, reason: &str) -> Result<String, Error> {
        let key = self.normal(path, reason)?;
        let slashes: Vec<usize> = key.match_indices('/').map(|(at, _)| at).collect();
        for at in slashes {
            let parent = key.get(..at).unwrap_or_default();
            match self.entries.get(parent) {
                None => {
                    let entry = Entry::new(parent.into(), 0o755, Kind::Directory { implied: true }, reason);
                    self.entries.insert(parent.into(), entry);
                }
                Some(Entry {
                    kind: Kind::Directory { .. },
                    ..
                }) => {}
                Some(other) => {
                    return Err(Error::Parent {
                        path: path.into(),
                        reason: reason.into(),
                        parent: format!("/{parent}"),
                        parent_reason: other.reason.clone(),
                    });
                }
            }
        }
        Ok(key)
    }

    /// The key of a path, with the symbolic links of the image followed in all but its last name.
    fn normal(&self, path: &str, reason: &str) -> Result<String, Error> {
        let bad = || Error::BadPath {
            path: path.into(),
            reason: reason.into(),
        };
        let inner = path.strip_prefix('/').ok_or_else(bad)?;
        if inner.is_empty() || inner.contains('\0') || inner.split('/').any(|name| name == "..") {
            return Err(bad());
        }
        let (parents, last) = inner
            .trim_end_matches('/')
            .rsplit_once('/')
            .unwrap_or(("", inner.trim_end_matches('/')));
        if last.is_empty() || last == "." {
            return Err(bad());
        }
        let parents = self.follow(parents).ok_or_else(bad)?;
        Ok(if parents.is_empty() {
            last.into()
        } else {
            format!("{parents}/{last}")
        })
    }

    /// A path with all symbolic links of the image followed, its last name included. What is not in the image is
    /// taken as it is. `None` for a loop.
    fn follow(&self, path: &str) -> Option<String> {
        let mut links = 0;
        let mut done: Vec<String> = Vec::new();
        let mut pending: Vec<String> = names(path);
        while let Some(name) = pending.pop() {
            if name == ".." {
                done.pop();
                continue;
            }
            done.push(name);
            if let Some(Entry {
                kind: Kind::Symlink(target),
                ..
            }) = self.entries.get(&done.join("/"))
            {
                links += 1;
                if links > MAX_LINKS {
                    return None;
                }
                if target.starts_with('/') {
                    done.clear();
                } else {
                    done.pop();
                }
                pending.extend(names(target));
            }
        }
        Some(done.join("/"))
    }
}

/// The names of a path, last first.
fn names(path: &str) -> Vec<String> {
    path.split('/')
        .filter(|name| !name.is_empty() && *name != ".")
        .rev()
        .map(str::to_owned)
        .collect()
}

/// A device node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// Block device; else character device.
    pub block: bool,
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
}

impl Device {
    /// A character device.
    #[must_use]
    pub const fn character(major: u32, minor: u32) -> Self {
        Self {
            block: false,
            major,
            minor,
        }
    }
}

/// Contents shared between clones of an image.
pub(crate) type Data = Arc<[u8]>;

#[cfg(test)]
mod tests;
