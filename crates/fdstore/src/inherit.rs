//! The other side of a handoff.

use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::OwnedFd;

use crate::identity::Identity;
use crate::manifest::{Manifest, ManifestError, Record};
use crate::name::FdName;
use crate::store::{Entry, FdStore, InsertOptions};

/// A store that came over, and what did not become part of it.
#[derive(Debug)]
pub struct Inherited {
    /// Everything that is what it claims to be.
    pub store: FdStore,
    /// What is not.
    pub quarantined: Vec<Quarantined>,
    /// Open descriptors that the manifest does not mention. Dropping them closes them.
    pub unclaimed: Vec<OwnedFd>,
}

/// A descriptor that is not what the manifest says. It is never handed out under that name.
#[derive(Debug)]
pub struct Quarantined {
    /// Whose it was.
    pub owner: String,
    /// Its name.
    pub name: FdName,
    /// What it was.
    pub identity: Identity,
    /// What is there instead; `None` when the number is not open, or was claimed before.
    pub fd: Option<OwnedFd>,
    /// Why it is here.
    pub reason: String,
}

impl fmt::Display for Quarantined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}: {}", self.name, self.owner, self.reason)
    }
}

/// Why nothing could be taken over. The descriptors come back, so nothing is lost by asking.
#[derive(Debug)]
pub struct InheritError {
    /// All that were given.
    pub descriptors: BTreeMap<i32, OwnedFd>,
    /// Why.
    pub reason: ManifestError,
}

impl fmt::Display for InheritError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "taking over an fd store: the manifest: {}", self.reason)
    }
}

impl std::error::Error for InheritError {}

impl FdStore {
    /// Takes over what another program handed to this one. `descriptors` are all that are open
    /// (`softboot_sys::inherited::take_all`), `manifest` is the number in `FDSTORE_HANDOFF`.
    ///
    /// Seal, size, version and checksum of the manifest are checked, then the identity of each descriptor.
    pub fn inherit(
        mut descriptors: BTreeMap<i32, OwnedFd>,
        manifest: i32,
    ) -> Result<Inherited, InheritError> {
        let read = match descriptors.get(&manifest) {
            Some(fd) => Manifest::read(fd),
            None => Err(ManifestError::Inconsistent(format!(
                "descriptor {manifest} is not open"
            ))),
        };
        let Manifest {
            next_id,
            entries,
            unknown,
            ..
        } = match read {
            Ok(read) => read,
            Err(reason) => return Err(InheritError { descriptors, reason }),
        };
        descriptors.remove(&manifest);
        let mut store = FdStore::new();
        store.unknown = unknown;
        let mut quarantined = Vec::new();
        for record in entries {
            let fd = descriptors.remove(&record.fd);
            match check(&record, fd.as_ref(), &store) {
                Ok(()) => {
                    if let Some(fd) = fd {
                        store.put(entry(record, fd));
                    }
                }
                Err(reason) => quarantined.push(Quarantined {
                    owner: record.owner,
                    name: record.name,
                    identity: record.identity,
                    fd,
                    reason,
                }),
            }
        }
        store.raise_next_id(next_id);
        Ok(Inherited {
            store,
            quarantined,
            unclaimed: descriptors.into_values().collect(),
        })
    }
}

fn check(record: &Record, fd: Option<&OwnedFd>, store: &FdStore) -> Result<(), String> {
    let fd = fd.ok_or_else(|| format!("descriptor {} is not open or was claimed before", record.fd))?;
    if store.entry(record.id).is_some() {
        return Err(format!(
            "the manifest has two entries with the id {}",
            record.id.0
        ));
    }
    record.identity.verify(fd)
}

fn entry(record: Record, fd: OwnedFd) -> Entry {
    let options = InsertOptions {
        poll: record.poll,
        labels: record.labels,
        ..InsertOptions::default()
    };
    Entry::new(
        record.id,
        &record.owner,
        &record.name,
        fd,
        record.identity,
        options,
    )
    .with_history(record.entered_usec, record.unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::{AsFd as _, AsRawFd as _};

    fn name(text: &str) -> FdName {
        FdName::new(text).unwrap()
    }

    fn file() -> OwnedFd {
        tempfile::tempfile().unwrap().into()
    }

    /// Duplicates of everything under the numbers the manifest says, as an exec would leave them.
    fn cross(
        store: &FdStore,
        adjust: impl FnOnce(&mut BTreeMap<i32, OwnedFd>),
    ) -> Result<Inherited, InheritError> {
        let handoff = store.handoff().unwrap();
        let mut descriptors: BTreeMap<i32, OwnedFd> = handoff
            .descriptors()
            .map(|fd| (fd.as_raw_fd(), fd.try_clone_to_owned().unwrap()))
            .collect();
        adjust(&mut descriptors);
        FdStore::inherit(descriptors, handoff.manifest().as_raw_fd())
    }

    fn store() -> FdStore {
        let mut store = FdStore::new();
        for text in ["z", "a", "m"] {
            let labels = BTreeMap::from([("k".to_owned(), text.to_owned())]);
            let options = InsertOptions {
                poll: text == "a",
                labels,
                ..InsertOptions::default()
            };
            store.insert("o", &name(text), file(), options).unwrap();
        }
        store
    }

    #[test]
    fn everything_comes_over_in_its_order() {
        let before = store();
        let after = cross(&before, |_| {}).unwrap();
        assert!(after.quarantined.is_empty() && after.unclaimed.is_empty());
        let describe = |store: &FdStore| -> Vec<_> {
            store
                .entries()
                .map(|e| {
                    (
                        e.id(),
                        e.name().clone(),
                        e.poll(),
                        e.labels().clone(),
                        e.identity().clone(),
                        e.entered_usec(),
                    )
                })
                .collect()
        };
        assert_eq!(describe(&before), describe(&after.store));
        // And again: a second crossing turns nothing round.
        let twice = cross(&after.store, |_| {}).unwrap();
        assert_eq!(describe(&before), describe(&twice.store));
    }

    #[test]
    fn what_is_something_else_is_put_aside() {
        let before = store();
        let victim = before.entries().next().unwrap().fd().as_raw_fd();
        let after = cross(&before, |all| {
            all.insert(victim, file());
        })
        .unwrap();
        assert_eq!(after.store.entries().count(), 2);
        let [aside] = &after.quarantined[..] else {
            panic!("{:?}", after.quarantined)
        };
        assert_eq!(aside.name, name("z"));
        assert!(
            aside.fd.is_some() && aside.reason.contains("inode"),
            "{}",
            aside.reason
        );
    }

    #[test]
    fn what_is_not_open_is_put_aside_and_what_is_not_named_is_unclaimed() {
        let before = store();
        let victim = before.entries().next().unwrap().fd().as_raw_fd();
        let after = cross(&before, |all| {
            let fd = all.remove(&victim).unwrap();
            all.insert(99_999, fd);
        })
        .unwrap();
        assert!(after.quarantined.first().unwrap().reason.contains("not open"));
        assert_eq!(after.unclaimed.len(), 1);
    }

    #[test]
    fn a_bad_manifest_gives_every_descriptor_back() {
        let fds = BTreeMap::from([(7, file()), (8, file())]);
        let error = FdStore::inherit(fds, 7).unwrap_err();
        assert_eq!(error.descriptors.len(), 2);
        assert!(error.to_string().contains("not sealed"), "{error}");
        let error = FdStore::inherit(error.descriptors, 5).unwrap_err();
        assert!(error.to_string().contains("5 is not open"), "{error}");
    }

    #[test]
    fn two_entries_with_one_number_give_one_descriptor() {
        let one = file();
        let identity = Identity::of(&one).unwrap();
        let record = |id: u64| Record {
            id: crate::EntryId(id),
            fd: 10,
            owner: "o".to_owned(),
            name: name("x"),
            identity: identity.clone(),
            poll: false,
            labels: BTreeMap::new(),
            entered_usec: 0,
            unknown: serde_json::Map::new(),
        };
        let manifest = Manifest {
            entries: vec![record(1), record(2), Record { fd: -4, ..record(3) }],
            ..Manifest::default()
        };
        let fds = BTreeMap::from([(10, one), (11, manifest.write().unwrap())]);
        let after = FdStore::inherit(fds, 11).unwrap();
        assert_eq!((after.store.entries().count(), after.quarantined.len()), (1, 2));
        assert!(after.store.fd(crate::EntryId(1)).unwrap().as_fd().as_raw_fd() >= 0);
    }
}
