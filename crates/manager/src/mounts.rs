//! The kernel's mount table and the mount units that have a file.
//!
//! What is mounted without a unit file has no unit; the end of the machine unmounts it all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use rustix::fs::Mode;
use softboot_engine::{Event, UnitId};
use softboot_unit::KindSection;
use tracing::warn;

use crate::mount_table::{self, TABLE};
use crate::run::Manager;

/// The mount table, watched.
pub(crate) struct Mounts {
    table: Option<File>,
    /// Units were loaded, or the table changed: it is time to look.
    pub(crate) look: bool,
    known: BTreeMap<UnitId, bool>,
}

impl Mounts {
    pub(crate) fn open() -> Mounts {
        let table = File::open(TABLE).map_err(|error| warn!("{TABLE}: {error}"));
        Mounts {
            table: table.ok(),
            look: true,
            known: BTreeMap::new(),
        }
    }

    /// Everything is news again.
    pub(crate) fn look_anew(&mut self) {
        self.look = true;
        self.known.clear();
    }

    /// Has an exceptional condition after each change (proc_pid_mounts(5)).
    pub(crate) fn events(&self) -> Option<BorrowedFd<'_>> {
        self.table.as_ref().map(AsFd::as_fd)
    }
}

impl Manager {
    /// Looks at every mount unit, if something may have changed.
    pub(crate) fn look_at_mounts(&mut self) {
        if !std::mem::take(&mut self.mounts.look) {
            return;
        }
        let units: Vec<(UnitId, String)> = self
            .engine
            .ids()
            .filter_map(|unit| match &self.engine.definition(unit)?.kind {
                KindSection::Mount(mount) => Some((unit, mount.where_.clone())),
                _ => None,
            })
            .collect();
        if units.is_empty() {
            return;
        }
        let points: BTreeSet<_> = mount_table::read().into_iter().map(|mount| mount.point).collect();
        for (unit, path) in units {
            let mounted = points.contains(Path::new(&path));
            // The first time all is news: much may have happened before this program.
            if self.mounts.known.insert(unit, mounted) != Some(mounted) {
                self.feed(Event::MountSeen { unit, mounted });
            }
        }
    }

    /// The mount point of a unit that is about to be mounted.
    pub(crate) fn make_mount_point(&self, unit: UnitId) -> Result<(), String> {
        let Some(KindSection::Mount(mount)) = self.engine.definition(unit).map(|definition| &definition.kind)
        else {
            return Ok(());
        };
        // One path after the other, with the mode that the unit says; what is there stays as it is.
        let mut path = String::new();
        for part in mount.where_.split('/').filter(|part| !part.is_empty()) {
            path.push('/');
            path.push_str(part);
            match rustix::fs::mkdir(&path, Mode::from_raw_mode(mount.directory_mode)) {
                Ok(()) | Err(rustix::io::Errno::EXIST) => {}
                Err(error) => return Err(format!("mount point {path}: {error}")),
            }
        }
        Ok(())
    }
}
