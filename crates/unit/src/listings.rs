//! What directories held when they were last listed.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher, Hasher};
use std::rc::Rc;

use crate::files::{DirEntry, FileProvider, Stamp};
use crate::name::UnitName;

/// A directory's entries, by name.
pub(crate) type Entries = Rc<Vec<DirEntry>>;

/// What the entries of a whole search path say together.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Other names of a unit by links, by the unit.
    pub(crate) aliases: HashMap<UnitName, Vec<UnitName>>,
    /// By the hash of a name: the directories that have it, a bit for each. Of most names that are looked for no directory has
    /// any.
    places: HashMap<u64, u64, BuildHasherDefault<Hashed>>,
}

impl Index {
    /// The directory at this place of the search path has an entry of this name.
    pub(crate) fn note(&mut self, name: &str, place: usize) {
        *self.places.entry(hash(name)).or_default() |= bit(place);
    }

    /// Whether it may have one: another name may have the same hash.
    pub(crate) fn may_have(&self, name: &str, place: usize) -> bool {
        let places = self.places.get(&hash(name));
        places.is_some_and(|places| places & bit(place) != 0)
    }

    /// Whether any of them may have one.
    pub(crate) fn may_be_anywhere(&self, name: &str) -> bool {
        self.places.contains_key(&hash(name))
    }
}

fn hash(name: &str) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(name)
}

/// The last bit stands for all places that have none of their own.
fn bit(place: usize) -> u64 {
    1 << place.min(63)
}

/// A hash is its own hash.
#[derive(Default)]
pub(crate) struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// Keeps what directories held from one [`Loader`](crate::Loader) to the next. An instance of a template is loaded for
/// each connection to a socket with `Accept=yes`: to list thousands of unit files for each would be most of its cost. A
/// directory is listed again when its [`Stamp`] is another, or when it has none.
#[derive(Debug, Default)]
pub struct Listings {
    directories: RefCell<HashMap<String, (Stamp, Entries)>>,
    index: RefCell<Option<(Vec<Entries>, Rc<Index>)>>,
}

impl Listings {
    /// The entries of a directory as they are now.
    pub(crate) fn list(&self, provider: &dyn FileProvider, directory: &str) -> Entries {
        // Before it is listed: what changes meanwhile has changed.
        let stamp = provider.stamp(directory);
        if let Some((then, entries)) = self.directories.borrow().get(directory)
            && stamp.as_ref() == Some(then)
        {
            return Rc::clone(entries);
        }
        // A directory that cannot be read has no units; the file that is missed says so by being missed.
        let mut entries = provider.list(directory).unwrap_or_default();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let entries = Rc::new(entries);
        let mut directories = self.directories.borrow_mut();
        match stamp {
            Some(stamp) => directories.insert(directory.to_owned(), (stamp, Rc::clone(&entries))),
            None => directories.remove(directory),
        };
        entries
    }

    /// What `make` makes of the entries of the search path, which is made again only when one of them is another.
    pub(crate) fn index(&self, path: Vec<Entries>, make: impl FnOnce() -> Index) -> Rc<Index> {
        if let Some((then, index)) = self.index.borrow().as_ref()
            && then.len() == path.len()
            && then.iter().zip(&path).all(|(then, now)| Rc::ptr_eq(then, now))
        {
            return Rc::clone(index);
        }
        let index = Rc::new(make());
        *self.index.borrow_mut() = Some((path, Rc::clone(&index)));
        index
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io;

    use super::*;
    use crate::{Definition, Loader, Specifiers};

    /// One directory with links to one unit, that counts how often it is listed.
    struct Counted {
        links: Vec<&'static str>,
        stamp: Option<Stamp>,
        listed: Cell<u32>,
    }

    impl FileProvider for Counted {
        fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
            Ok((!path.ends_with("none")).then(|| b"[Service]\nExecStart=/bin/true\n".to_vec()))
        }

        fn list(&self, _: &str) -> io::Result<Vec<DirEntry>> {
            self.listed.set(self.listed.get() + 1);
            let link = |name: &str, to: Option<&str>| DirEntry {
                name: name.to_owned(),
                link_target: to.map(str::to_owned),
            };
            let links = self.links.iter().map(|name| link(name, Some("a.service")));
            Ok(links.chain([link("a.service", None)]).collect())
        }

        fn stamp(&self, _: &str) -> Option<Stamp> {
            self.stamp
        }
    }

    fn load(disk: &Counted, listings: &Listings) -> Definition {
        let loader = Loader::with_listings(disk, vec!["/u".to_owned()], Specifiers::default(), listings);
        loader.load(&UnitName::new("a.service").unwrap())
    }

    fn aliases(definition: &Definition) -> Vec<&str> {
        definition.aliases.iter().map(UnitName::as_str).collect()
    }

    #[test]
    fn a_directory_is_listed_again_when_its_stamp_is_another() {
        let listings = Listings::default();
        let stamp = |seconds| {
            Some(Stamp {
                modified: (seconds, 0),
                ..Stamp::default()
            })
        };
        let mut disk = Counted {
            links: vec!["b.service"],
            stamp: stamp(1),
            listed: Cell::new(0),
        };
        for _ in 0..3 {
            assert_eq!(aliases(&load(&disk, &listings)), ["b.service"]);
        }
        assert_eq!(disk.listed.get(), 1);
        (disk.links, disk.stamp) = (vec!["c.service", "b.service"], stamp(2));
        assert_eq!(aliases(&load(&disk, &listings)), ["b.service", "c.service"]);
        assert_eq!(disk.listed.get(), 2);
    }

    #[test]
    fn without_a_stamp_nothing_is_kept() {
        let listings = Listings::default();
        let mut disk = Counted {
            links: vec![],
            stamp: None,
            listed: Cell::new(0),
        };
        assert!(aliases(&load(&disk, &listings)).is_empty());
        disk.links.push("b.service");
        assert_eq!(aliases(&load(&disk, &listings)), ["b.service"]);
        assert_eq!(disk.listed.get(), 2);
    }
}
