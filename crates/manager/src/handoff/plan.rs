//! The next userspace's unit definitions: read by the verifying child, in the next root, before anything stops.
//!
//! The manager offers the child an empty memory file among its descriptors. The child writes into it what it has loaded,
//! and after that what this was made from, and seals it. The next program takes it instead of the disk, if a program of its
//! own version wrote it and nothing has changed since; looking costs one stat(2) a file, on a thread of its own.

use std::os::fd::{AsFd, OwnedFd};

use fdstore::{EntryId, FdName, FdStore, memfd};
use softboot_unit::Definition;
use tracing::debug;

use super::commit::DEFINITIONS;
use crate::load::Sources;
use crate::owner;
use crate::run::Manager;

/// The store's name of what is offered.
const OFFERED: &str = "next-definitions";

/// In the child: writes what it has loaded, if somebody wants to know.
pub(super) fn write(store: &FdStore, definitions: &[Definition], sources: Sources) {
    let name = FdName::new(OFFERED).ok();
    let Some(fd) = name.and_then(|name| store.fd(store.find(owner::MANAGER, &name)?)) else {
        return;
    };
    // Without it the next program reads the disk.
    if let Ok(text) = super::definitions::encode(definitions, Some(sources), None) {
        let _ = memfd::fill_and_seal(fd, &text);
    }
}

impl Manager {
    /// Before the child is started.
    pub(super) fn offer_plan(&mut self) {
        self.drop_plan();
        let kept = memfd::empty("softboot-definitions")
            .map_err(|error| error.to_string())
            .and_then(|fd: OwnedFd| self.keep(owner::MANAGER, OFFERED, fd));
        if let Err(reason) = kept {
            debug!("the next userspace's units will be read after the exec: {reason}");
        }
    }

    /// The handoff came to nothing.
    pub(super) fn drop_plan(&mut self) {
        if let Some(entry) = self.manager_entry(OFFERED) {
            self.drop_entry(None, entry);
        }
    }

    /// At the commit: what the child wrote are the next program's definitions.
    pub(super) fn use_plan(&mut self) {
        // What is written here is not what the next userspace will have read.
        let planned = self.offered_plan();
        self.all_definitions_changed();
        if let Some(fd) = planned {
            // Without it the next program reads the disk.
            let _ = self.keep(owner::MANAGER, DEFINITIONS, fd);
        }
    }

    /// What the child wrote.
    pub(super) fn offered_plan(&self) -> Option<OwnedFd> {
        self.duplicate(self.manager_entry(OFFERED)?)
    }

    fn duplicate(&self, entry: EntryId) -> Option<OwnedFd> {
        self.store.fd(entry)?.as_fd().try_clone_to_owned().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_child_writes_is_what_the_next_program_reads() {
        let (definitions, sources) = crate::load::closure_with_sources(&[]);
        let mut store = FdStore::new();
        let offered = memfd::empty("test").unwrap();
        let name = FdName::new(OFFERED).unwrap();
        // Nobody wants to know.
        write(&store, &definitions, Sources::default());
        let options = fdstore::InsertOptions::default();
        let entry = store
            .insert(owner::MANAGER, &name, offered, options)
            .unwrap()
            .id();
        write(&store, &definitions, sources);
        let read = super::super::definitions::read(store.fd(entry).unwrap()).unwrap();
        assert_eq!(read.definitions, definitions);
        assert!(read.current);
    }
}
