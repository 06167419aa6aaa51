//! A directory and all that is in it, whoever made it and however deep it is.
//!
//! Only names in directories that are open are removed, so nobody can turn the way elsewhere meanwhile. What lies deeper
//! than [`DEEPEST`] is moved up first: neither the stack nor the descriptors of the process run out.

use std::ffi::{CStr, CString};
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, RenameFlags, fstat, openat, renameat_with, unlinkat};
use rustix::io::Errno;

/// Directories inside each other that are open at the same time.
const DEEPEST: u32 = 64;

/// What could not be removed, and why.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) name: String,
    pub(super) errno: Errno,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.name.as_str(), self.errno) {
            ("", errno) => write!(f, "{errno}"),
            (name, Errno::XDEV) => write!(f, "{name:?} is a mount point"),
            (name, errno) => write!(f, "{name:?}: {errno}"),
        }
    }
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Failure {
        Failure {
            name: String::new(),
            errno,
        }
    }
}

/// Removes a name, and if it is a directory what is in it. Nothing that is mounted there is touched.
pub(super) fn remove(parent: impl AsFd, name: &str) -> Result<(), Failure> {
    let parent = parent.as_fd();
    let name = CString::new(name).map_err(|_| Errno::INVAL)?;
    let Some(directory) = unlink(parent, &name)? else {
        return Ok(());
    };
    let mut top = Top {
        directory: directory.as_fd(),
        moved: 0,
    };
    // What was moved up is met in the next turn.
    loop {
        let moved = top.moved;
        empty(directory.as_fd(), &mut top, 0)?;
        if top.moved == moved {
            break;
        }
    }
    unlinkat(parent, name.as_c_str(), AtFlags::REMOVEDIR).map_err(|errno| failure(&name, errno))
}

struct Top<'a> {
    directory: BorrowedFd<'a>,
    moved: u64,
}

/// Empties a directory as far as it can; the first failure is the result.
fn empty(directory: BorrowedFd<'_>, top: &mut Top<'_>, depth: u32) -> Result<(), Failure> {
    let mut first = Ok(());
    for name in names(directory)? {
        let gone = empty_one(directory, &name, top, depth);
        first = first.and(gone);
    }
    first
}

fn empty_one(directory: BorrowedFd<'_>, name: &CStr, top: &mut Top<'_>, depth: u32) -> Result<(), Failure> {
    let Some(inner) = unlink(directory, name)? else {
        return Ok(());
    };
    if depth >= DEEPEST {
        return move_up(directory, name, top);
    }
    empty(inner.as_fd(), top, depth + 1)?;
    drop(inner);
    match unlinkat(directory, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(failure(name, errno)),
    }
}

/// Removes what is no directory; a directory is opened.
fn unlink(parent: BorrowedFd<'_>, name: &CStr) -> Result<Option<OwnedFd>, Failure> {
    let refused = match unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(None),
        Err(errno @ (Errno::ISDIR | Errno::PERM)) => errno,
        Err(errno) => return Err(failure(name, errno)),
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = || -> Result<OwnedFd, Errno> {
        let directory = match openat(parent, name, flags, Mode::empty()) {
            // It is no directory, so that was not why.
            Err(Errno::NOTDIR | Errno::LOOP) => return Err(refused),
            other => other?,
        };
        if fstat(&directory)?.st_dev != fstat(parent)?.st_dev {
            return Err(Errno::XDEV);
        }
        Ok(directory)
    };
    open().map(Some).map_err(|errno| failure(name, errno))
}

fn move_up(directory: BorrowedFd<'_>, name: &CStr, top: &mut Top<'_>) -> Result<(), Failure> {
    loop {
        let moved = top.moved;
        top.moved = moved.checked_add(1).ok_or(Errno::NAMETOOLONG)?;
        let new = format!(".deep-{moved}");
        match renameat_with(
            directory,
            name,
            top.directory,
            new.as_str(),
            RenameFlags::NOREPLACE,
        ) {
            Ok(()) => return Ok(()),
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(failure(name, errno)),
        }
    }
}

fn names(directory: BorrowedFd<'_>) -> Result<Vec<CString>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

fn failure(name: &CStr, errno: Errno) -> Failure {
    Failure {
        name: name.to_string_lossy().into_owned(),
        errno,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn remove_in(directory: &std::path::Path, name: &str) -> Result<(), Failure> {
        let parent = fs::File::open(directory).unwrap();
        remove(&parent, name)
    }

    #[test]
    fn a_tree_that_is_deeper_than_any_path_goes() {
        let place = tempfile::tempdir().unwrap();
        let mut inner: OwnedFd = fs::File::open(place.path()).unwrap().into();
        // Longer than PATH_MAX by far, with names in the way of what is moved up.
        for _ in 0..500 {
            rustix::fs::mkdirat(&inner, "directory", Mode::RWXU).unwrap();
            let flags = OFlags::RDONLY | OFlags::DIRECTORY;
            let next = openat(&inner, "directory", flags, Mode::empty()).unwrap();
            openat(&next, "file", OFlags::CREATE | OFlags::RDWR, Mode::RUSR).unwrap();
            inner = next;
        }
        fs::create_dir_all(place.path().join("directory/.deep-0/x")).unwrap();
        remove_in(place.path(), "directory").unwrap();
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_a_link_and_nothing_are_removed_too() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("file"), "").unwrap();
        std::os::unix::fs::symlink("/", place.path().join("link")).unwrap();
        for name in ["file", "link", "nothing"] {
            remove_in(place.path(), name).unwrap();
        }
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_cannot_go_is_named_and_the_rest_goes() {
        // A directory that nothing can be removed from, whoever asks: /proc has such.
        let error = remove_in(std::path::Path::new("/proc"), "self").unwrap_err();
        assert!(error.to_string().contains("self"), "{error}");
    }
}
