//! Snapshots of a manager.

use std::os::fd::AsFd as _;

use fdstore::ManifestError;
use fdstore::memfd::sealed_memfd;
use softboot_reexec::snapshot::SnapshotError;
use softboot_reexec::{inspect, snapshot};

use crate::leak;

/// Any bytes in a sealed memfd are a snapshot or an error.
pub fn run(data: &[u8]) {
    leak::none(|| {
        let fd = sealed_memfd("snapshot", data).unwrap();
        let read = snapshot::read(fd.as_fd());
        // People may look at any bytes, and nothing that is refused is shown as whole.
        let found = inspect::look(data);
        let whole = found.is_ok_and(|found| found.kind == inspect::Kind::Snapshot && found.is_whole());
        let refused = match &read {
            // Its JSON may be another one.
            Ok(_) | Err(SnapshotError::Read(ManifestError::Json(_))) => false,
            Err(_) => true,
        };
        assert!(!(whole && refused), "{read:?}");
    });
}
