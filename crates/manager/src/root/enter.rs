//! The change itself (semantics 7.6), for whoever calls it: the rehearsal in a mount table of its own, or the one that
//! counts.

use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxAttributes, StatxFlags, mkdirat, statx};
use rustix::io::Errno;
use rustix::mount::{
    MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount_change, move_mount, open_tree,
    unmount,
};
use rustix::process::{chroot, fchdir, pivot_root};
use serde::{Deserialize, Serialize};

use super::inside::open_in;
use super::{PLACE, TRANSFERRED, Transfer};

/// How it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Way {
    /// pivot_root(2): every process that had the old root has the new one now.
    Pivoted,
    /// The old root is the initial RAM file system, which cannot be replaced: the new one lies on top of it, and each
    /// process that wants it has to chroot(2). Survivors keep the old one.
    Covered,
}

/// Makes `tree`, a mount that is attached nowhere, the root. On failure everything is as it was.
pub(super) fn enter(tree: BorrowedFd<'_>, carry: &[PathBuf]) -> Result<Way, String> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .map_err(|error| format!("mounts cannot be made private: {error}"))?;
    make_directory(PLACE)?;
    attach(tree, PLACE)?;
    let way = furnish(tree, carry).and_then(|()| replace(tree));
    match &way {
        Ok(_) => {
            // Empty, and in the way of nobody; on a failure it is needed once more.
            let _ = rustix::fs::rmdir(PLACE);
        }
        Err(_) => {
            let _ = unmount(PLACE, UnmountFlags::DETACH);
        }
    }
    way
}

/// Makes a directory; one that is there is as good.
pub(super) fn make_directory(path: &str) -> Result<(), String> {
    std::fs::create_dir_all(path).map_err(|error| format!("{path} cannot be made: {error}"))
}

/// Attaches a mount that is attached nowhere.
pub(super) fn attach(tree: BorrowedFd<'_>, path: &str) -> Result<(), String> {
    move_mount(tree, "", CWD, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .map_err(|error| format!("the next root cannot be mounted on {path}: {error}"))
}

/// A copy of the mount at `path`, attached nowhere; with the mounts below it if `below`.
pub(super) fn copy(path: &Path, below: bool) -> Result<std::os::fd::OwnedFd, Errno> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if below {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    open_tree(CWD, path, flags)
}

/// The kernel's file systems and /run, and what is in use below /run.
fn furnish(tree: BorrowedFd<'_>, carry: &[PathBuf]) -> Result<(), String> {
    for Transfer { name, .. } in TRANSFERRED {
        // Best effort: what is missing then is said below.
        let _ = mkdirat(tree, *name, Mode::from_raw_mode(0o755));
    }
    let _ = mkdirat(tree, "tmp", Mode::from_raw_mode(0o1777));
    for Transfer { name, below, always } in TRANSFERRED {
        let path = Path::new("/").join(name);
        if !always && is_mount_point(tree, Path::new(name)) {
            continue;
        }
        place(tree, &path, *below)?;
    }
    for path in carry {
        place(tree, path, false)?;
    }
    Ok(())
}

fn place(tree: BorrowedFd<'_>, path: &Path, below: bool) -> Result<(), String> {
    let failed = |error: Errno| format!("{} cannot be carried into the next root: {error}", path.display());
    let from = copy(path, below).map_err(failed)?;
    let to = open_in(tree, path, OFlags::PATH).map_err(|error| match error {
        Errno::NOENT => format!(
            "the next root has no {}, and it cannot be made there",
            path.display()
        ),
        error => failed(error),
    })?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(from, "", to, "", flags).map_err(failed)
}

fn is_mount_point(tree: BorrowedFd<'_>, path: &Path) -> bool {
    let Ok(found) = open_in(tree, path, OFlags::PATH) else {
        return false;
    };
    statx(found.as_fd(), "", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS)
        .is_ok_and(|stat| stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

fn replace(tree: BorrowedFd<'_>) -> Result<Way, String> {
    fchdir(tree).map_err(|error| format!("the next root cannot be entered: {error}"))?;
    // Both names the same: the old root ends up on top of the new one and is unmounted there (pivot_root(2)).
    let way = match pivot_root(".", ".") {
        Ok(()) => {
            unmount(".", UnmountFlags::DETACH)
                .map_err(|error| format!("the old root stays mounted over the next one: {error}"))?;
            Way::Pivoted
        }
        Err(Errno::INVAL) => {
            move_mount(tree, "", CWD, "/", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
                .map_err(|error| format!("the next root cannot be moved to /: {error}"))?;
            chroot(".").map_err(|error| format!("the next root cannot be entered: {error}"))?;
            Way::Covered
        }
        Err(error) => return Err(format!("the root cannot be replaced here: {error}")),
    };
    rustix::process::chdir("/").map_err(|error| format!("the next root cannot be entered: {error}"))?;
    Ok(way)
}
