//! Snapshots of a manager.

use std::os::fd::AsFd as _;

use fdstore::memfd::sealed_memfd;
use softboot_reexec::snapshot;

use crate::leak;

/// Any bytes in a sealed memfd are a snapshot or an error.
pub fn run(data: &[u8]) {
    leak::none(|| {
        let fd = sealed_memfd("snapshot", data).unwrap();
        let _ = snapshot::read(fd.as_fd());
    });
}
