//! The next userspace's unit definitions: read by the verifying child, in the next root, before anything stops.
//!
//! The manager offers the child an empty memory file among its descriptors. The child writes into it what it has loaded,
//! and after that what this was made from, and seals it. The next program takes it instead of the disk, if a program of its
//! own version wrote it and nothing has changed since; looking costs one stat(2) a file, on a thread.

use std::os::fd::{AsFd, OwnedFd};

use fdstore::{EntryId, FdName, FdStore, memfd};
use serde::{Deserialize, Serialize};
use softboot_unit::Definition;
use tracing::debug;

use super::commit::{DEFINITIONS, WRITER};
use crate::load::Sources;
use crate::owner;
use crate::run::Manager;

/// The store's name of what is offered.
const OFFERED: &str = "next-definitions";

/// What follows the definitions in the file.
#[derive(Serialize, Deserialize)]
pub(super) struct Made {
    /// Who wrote it.
    writer: String,
    /// From what.
    sources: Sources,
}

impl Made {
    /// This program would read the same.
    pub(super) fn is_current(&self) -> bool {
        self.writer == WRITER && self.sources.are_unchanged()
    }
}

/// In the child: writes what it has loaded, if somebody wants to know.
pub(super) fn write(store: &FdStore, definitions: &[Definition], sources: Sources) {
    let name = FdName::new(OFFERED).ok();
    let Some(fd) = name.and_then(|name| store.fd(store.find(owner::MANAGER, &name)?)) else {
        return;
    };
    let made = Made {
        writer: WRITER.to_owned(),
        sources,
    };
    let text = serde_json::to_vec(definitions).and_then(|mut text| {
        serde_json::to_writer(&mut text, &made)?;
        Ok(text)
    });
    // Without it the next program reads the disk.
    if let Ok(text) = text {
        let _ = memfd::fill_and_seal(fd, &text);
    }
}

/// Whether the definitions in `fd` are followed by what they were made from.
pub(super) fn decode(bytes: &[u8]) -> Result<(Vec<Definition>, Option<Made>), String> {
    let failed = |error: serde_json::Error| format!("unit definitions: {error}");
    let mut values = serde_json::Deserializer::from_slice(bytes);
    let definitions = Vec::<Definition>::deserialize(&mut values).map_err(failed)?;
    let made = Made::deserialize(&mut values).ok();
    Ok((definitions, made))
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
        let planned = self
            .manager_entry(OFFERED)
            .and_then(|entry| self.duplicate(entry));
        self.all_definitions_changed();
        if let Some(fd) = planned {
            // Without it the next program reads the disk.
            let _ = self.keep(owner::MANAGER, DEFINITIONS, fd);
        }
    }

    fn duplicate(&self, entry: EntryId) -> Option<OwnedFd> {
        self.store.fd(entry)?.as_fd().try_clone_to_owned().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_read_with_and_without_what_they_were_made_from() {
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
        let text = memfd::read_sealed(store.fd(entry).unwrap(), 1 << 20).unwrap();
        let (read, made) = decode(&text).unwrap();
        assert_eq!(read, definitions);
        assert!(made.unwrap().is_current());
        let (_, made) = decode(b"[]").unwrap();
        assert!(made.is_none());
        let other = br#"[]{"writer":"99.0.0","sources":{"path":[],"specifiers":"","files":{}}}"#;
        assert!(!decode(other).unwrap().1.unwrap().is_current());
        assert!(decode(b"{}").is_err());
    }
}
