//! Another root, and a mount table of the process' own where something has to appear in it.
//!
//! What appears is cloned from the old root first and put in its place when the root has changed, so that whatever links
//! there are in the new root lead to places in it.

use std::ffi::{CStr, CString, c_int};
use std::ptr::null;

use super::Prepared;
use crate::spawn::plan::{Appearance, Need};
use crate::spawn::status::Step;

/// linux/mount.h; not every libc has these.
const OPEN_TREE_CLONE: u32 = 1;
const MOVE_MOUNT_FROM_AND_TO_DESCRIPTORS: u32 = 0x4 | 0x40;
const ATTR_READ_ONLY: u64 = 0x1;
const ATTR_NO_SUID_NO_DEV_NO_EXEC: u64 = 0x2 | 0x4 | 0x8;
const RECURSIVE: c_int = 0x8000;

/// struct mount_attr of mount_setattr(2).
#[repr(C)]
struct Attributes {
    set: u64,
    clear: u64,
    propagation: u64,
    userns: u64,
}

/// Changes the root, with what appears in it. Without either nothing happens.
///
/// # Safety
/// As for [`super::run`].
pub(super) unsafe fn enter(prepared: &mut Prepared<'_>) -> Result<(), Step> {
    let plan = prepared.plan;
    // SAFETY: system calls on numbers and on paths that are terminated.
    unsafe {
        if plan.appearances.is_empty() {
            return match &plan.root {
                Some(root) if libc::chroot(root.as_ptr()) != 0 => Err(Step::Root),
                Some(_) if libc::chdir(c"/".as_ptr()) != 0 => Err(Step::Root),
                _ => Ok(()),
            };
        }
        if libc::unshare(libc::CLONE_NEWNS) != 0 {
            return Err(Step::Namespace);
        }
        // Mounts of the system still come through, those made here do not go out.
        let flags = libc::MS_REC | libc::MS_SLAVE;
        if libc::mount(null(), c"/".as_ptr(), null(), flags, null()) != 0 {
            return Err(Step::Namespace);
        }
        for appearance in &plan.appearances {
            let tree = clone(appearance);
            if tree < 0 && !(appearance.need != Need::Must && *libc::__errno_location() == libc::ENOENT) {
                return Err(appearance.step);
            }
            // There is room for each since before the clone.
            if prepared.trees.len() < prepared.trees.capacity() {
                prepared.trees.push(tree);
            }
        }
        if let Some(root) = &plan.root
            && !change_root(root)
        {
            return Err(Step::Root);
        }
        for (appearance, tree) in plan.appearances.iter().zip(&prepared.trees) {
            if *tree >= 0 && !attach(appearance, *tree) && appearance.need != Need::IfPossible {
                return Err(appearance.step);
            }
        }
    }
    Ok(())
}

/// A copy of the mount of what appears, which is nowhere yet; negative when it failed.
///
/// # Safety
/// As for [`super::run`].
unsafe fn clone(appearance: &Appearance) -> c_int {
    // SAFETY: valid paths and a structure of the given size; the descriptors are closed again.
    unsafe {
        let mut place = libc::open(appearance.base.as_ptr(), libc::O_PATH | libc::O_CLOEXEC);
        let mut follow = 0;
        // As where directories are made: the administrator's link is followed, what may be a service's is not.
        for part in &appearance.parts {
            if place < 0 {
                return -1;
            }
            let next = libc::openat(place, part.as_ptr(), libc::O_PATH | libc::O_CLOEXEC | follow);
            close(place);
            place = next;
            follow = libc::O_NOFOLLOW;
        }
        let mut about: libc::stat = std::mem::zeroed();
        if place < 0 || libc::fstat(place, &raw mut about) != 0 {
            return -1;
        }
        // What is not followed is opened itself.
        if about.st_mode & libc::S_IFMT == libc::S_IFLNK {
            *libc::__errno_location() = libc::ELOOP;
            return -1;
        }
        let flags = OPEN_TREE_CLONE | (libc::O_CLOEXEC | libc::AT_EMPTY_PATH | RECURSIVE).cast_unsigned();
        let tree = libc::syscall(libc::SYS_open_tree, place, c"".as_ptr(), flags);
        close(place);
        let Some(tree) = c_int::try_from(tree).ok().filter(|tree| *tree >= 0) else {
            return -1;
        };
        let mut set = 0;
        if appearance.read_only {
            set |= ATTR_READ_ONLY;
        }
        if appearance.data_only {
            set |= ATTR_NO_SUID_NO_DEV_NO_EXEC;
        }
        let attributes = Attributes {
            set,
            clear: 0,
            propagation: 0,
            userns: 0,
        };
        let changed = set == 0
            || libc::syscall(
                libc::SYS_mount_setattr,
                tree,
                c"".as_ptr(),
                libc::AT_EMPTY_PATH | RECURSIVE,
                &raw const attributes,
                size_of::<Attributes>(),
            ) == 0;
        if !changed {
            close(tree);
            return -1;
        }
        tree
    }
}

/// The old root goes out of sight with everything that is mounted in it.
///
/// # Safety
/// As for [`super::run`].
unsafe fn change_root(root: &CStr) -> bool {
    let here = c".".as_ptr();
    // SAFETY: valid paths.
    unsafe {
        let flags = libc::MS_BIND | libc::MS_REC;
        if libc::mount(root.as_ptr(), root.as_ptr(), null(), flags, null()) != 0
            || libc::chdir(root.as_ptr()) != 0
        {
            return false;
        }
        let changed = if libc::syscall(libc::SYS_pivot_root, here, here) == 0 {
            // pivot_root(2): the old root lies over the new one.
            libc::umount2(here, libc::MNT_DETACH) == 0
        } else {
            // The first root file system of a machine can only be covered, as what is no mount point itself.
            *libc::__errno_location() == libc::EINVAL
                && libc::mount(here, c"/".as_ptr(), null(), libc::MS_MOVE, null()) == 0
                && libc::chroot(here) == 0
        };
        changed && libc::chdir(c"/".as_ptr()) == 0
    }
}

/// Puts the copy in its place, which is made if it is not there.
///
/// # Safety
/// As for [`super::run`].
unsafe fn attach(appearance: &Appearance, tree: c_int) -> bool {
    // SAFETY: valid paths, and buffers that live as long as the calls; the descriptors are closed again.
    unsafe {
        let mut about: libc::stat = std::mem::zeroed();
        if libc::fstat(tree, &raw mut about) != 0 {
            return false;
        }
        let is_directory = about.st_mode & libc::S_IFMT == libc::S_IFDIR;
        let place = place_for(&appearance.target, is_directory);
        if place < 0 {
            return false;
        }
        let empty = c"".as_ptr();
        let flags = MOVE_MOUNT_FROM_AND_TO_DESCRIPTORS;
        let moved = libc::syscall(libc::SYS_move_mount, tree, empty, place, empty, flags) == 0;
        close(place);
        close(tree);
        moved
    }
}

/// # Safety
/// As for [`super::run`].
unsafe fn place_for(target: &[CString], is_directory: bool) -> c_int {
    // SAFETY: valid paths; the descriptors are closed again.
    unsafe {
        let mut place = libc::open(c"/".as_ptr(), libc::O_PATH | libc::O_CLOEXEC);
        let mut names = target.iter().peekable();
        while let (Some(name), true) = (names.next(), place >= 0) {
            let made = if names.peek().is_some() || is_directory {
                libc::mkdirat(place, name.as_ptr(), 0o755)
            } else {
                libc::mknodat(place, name.as_ptr(), libc::S_IFREG | 0o444, 0)
            };
            let next = if made == 0 || *libc::__errno_location() == libc::EEXIST {
                libc::openat(place, name.as_ptr(), libc::O_PATH | libc::O_CLOEXEC)
            } else {
                -1
            };
            close(place);
            place = next;
        }
        place
    }
}

/// Closes it, and leaves errno as it is.
///
/// # Safety
/// As for [`super::run`]; nothing uses the descriptor any more.
unsafe fn close(fd: c_int) {
    // SAFETY: errno is this thread's own.
    unsafe {
        let errno = *libc::__errno_location();
        libc::close(fd);
        *libc::__errno_location() = errno;
    }
}
