//! What a descriptor is, so that it can be recognised after a handoff.

mod kind;

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, OnceLock};

use rustix::fs::{FileType, MemfdFlags, OFlags, fcntl_get_seals, fcntl_getfl, fstat, memfd_create};
use rustix::io::Errno;
use rustix::net::sockopt;
use serde::{Deserialize, Serialize};

pub use kind::FdKind;
use kind::{linked_kind, same_kind, socket_kind};

/// How a descriptor may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// O_RDONLY.
    Read,
    /// O_WRONLY.
    Write,
    /// O_RDWR.
    ReadWrite,
    /// O_PATH.
    Path,
}

/// The part of an identity that never changes while the thing exists: a memfd may be sealed further, a socket may
/// begin to listen, and both are still what they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct InodeKey {
    device: u64,
    inode: u64,
    cookie: Option<u64>,
    access: Access,
}

/// What many descriptors have in common; entries of a store share it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Common {
    pub(crate) kind: FdKind,
    pub(crate) device: u64,
    pub(crate) rdev: u64,
    pub(crate) access: Access,
    /// Seals of a memfd.
    pub(crate) seals: Option<u32>,
}

/// What a descriptor is. Two that differ in any part are not the same thing; two that are equal may still be two
/// open file descriptions of one inode (see `kcmp(2)`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Members", into = "Members")]
pub struct Identity {
    pub(crate) common: Arc<Common>,
    pub(crate) inode: u64,
    /// SO_COOKIE of a socket: never used again while the kernel runs.
    pub(crate) cookie: Option<u64>,
}

/// The form in which an identity is written.
#[derive(Clone, Serialize, Deserialize)]
struct Members {
    kind: FdKind,
    device: u64,
    inode: u64,
    #[serde(default)]
    rdev: u64,
    #[serde(default)]
    cookie: Option<u64>,
    access: Access,
    #[serde(default)]
    seals: Option<u32>,
}

impl From<Members> for Identity {
    fn from(members: Members) -> Identity {
        Identity {
            common: Arc::new(Common {
                kind: members.kind,
                device: members.device,
                rdev: members.rdev,
                access: members.access,
                seals: members.seals,
            }),
            inode: members.inode,
            cookie: members.cookie,
        }
    }
}

impl From<Identity> for Members {
    fn from(identity: Identity) -> Members {
        let common = Common::clone(&identity.common);
        Members {
            kind: common.kind,
            device: common.device,
            inode: identity.inode,
            rdev: common.rdev,
            cookie: identity.cookie,
            access: common.access,
            seals: common.seals,
        }
    }
}

impl Identity {
    /// Looks at a descriptor. A few system calls, none of which waits.
    pub fn of(fd: impl AsFd) -> Result<Identity, Errno> {
        let fd = fd.as_fd();
        let stat = fstat(fd)?;
        let flags = fcntl_getfl(fd)?;
        let access = access(flags);
        // Only files in memory know the question (EINVAL for the others); asked of nothing else.
        let seals = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => fcntl_get_seals(fd).ok().map(|seals| seals.bits()),
            _ => None,
        };
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Socket if access != Access::Path => socket_kind(fd)?,
            FileType::Fifo => FdKind::Pipe,
            FileType::RegularFile if seals.is_some() && Some(stat.st_dev) == memfd_device() => FdKind::Memfd,
            FileType::RegularFile => linked_kind(fd, FdKind::File),
            FileType::Directory => FdKind::Directory,
            FileType::CharacterDevice | FileType::BlockDevice => FdKind::Device,
            _ => linked_kind(fd, FdKind::Other),
        };
        let seals = seals.filter(|_| kind == FdKind::Memfd);
        let cookie = match kind {
            FdKind::Socket { .. } => sockopt::socket_cookie(fd).ok(),
            _ => None,
        };
        Ok(Identity {
            common: Arc::new(Common {
                kind,
                device: stat.st_dev,
                rdev: stat.st_rdev,
                access,
                seals,
            }),
            inode: stat.st_ino,
            cookie,
        })
    }

    pub(crate) fn key(&self) -> InodeKey {
        InodeKey {
            device: self.common.device,
            inode: self.inode,
            cookie: self.cookie,
            access: self.common.access,
        }
    }

    /// What it is.
    pub fn kind(&self) -> &FdKind {
        &self.common.kind
    }

    /// st_ino.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// st_dev.
    pub fn device(&self) -> u64 {
        self.common.device
    }

    /// SO_COOKIE of a socket.
    pub fn cookie(&self) -> Option<u64> {
        self.cookie
    }

    /// How it may be used.
    pub fn access(&self) -> Access {
        self.common.access
    }

    /// Checks that `fd` still is what this says. Says what differs otherwise.
    ///
    /// A memfd may have been sealed further meanwhile, and a socket may have begun or stopped to listen: that changes
    /// no identity.
    pub fn verify(&self, fd: impl AsFd) -> Result<(), String> {
        let fd = fd.as_fd();
        if self.evident(fd) {
            return Ok(());
        }
        let found = Identity::of(fd).map_err(|error| format!("it is not open: {error}"))?;
        if !same_kind(&self.common.kind, &found.common.kind) {
            return Err(format!(
                "it was a {}, it is a {}",
                self.common.kind, found.common.kind
            ));
        }
        let numbers = [
            ("device", self.common.device, found.common.device),
            ("inode", self.inode, found.inode),
            ("device number", self.common.rdev, found.common.rdev),
        ];
        for (what, expected, is) in numbers {
            if expected != is {
                return Err(format!("its {what} was {expected}, it is {is}"));
            }
        }
        if self.cookie != found.cookie {
            return Err(format!(
                "its socket cookie was {:?}, it is {:?}",
                self.cookie, found.cookie
            ));
        }
        if self.common.access != found.common.access {
            return Err(format!(
                "its access mode was {:?}, it is {:?}",
                self.common.access, found.common.access
            ));
        }
        let (before, now) = (self.common.seals.unwrap_or(0), found.common.seals.unwrap_or(0));
        if before & now != before {
            return Err("it has lost seals".to_owned());
        }
        Ok(())
    }

    /// Whether one or two system calls prove that `fd` is this. `false` proves nothing.
    fn evident(&self, fd: BorrowedFd<'_>) -> bool {
        match (&self.common.kind, self.cookie) {
            // No two sockets share a cookie while the kernel runs, and a socket never changes its family, its type or
            // its inode.
            (FdKind::Socket { .. }, Some(cookie)) => sockopt::socket_cookie(fd) == Ok(cookie),
            // All anonymous inodes may be one; what they are stands in their link only.
            (FdKind::Socket { .. } | FdKind::Anonymous(_) | FdKind::Namespace(_) | FdKind::Other, _) => false,
            // An inode number is the inode's own; only who opened it and how may differ. Seals are never taken off.
            _ => {
                fstat(fd).is_ok_and(|stat| {
                    (stat.st_dev, stat.st_ino, stat.st_rdev)
                        == (self.common.device, self.inode, self.common.rdev)
                }) && fcntl_getfl(fd).is_ok_and(|flags| access(flags) == self.common.access)
            }
        }
    }
}

/// The kernel's own tmpfs, on which every memfd is but those of huge pages, and nothing that has a path. Asked once.
fn memfd_device() -> Option<u64> {
    static DEVICE: OnceLock<Option<u64>> = OnceLock::new();
    *DEVICE.get_or_init(|| {
        let fd = memfd_create("fdstore", MemfdFlags::CLOEXEC).ok()?;
        Some(fstat(fd).ok()?.st_dev)
    })
}

fn access(flags: OFlags) -> Access {
    if flags.contains(OFlags::PATH) {
        return Access::Path;
    }
    match flags & OFlags::ACCMODE {
        OFlags::WRONLY => Access::Write,
        OFlags::RDWR => Access::ReadWrite,
        _ => Access::Read,
    }
}

#[cfg(test)]
mod tests;
