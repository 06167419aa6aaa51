//! Files and directories that are made before the change of user: on disks, for which only the child may wait.

use std::ffi::{CStr, c_int};

use crate::spawn::plan::{Credential, Directory, Preparation, Task};

const DIRECTORY: c_int = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;

/// False when it failed; errno says why.
///
/// # Safety
/// As for [`super::run`].
pub(super) unsafe fn make(preparation: &Preparation) -> bool {
    // SAFETY: by contract.
    unsafe {
        match &preparation.task {
            Task::Directory(directory) => make_directory(directory),
            Task::Link { target, path } => make_link(target, path),
            Task::Credential(credential) => write_credential(credential),
        }
    }
}

/// Below the first part no link is followed: what is there may belong to a service, which could point it anywhere.
///
/// # Safety
/// As for [`super::run`].
unsafe fn make_directory(directory: &Directory) -> bool {
    // SAFETY: valid paths; every descriptor is closed again, or by the exec.
    unsafe {
        libc::mkdir(directory.base.as_ptr(), 0o755);
        let mut parent = libc::open(directory.base.as_ptr(), DIRECTORY);
        let mut parts = directory.parts.iter().peekable();
        let mut follow = 0;
        while let (Some(part), true) = (parts.next(), parent >= 0) {
            let mode = if parts.peek().is_some() {
                0o755
            } else {
                directory.mode
            };
            if libc::mkdirat(parent, part.as_ptr(), mode) != 0 && *libc::__errno_location() != libc::EEXIST {
                return false;
            }
            let next = libc::openat(parent, part.as_ptr(), DIRECTORY | follow);
            libc::close(parent);
            parent = next;
            follow = libc::O_NOFOLLOW;
        }
        if parent < 0 {
            return false;
        }
        let owned = match directory.owner {
            Some((uid, gid)) => libc::fchown(parent, uid, gid) == 0,
            None => true,
        };
        let done = owned && libc::fchmod(parent, directory.mode) == 0;
        libc::close(parent);
        done
    }
}

/// A link that is there already and says the same is what was wanted.
///
/// # Safety
/// As for [`super::run`].
unsafe fn make_link(target: &CStr, path: &CStr) -> bool {
    let mut found = [0_u8; 4096];
    // SAFETY: valid paths, and a buffer of the given length.
    let length = unsafe {
        if libc::symlink(target.as_ptr(), path.as_ptr()) == 0 {
            return true;
        }
        if *libc::__errno_location() != libc::EEXIST {
            return false;
        }
        libc::readlink(path.as_ptr(), found.as_mut_ptr().cast(), found.len())
    };
    let same = usize::try_from(length).is_ok_and(|length| found.get(..length) == Some(target.to_bytes()));
    if !same {
        // SAFETY: errno is this thread's own; readlink says EINVAL for what is no link.
        unsafe { *libc::__errno_location() = libc::EEXIST };
    }
    same
}

/// Written under a name of its own and renamed, so that who reads it meanwhile sees all of the old or of the new one.
///
/// # Safety
/// As for [`super::run`].
unsafe fn write_credential(credential: &Credential) -> bool {
    const FRESH: c_int = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    // SAFETY: valid paths and buffers; the descriptors are closed again, or by the exec.
    unsafe {
        let mut source = -1;
        if let Some(path) = &credential.source {
            source = libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NOCTTY);
            if source < 0 {
                let missing = *libc::__errno_location() == libc::ENOENT;
                if !missing || (credential.fallback.is_none() && !credential.optional) {
                    return false;
                }
            }
        }
        if source < 0 && credential.fallback.is_none() {
            return true;
        }
        libc::unlink(credential.draft.as_ptr());
        let file = libc::open(credential.draft.as_ptr(), FRESH, 0o400);
        if file < 0 {
            return false;
        }
        let written = match &credential.fallback {
            Some(text) if source < 0 => write_all(file, text),
            _ => copy(source, file),
        };
        let (uid, gid) = credential.owner;
        let done = written
            && libc::fchown(file, uid, gid) == 0
            && libc::rename(credential.draft.as_ptr(), credential.path.as_ptr()) == 0;
        libc::close(file);
        if source >= 0 {
            libc::close(source);
        }
        done
    }
}

/// # Safety
/// As for [`super::run`].
unsafe fn copy(from: c_int, to: c_int) -> bool {
    /// Of a credential, as the reference has it.
    const MOST: usize = 1024 * 1024;
    let mut buffer = [0_u8; 4096];
    let mut total = 0_usize;
    loop {
        // SAFETY: a buffer of the given length.
        let length = unsafe { libc::read(from, buffer.as_mut_ptr().cast(), buffer.len()) };
        let Ok(length) = usize::try_from(length) else {
            return false;
        };
        let Some(part) = buffer.get(..length) else {
            return false;
        };
        if part.is_empty() {
            return true;
        }
        total = total.saturating_add(length);
        // SAFETY: errno is this thread's own; the rest by contract.
        unsafe {
            if total > MOST {
                *libc::__errno_location() = libc::E2BIG;
                return false;
            }
            if !write_all(to, part) {
                return false;
            }
        }
    }
}

/// # Safety
/// As for [`super::run`].
unsafe fn write_all(file: c_int, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        // SAFETY: a buffer of the given length.
        let length = unsafe { libc::write(file, bytes.as_ptr().cast(), bytes.len()) };
        let Some(rest) = usize::try_from(length)
            .ok()
            .and_then(|length| bytes.get(length..))
        else {
            return false;
        };
        bytes = rest;
    }
    true
}
