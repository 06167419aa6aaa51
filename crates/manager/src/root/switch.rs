//! The helper that changes the root when everything has stopped.
//!
//! It is a child in PID 1's own mount table, because looking at a disk may take its time and PID 1 waits for nobody.
//! pivot_root(2) gives the new root to PID 1 and to every survivor at once. Afterwards the helper writes out what the
//! old file systems still have in memory, and holds them until the next softbootd lets it go: the last one to leave a
//! file system does the work of its unmounting, and that should not be PID 1 either.

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rustix::fs::{FileType, Mode, OFlags, lstat, open};
use rustix::mount::{UnmountFlags, unmount};

use super::enter::{self, Way};
use super::{NEXT_ROOT_FD, NEXTROOT, Order, Outcome, TRANSFERRED, carry, talk};
use crate::mount_table;

/// Changes the root, says how it went, and holds the old one.
pub(crate) fn switch_main() -> ExitCode {
    let number = std::env::var(NEXT_ROOT_FD)
        .ok()
        .and_then(|text| text.parse().ok());
    let talk = number.and_then(|number: i32| softboot_sys::inherited::take([number]).ok()?.remove(&number));
    let Some(talk) = talk else {
        return ExitCode::FAILURE;
    };
    let switched = order(&talk).and_then(|(order, tree)| switch(&order, &tree));
    let (outcome, old) = match switched {
        Ok(old) => (Outcome::Done(old.way), Some(old)),
        Err(reason) => (Outcome::Failed(reason), None),
    };
    if talk::send(&talk, &outcome, &[]).is_err() {
        return ExitCode::FAILURE;
    }
    if let Some(old) = old {
        old.leave();
        // The next softbootd closes its end when it is in charge.
        talk::wait(&talk);
    }
    ExitCode::SUCCESS
}

fn order(talk: &OwnedFd) -> Result<(Order, OwnedFd), String> {
    let message = talk::receive::<Order>(talk)?.ok_or("there is no order")?;
    let tree = message
        .fds
        .into_iter()
        .next()
        .ok_or("there is no root in the order")?;
    Ok((message.body, tree))
}

/// What is left of the old root.
struct Old {
    way: Way,
    /// A copy of all its mounts: no file system is unmounted while this is open.
    _mounts: OwnedFd,
    root: OwnedFd,
    points: Vec<PathBuf>,
}

fn switch(order: &Order, tree: &OwnedFd) -> Result<Old, String> {
    let carried = carry::points(&order.wanted);
    let points = mount_table::read().into_iter().map(|mount| mount.point).collect();
    let mounts =
        enter::copy(Path::new("/"), true).map_err(|error| format!("holding the old root: {error}"))?;
    let root = open(
        "/",
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(|error| format!("holding the old root: {error}"))?;
    let way = enter::enter(tree.as_fd(), &carried)?;
    if order.path == Path::new(NEXTROOT) {
        forget_order();
    }
    Ok(Old {
        way,
        _mounts: mounts,
        root,
        points,
    })
}

/// A link or an image has been followed once; in the next root it would mean something else, or the same image twice.
fn forget_order() {
    let kind = lstat(NEXTROOT).map(|stat| FileType::from_raw_mode(stat.st_mode));
    if matches!(kind, Ok(FileType::Symlink | FileType::RegularFile)) {
        let _ = rustix::fs::unlink(NEXTROOT);
    }
}

impl Old {
    /// Writes it out and, where it is still there below the new one, unmounts what nobody uses.
    fn leave(&self) {
        rustix::fs::sync();
        if self.way == Way::Pivoted {
            return;
        }
        for point in self.points.iter().rev() {
            let api = TRANSFERRED.iter().any(|api| {
                *point == Path::new("/").join(api.name)
                    || (api.below && point.starts_with(Path::new("/").join(api.name)))
            });
            if api || point == Path::new("/") {
                // Survivors that have the old root need them.
                continue;
            }
            let inside = point.strip_prefix("/").unwrap_or(point);
            let place = Path::new("/proc/self/fd")
                .join(self.root.as_raw_fd().to_string())
                .join(inside);
            // Who is in use stays.
            let _ = unmount(&place, UnmountFlags::NOFOLLOW);
        }
    }
}
