//! Kinds of descriptors, and how they are told apart.

use std::fmt;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use rustix::fs::fcntl_get_seals;
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
    /// `pidfd`, …
    Anonymous(String),
    /// A namespace, by its type in /proc/PID/ns: `net`, `mnt`, …
    Namespace(String),
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
            FdKind::Namespace(name) => write!(f, "{name} namespace"),
            FdKind::Other => f.write_str("other"),
        }
    }
}

pub(super) fn same_kind(a: &FdKind, b: &FdKind) -> bool {
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

pub(super) fn socket_kind(fd: BorrowedFd<'_>) -> Result<FdKind, Errno> {
    Ok(FdKind::Socket {
        domain: sockopt::socket_domain(fd)?.as_raw(),
        socket_type: sockopt::socket_type(fd)?.as_raw(),
        // Not every family knows the question.
        listening: sockopt::socket_acceptconn(fd).unwrap_or(false),
    })
}

/// What only the link of a descriptor tells: a memfd is a file of a kernel-internal tmpfs, a namespace a file of nsfs,
/// a pidfd may be one of pidfs. `/memfd:name (deleted)`, `anon_inode:[eventfd]`, `anon_inode:inotify`,
/// `net:[4026531840]`, `pidfd:[12]`.
pub(super) fn linked_kind(fd: BorrowedFd<'_>, otherwise: FdKind) -> FdKind {
    let Some(link) = link(fd) else {
        return otherwise;
    };
    if link.starts_with("/memfd:") && fcntl_get_seals(fd).is_ok() {
        return FdKind::Memfd;
    }
    if let Some(name) = link.strip_prefix("anon_inode:") {
        return FdKind::Anonymous(name.trim_matches(['[', ']']).to_owned());
    }
    match link.split_once(":[") {
        Some(("pidfd", _)) => FdKind::Anonymous("pidfd".to_owned()),
        Some((kind, _)) if !kind.starts_with('/') => FdKind::Namespace(kind.to_owned()),
        _ => otherwise,
    }
}

fn link(fd: BorrowedFd<'_>) -> Option<String> {
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    std::fs::read_link(path).ok()?.into_os_string().into_string().ok()
}
