//! What a descriptor is, so that it can be recognised after a handoff.

use std::fmt;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};

use rustix::fs::{FileType, OFlags, fcntl_get_seals, fcntl_getfl, fstat};
use rustix::io::Errno;
use rustix::net::sockopt;
use serde::{Deserialize, Serialize};

/// What kind of thing a descriptor refers to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FdKind {
    /// A socket: address family and type numbers of socket(2).
    Socket {
        /// AF_UNIX, AF_INET, …
        domain: u16,
        /// SOCK_STREAM, SOCK_DGRAM, …
        socket_type: u32,
        /// True while it listens (SO_ACCEPTCONN).
        listening: bool,
    },
    /// A pipe or FIFO.
    Pipe,
    /// memfd_create(2).
    Memfd,
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A character or block device.
    Device,
    /// An anonymous inode, by the kernel's own name: `eventfd`, `timerfd`, `signalfd`, `inotify`, `eventpoll`,
    /// `pidfd`, …; or a namespace by its type.
    Anonymous(String),
    /// Something else.
    Other,
}

impl fmt::Display for FdKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FdKind::Socket {
                domain,
                socket_type,
                listening,
            } => {
                let family = match domain {
                    1 => "unix",
                    2 => "inet",
                    10 => "inet6",
                    16 => "netlink",
                    40 => "vsock",
                    _ => "other",
                };
                let kind = match socket_type {
                    1 => "stream",
                    2 => "datagram",
                    5 => "seqpacket",
                    _ => "raw",
                };
                write!(
                    f,
                    "socket {family} {kind}{}",
                    if *listening { " listening" } else { "" }
                )
            }
            FdKind::Pipe => f.write_str("pipe"),
            FdKind::Memfd => f.write_str("memfd"),
            FdKind::File => f.write_str("file"),
            FdKind::Directory => f.write_str("directory"),
            FdKind::Device => f.write_str("device"),
            FdKind::Anonymous(name) => f.write_str(name),
            FdKind::Other => f.write_str("other"),
        }
    }
}

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

/// What a descriptor is. Two that differ in any part are not the same thing; two that are equal may still be two
/// open file descriptions of one inode (see `kcmp(2)`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    kind: FdKind,
    device: u64,
    inode: u64,
    rdev: u64,
    /// SO_COOKIE of a socket: never used again while the kernel runs.
    cookie: Option<u64>,
    access: Access,
    /// Seals of a memfd.
    seals: Option<u32>,
}

impl Identity {
    /// Looks at a descriptor. A few system calls, none of which waits.
    pub fn of(fd: impl AsFd) -> Result<Identity, Errno> {
        let fd = fd.as_fd();
        let stat = fstat(fd)?;
        let flags = fcntl_getfl(fd)?;
        let access = if flags.contains(OFlags::PATH) {
            Access::Path
        } else {
            match flags & OFlags::ACCMODE {
                OFlags::WRONLY => Access::Write,
                OFlags::RDWR => Access::ReadWrite,
                _ => Access::Read,
            }
        };
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Socket if access != Access::Path => socket_kind(fd)?,
            FileType::Fifo => FdKind::Pipe,
            FileType::RegularFile => regular_kind(fd),
            FileType::Directory => FdKind::Directory,
            FileType::CharacterDevice | FileType::BlockDevice => FdKind::Device,
            _ => anonymous_kind(fd),
        };
        let is_socket = matches!(kind, FdKind::Socket { .. });
        let seals = (kind == FdKind::Memfd)
            .then(|| fcntl_get_seals(fd).ok().map(|seals| seals.bits()))
            .flatten();
        Ok(Identity {
            device: stat.st_dev,
            inode: stat.st_ino,
            rdev: stat.st_rdev,
            cookie: if is_socket {
                sockopt::socket_cookie(fd).ok()
            } else {
                None
            },
            access,
            seals,
            kind,
        })
    }

    pub(crate) fn key(&self) -> InodeKey {
        InodeKey {
            device: self.device,
            inode: self.inode,
            cookie: self.cookie,
            access: self.access,
        }
    }

    /// What it is.
    pub fn kind(&self) -> &FdKind {
        &self.kind
    }

    /// st_ino.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// st_dev.
    pub fn device(&self) -> u64 {
        self.device
    }

    /// SO_COOKIE of a socket.
    pub fn cookie(&self) -> Option<u64> {
        self.cookie
    }

    /// How it may be used.
    pub fn access(&self) -> Access {
        self.access
    }

    /// Checks that `fd` still is what this says. Says what differs otherwise.
    ///
    /// A memfd may have been sealed further meanwhile, and a socket may have begun or stopped to listen: that changes
    /// no identity.
    pub fn verify(&self, fd: impl AsFd) -> Result<(), String> {
        let found = Identity::of(fd).map_err(|error| format!("it is not open: {error}"))?;
        if !same_kind(&self.kind, &found.kind) {
            return Err(format!("it was a {}, it is a {}", self.kind, found.kind));
        }
        let numbers = [
            ("device", self.device, found.device),
            ("inode", self.inode, found.inode),
            ("device number", self.rdev, found.rdev),
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
        if self.access != found.access {
            return Err(format!(
                "its access mode was {:?}, it is {:?}",
                self.access, found.access
            ));
        }
        let (before, now) = (self.seals.unwrap_or(0), found.seals.unwrap_or(0));
        if before & now != before {
            return Err("it has lost seals".to_owned());
        }
        Ok(())
    }
}

fn same_kind(a: &FdKind, b: &FdKind) -> bool {
    match (a, b) {
        (
            FdKind::Socket {
                domain: domain_a,
                socket_type: type_a,
                ..
            },
            FdKind::Socket {
                domain: domain_b,
                socket_type: type_b,
                ..
            },
        ) => domain_a == domain_b && type_a == type_b,
        _ => a == b,
    }
}

fn socket_kind(fd: BorrowedFd<'_>) -> Result<FdKind, Errno> {
    Ok(FdKind::Socket {
        domain: sockopt::socket_domain(fd)?.as_raw(),
        socket_type: sockopt::socket_type(fd)?.as_raw(),
        // Not every family knows the question.
        listening: sockopt::socket_acceptconn(fd).unwrap_or(false),
    })
}

/// A memfd is a file of a kernel-internal tmpfs; only its link tells it from a file of a mounted one.
fn regular_kind(fd: BorrowedFd<'_>) -> FdKind {
    if fcntl_get_seals(fd).is_ok() && link(fd).is_some_and(|name| name.starts_with("/memfd:")) {
        FdKind::Memfd
    } else {
        FdKind::File
    }
}

/// `anon_inode:[eventfd]`, `anon_inode:inotify`, `net:[4026531840]`, `pidfd:[12]`.
fn anonymous_kind(fd: BorrowedFd<'_>) -> FdKind {
    let Some(link) = link(fd) else {
        return FdKind::Other;
    };
    match link.strip_prefix("anon_inode:") {
        Some(name) => FdKind::Anonymous(name.trim_matches(['[', ']']).to_owned()),
        None => link
            .split_once(":[")
            .map_or(FdKind::Other, |(kind, _)| FdKind::Anonymous(kind.to_owned())),
    }
}

fn link(fd: BorrowedFd<'_>) -> Option<String> {
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    std::fs::read_link(path).ok()?.into_os_string().into_string().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{EventfdFlags, eventfd};
    use std::fs::File;
    use std::net::{TcpListener, UdpSocket};

    fn kind(fd: impl AsFd) -> String {
        Identity::of(fd).unwrap().kind().to_string()
    }

    #[test]
    fn kinds_are_told_apart() {
        assert_eq!(
            kind(TcpListener::bind("127.0.0.1:0").unwrap()),
            "socket inet stream listening"
        );
        assert_eq!(
            kind(UdpSocket::bind("127.0.0.1:0").unwrap()),
            "socket inet datagram"
        );
        assert_eq!(kind(rustix::pipe::pipe().unwrap().0), "pipe");
        assert_eq!(kind(crate::memfd::sealed_memfd("m", b"x").unwrap()), "memfd");
        assert_eq!(kind(tempfile::tempfile().unwrap()), "file");
        assert_eq!(kind(File::open("/").unwrap()), "directory");
        assert_eq!(kind(File::open("/dev/null").unwrap()), "device");
        assert_eq!(kind(eventfd(0, EventfdFlags::empty()).unwrap()), "eventfd");
        assert_eq!(
            kind(File::open("/proc/self/ns/net").unwrap()),
            "file",
            "a namespace file is a file of nsfs"
        );
    }

    #[test]
    fn a_descriptor_is_recognised_and_another_is_not() {
        let one = UdpSocket::bind("127.0.0.1:0").unwrap();
        let other = UdpSocket::bind("127.0.0.1:0").unwrap();
        let identity = Identity::of(&one).unwrap();
        assert_eq!(identity.verify(one.try_clone().unwrap()), Ok(()));
        assert!(identity.verify(&other).is_err());
        assert!(
            identity
                .verify(File::open("/dev/null").unwrap())
                .unwrap_err()
                .contains("it was a socket")
        );
    }

    #[test]
    fn one_file_opened_for_less_is_another_thing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let identity = Identity::of(file.as_file()).unwrap();
        let reading = File::open(file.path()).unwrap();
        assert!(identity.verify(reading).unwrap_err().contains("access mode"));
    }
}
