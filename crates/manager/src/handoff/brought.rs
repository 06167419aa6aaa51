//! The definitions that come over, read while the rest of the state is.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::thread::JoinHandle;

use fdstore::FdStore;
use softboot_engine::{Action, Engine, Now, Resume, SavedEngine, Table};
use softboot_unit::{Definition, UnitName, closure_of};

use super::commit::{DEFINITIONS, DEFINITIONS_FD};
use super::definitions::{self, decode_table};
use super::resume::own_entry;

/// What units there are.
pub(crate) enum Definitions {
    /// After a re-exec: those that were written beside the snapshot, and what was read since.
    Same { table: Table, newer: Vec<Definition> },
    /// All of the next userspace's.
    Next(Vec<Definition>),
}

impl Definitions {
    /// The engine of before, with them.
    pub(crate) fn restore(self, saved: SavedEngine, now: Now) -> (Engine, Vec<Action>) {
        match self {
            Definitions::Same { table, newer } => Engine::restore_beside(saved, table, newer, now),
            Definitions::Next(all) => Engine::restore(saved, all, now, Resume::SoftReboot),
        }
    }

    /// Those of the next userspace.
    pub(crate) fn next(&self) -> &[Definition] {
        match self {
            Definitions::Same { .. } => &[],
            Definitions::Next(all) => all,
        }
    }
}

/// Reads the definitions, and makes a table of those of a re-exec, on a thread of its own while the descriptors and the
/// snapshot are looked at: each takes a few milliseconds, and nobody is answered meanwhile.
pub(super) struct DefinitionsReader(Option<JoinHandle<Result<Brought, String>>>);

enum Brought {
    Table(Table),
    Plan(definitions::Read),
}

impl From<definitions::Read> for Brought {
    fn from(read: definitions::Read) -> Brought {
        if read.planned {
            Brought::Plan(read)
        } else {
            Brought::Table(read.into_table())
        }
    }
}

impl DefinitionsReader {
    /// The program before says which descriptor they are, as it says which is the manifest.
    pub(super) fn start(inherited: &BTreeMap<i32, OwnedFd>) -> DefinitionsReader {
        let number = std::env::var(DEFINITIONS_FD)
            .ok()
            .and_then(|text| text.parse::<i32>().ok());
        let fd = number.and_then(|number| inherited.get(&number)?.try_clone().ok());
        // Only the child that verifies the handoff can still say no.
        let read = match std::env::var_os("SOFTBOOT_ANSWER_FD") {
            Some(_) => definitions::read_wholly,
            None => definitions::read,
        };
        let thread = fd.and_then(|fd| {
            let thread = std::thread::Builder::new().name("definitions".to_owned());
            thread.spawn(move || read(fd).map(Brought::from)).ok()
        });
        DefinitionsReader(thread)
    }

    pub(super) fn table(self, store: &FdStore) -> Result<Table, String> {
        if let Some(thread) = self.0
            && let Ok(Ok(Brought::Table(table))) = thread.join()
        {
            return Ok(table);
        }
        // Nobody said which they are, or something is wrong with them: then this says what.
        let entry = own_entry(store, DEFINITIONS)?;
        decode_table(store.fd(entry).ok_or("the definitions are gone")?)
    }

    /// Those that these units lead to, if the verifying child has read all of them and they are still right.
    pub(super) fn planned(self, names: &[UnitName]) -> Option<Vec<Definition>> {
        let Ok(Brought::Plan(read)) = self.0?.join().ok()? else {
            return None;
        };
        if !read.current {
            return None;
        }
        let (definitions, missing) = closure_of(names, read.definitions);
        missing.is_empty().then_some(definitions)
    }
}
