//! The other side of a handoff.

use std::collections::btree_map::Entry as BTreeEntry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use crate::envelope::ManifestError;
use crate::handoff::{PID_VARIABLE, VARIABLE};
use crate::identity::Identity;
use crate::manifest::{Malformed, Manifest};
use crate::name::FdName;
use crate::record::Record;
use crate::store::{Entry, EntryId, FdStore};

/// A store that came over, and what did not become part of it.
#[derive(Debug)]
pub struct Inherited {
    /// Everything that is what it claims to be.
    pub store: FdStore,
    /// What is not.
    pub quarantined: Vec<Quarantined>,
    /// Open descriptors that the manifest does not mention. Dropping them closes them.
    pub unclaimed: Vec<OwnedFd>,
    /// What was odd about the manifest and did no harm to a descriptor.
    pub warnings: Vec<String>,
}

/// A descriptor that is not what the manifest says. It is never handed out under that name.
#[derive(Debug)]
pub struct Quarantined {
    /// Whose it was, if that can be read.
    pub owner: Option<String>,
    /// Its name, if that can be read.
    pub name: Option<FdName>,
    /// What it was, if that can be read.
    pub identity: Option<Identity>,
    /// What is there instead; `None` when the number is not open, or another entry has a better claim to it.
    pub fd: Option<OwnedFd>,
    /// Why it is here.
    pub reason: String,
}

impl fmt::Display for Quarantined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.as_ref().map_or("an unnamed descriptor", FdName::as_str);
        let owner = self.owner.as_deref().unwrap_or("nobody known");
        write!(f, "{name} of {owner}: {}", self.reason)
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

/// Why [`FdStore::from_env`] found no store where the environment promises one.
#[derive(Debug, thiserror::Error)]
pub enum FromEnvError {
    /// The variable is not a number.
    #[error("{VARIABLE}={0:?} is not the number of a descriptor")]
    Variable(String),
    /// The descriptors have an owner already.
    #[error("taking over an fd store: {0}")]
    Take(#[from] io::Error),
    /// The manifest cannot be used.
    #[error(transparent)]
    Manifest(#[from] InheritError),
}

impl FdStore {
    /// Takes over what the program before this one handed over with [`crate::Handoff::exec_program`]; `None` when
    /// there was none, as at the first start.
    ///
    /// Call it first in `main`, before the program opens descriptors of its own: the numbers that the manifest names
    /// belong to the store from then on. A second call is an error.
    ///
    /// ```
    /// use fdstore::FdStore;
    /// let mut store = match FdStore::from_env()? {
    ///     Some(inherited) => {
    ///         for aside in &inherited.quarantined {
    ///             eprintln!("not taken over: {aside}");
    ///         }
    ///         inherited.store
    ///     }
    ///     None => FdStore::new(),
    /// };
    /// # Ok::<(), fdstore::FromEnvError>(())
    /// ```
    pub fn from_env() -> Result<Option<Inherited>, FromEnvError> {
        let Some(value) = std::env::var_os(VARIABLE) else {
            return Ok(None);
        };
        let own_pid = rustix::process::getpid().as_raw_nonzero().to_string();
        if std::env::var_os(PID_VARIABLE).is_some_and(|pid| pid != *own_pid) {
            return Ok(None);
        }
        let number: i32 = value
            .to_str()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| FromEnvError::Variable(value.to_string_lossy().into_owned()))?;
        let mut descriptors = softboot_sys::inherited::take([number])?;
        let (manifest, malformed) = match read(&descriptors, number) {
            Ok(read) => read,
            Err(reason) => return Err(InheritError { descriptors, reason }.into()),
        };
        descriptors.remove(&number);
        let named = manifest.entries.iter().map(|record| record.fd);
        let named = named.chain(malformed.iter().filter_map(|bad| bad.fd));
        softboot_sys::inherited::close_on_exec(named)?;
        Ok(Some(adopt(manifest, malformed, &mut OwnTable)))
    }

    /// Takes over what another program handed to this one. `descriptors` are all that are open
    /// (`softboot_sys::inherited::take_all`), `number` is the one in `FDSTORE_HANDOFF`: the
    /// manifest's.
    ///
    /// Seal, size, version and checksum of the manifest are checked, then the identity of each descriptor.
    /// From there on one entry cannot spoil another: what is malformed, contradicts itself or is something else is put
    /// aside with the reason.
    pub fn inherit(descriptors: BTreeMap<i32, OwnedFd>, number: i32) -> Result<Inherited, InheritError> {
        FdStore::inherit_with(descriptors, number, |entries| entries)
    }

    /// The same, where `amend` knows better which entries there are.
    pub(crate) fn inherit_with(
        mut descriptors: BTreeMap<i32, OwnedFd>,
        number: i32,
        amend: impl FnOnce(Vec<Record>) -> Vec<Record>,
    ) -> Result<Inherited, InheritError> {
        let (mut manifest, malformed) = match read(&descriptors, number) {
            Ok(read) => read,
            Err(reason) => return Err(InheritError { descriptors, reason }),
        };
        manifest.entries = amend(manifest.entries);
        descriptors.remove(&number);
        let mut inherited = adopt(manifest, malformed, &mut descriptors);
        inherited.unclaimed = descriptors.into_values().collect();
        Ok(inherited)
    }
}

fn read(
    descriptors: &BTreeMap<i32, OwnedFd>,
    number: i32,
) -> Result<(Manifest, Vec<Malformed>), ManifestError> {
    match descriptors.get(&number) {
        Some(fd) => Manifest::read(fd),
        None => Err(ManifestError::Inconsistent(format!(
            "descriptor {number} is not open"
        ))),
    }
}

/// Where the descriptors of a manifest are.
pub(crate) trait Source {
    /// Takes the descriptor out if `proof` says that it is the right one; `proof` is not asked when there is none.
    fn claim(&mut self, number: i32, proof: &mut dyn FnMut(BorrowedFd<'_>) -> bool) -> Option<OwnedFd>;
}

impl Source for BTreeMap<i32, OwnedFd> {
    fn claim(&mut self, number: i32, proof: &mut dyn FnMut(BorrowedFd<'_>) -> bool) -> Option<OwnedFd> {
        match self.entry(number) {
            BTreeEntry::Occupied(fd) if proof(fd.get().as_fd()) => Some(fd.remove()),
            _ => None,
        }
    }
}

/// The descriptors that this program was started with and that nobody has taken yet.
struct OwnTable;

impl Source for OwnTable {
    fn claim(&mut self, number: i32, proof: &mut dyn FnMut(BorrowedFd<'_>) -> bool) -> Option<OwnedFd> {
        softboot_sys::inherited::claim(number, proof)
    }
}

/// Gives each entry its descriptor. Those that can prove their claim come first, so that a wrong or unreadable entry
/// with the same number takes nothing away from them.
pub(crate) fn adopt(manifest: Manifest, malformed: Vec<Malformed>, source: &mut impl Source) -> Inherited {
    let mut store = FdStore::new();
    store.unknown = manifest.unknown;
    let mut refused = Vec::new();
    let mut proven = Vec::with_capacity(manifest.entries.len());
    // Every honest writer gives them in ascending order, and then none can come twice.
    let ascending = manifest.entries.is_sorted_by(|a, b| a.id < b.id);
    let mut seen: Option<BTreeSet<EntryId>> = (!ascending).then(BTreeSet::new);
    for record in manifest.entries {
        match prove(&record, seen.as_ref(), source) {
            Ok(fd) => {
                if let Some(seen) = &mut seen {
                    seen.insert(record.id);
                }
                proven.push(Entry::inherited(record, fd));
            }
            Err(reason) => refused.push((record, reason)),
        }
    }
    store.fill(proven);
    let mut quarantined = Vec::new();
    for (record, reason) in refused {
        quarantined.push(Quarantined {
            fd: leftover(source, record.fd),
            owner: Some(record.who.owner.as_ref().to_owned()),
            name: Some(record.who.name.clone()),
            identity: Some(record.identity),
            reason,
        });
    }
    for bad in malformed {
        quarantined.push(Quarantined {
            fd: bad.fd.and_then(|fd| leftover(source, fd)),
            owner: bad.owner,
            name: bad.name,
            identity: None,
            reason: bad.reason,
        });
    }
    let mut warnings = Vec::new();
    if manifest.next_id <= EntryId::MAX {
        store.raise_next_id(manifest.next_id);
    } else {
        warnings.push(format!(
            "the manifest says that {} ids are used up; counting goes on after the last one that is in use",
            manifest.next_id
        ));
    }
    Inherited {
        store,
        quarantined,
        unclaimed: Vec::new(),
        warnings,
    }
}

/// The descriptor of an entry that is what it claims to be.
fn prove(
    record: &Record,
    seen: Option<&BTreeSet<EntryId>>,
    source: &mut impl Source,
) -> Result<OwnedFd, String> {
    if record.id.0 > EntryId::MAX {
        return Err(format!("its id {} is out of range", record.id.0));
    }
    if seen.is_some_and(|seen| seen.contains(&record.id)) {
        return Err(format!(
            "the manifest has two entries with the id {}",
            record.id.0
        ));
    }
    let mut reason = None;
    let mut proof = |fd: BorrowedFd<'_>| match record.identity.verify(fd) {
        Ok(()) => true,
        Err(difference) => {
            reason = Some(difference);
            false
        }
    };
    let claimed = source.claim(record.fd, &mut proof);
    claimed.ok_or_else(|| {
        reason.unwrap_or_else(|| format!("descriptor {} is not open or was claimed before", record.fd))
    })
}

/// Whatever is there under a number that nobody could claim.
fn leftover(source: &mut impl Source, number: i32) -> Option<OwnedFd> {
    source.claim(number, &mut |fd| rustix::io::fcntl_getfd(fd).is_ok())
}

#[cfg(test)]
mod tests;
