//! The journal of a program that has crashed, until there is another one.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

use softboot_sys::crash;

use super::tries::Tries;
use super::write::{VARIABLE, arm_own};

/// The journal of the program before, to be read again if this one crashes before it has its own.
pub(crate) struct Again {
    log: OwnedFd,
    number: i32,
    /// Descriptors of its that the next try finds by their numbers.
    kept: BTreeMap<i32, OwnedFd>,
    /// Why the program before ended.
    pub(crate) why: String,
    pub(crate) tries: Tries,
    /// Without it another crash stops PID 1.
    program: Option<OwnedFd>,
}

impl Again {
    /// From now on a crash leads to another try. `None` when this program does not come after a crash.
    pub(crate) fn arm(inherited: &mut BTreeMap<i32, OwnedFd>) -> Option<Again> {
        let number = std::env::var(VARIABLE).ok()?.parse().ok()?;
        let why = std::env::var(crash::VARIABLE).unwrap_or_default();
        let tries = Tries::after_crash(&why);
        inherited
            .values()
            .for_each(|fd| crash::note_descriptor(fd.as_fd()));
        let log = inherited.remove(&number)?;
        let program = arm_own(number, &tries).ok();
        Some(Again {
            log,
            number,
            kept: BTreeMap::new(),
            why,
            tries,
            program,
        })
    }

    /// The journal.
    pub(super) fn log(&self) -> BorrowedFd<'_> {
        self.log.as_fd()
    }

    /// What the journal says has been done again: a crash from here on is nothing against it.
    pub(super) fn replayed(&mut self) -> io::Result<()> {
        self.tries.replayed();
        self.program = Some(arm_own(self.number, &self.tries)?);
        Ok(())
    }

    /// Keeps what is open under these numbers.
    pub(super) fn keep(
        &mut self,
        inherited: &mut BTreeMap<i32, OwnedFd>,
        numbers: impl IntoIterator<Item = i32>,
    ) {
        for number in numbers {
            if let Some(fd) = inherited.remove(&number) {
                self.kept.insert(number, fd);
            }
        }
    }

    /// Keeps the manifest, puts a duplicate among what is inherited, and gives its number.
    pub(super) fn keep_manifest(
        &mut self,
        inherited: &mut BTreeMap<i32, OwnedFd>,
        number: i32,
    ) -> Result<i32, String> {
        self.keep(inherited, [number]);
        let copy = self.kept(number)?;
        let at = copy.as_raw_fd();
        inherited.insert(at, copy);
        Ok(at)
    }

    /// A duplicate of what is kept under this number.
    pub(super) fn kept(&self, number: i32) -> Result<OwnedFd, String> {
        let fd = self
            .kept
            .get(&number)
            .ok_or_else(|| format!("descriptor {number} is not open"))?;
        fd.try_clone().map_err(|error| error.to_string())
    }

    /// The crashes, and what has to stay open until there is another journal.
    pub(super) fn into_parts(self) -> (Tries, Vec<OwnedFd>) {
        let held = self.kept.into_values().chain([self.log]).chain(self.program);
        (self.tries, held.collect())
    }

    /// Bytes of what the journal is about.
    pub(super) fn base_bytes(&self) -> io::Result<u64> {
        self.kept.values().map(super::write::size).sum()
    }
}
