//! Ports with a node in the file system.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, OFlags, Stat, Uid};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, bind};
use softboot_unit::{Address, Port, PortKind, SocketSection};
use tracing::warn;

use super::{create, finish, with_mode};

/// SocketUser= and SocketGroup=, as numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Owner {
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
}

impl Owner {
    pub(super) fn ids(self) -> (Option<Uid>, Option<Gid>) {
        (self.uid.map(Uid::from_raw), self.gid.map(Gid::from_raw))
    }

    fn is_set(self) -> bool {
        self.uid.is_some() || self.gid.is_some()
    }

    /// Whether it is what PID 1 makes for this owner, with this mode.
    pub(super) fn has_made(self, about: &Stat, mode: u32) -> bool {
        about.st_mode & 0o7777 == mode
            && about.st_uid == self.uid.unwrap_or(rustix::process::geteuid().as_raw())
            && about.st_gid == self.gid.unwrap_or(rustix::process::getegid().as_raw())
    }

    /// By path: a socket's descriptor is another inode than its node. Never through a link.
    fn give(self, path: &str) -> Result<(), Errno> {
        if !self.is_set() {
            return Ok(());
        }
        let (uid, gid) = self.ids();
        rustix::fs::chownat(CWD, path, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
    }
}

pub(super) fn unix(
    port: &Port,
    path: &str,
    settings: &SocketSection,
    owner: Owner,
) -> Result<OwnedFd, Errno> {
    let address = SocketAddrUnix::new(path)?;
    make_parents(path, settings.directory_mode)?;
    let fd = create(AddressFamily::UNIX, port.kind, None)?;
    with_mode(settings.socket_mode, || match bind(&fd, &address) {
        Err(Errno::ADDRINUSE) => {
            // The node of a run that is over. Whoever serves it still keeps what is connected.
            let _ = rustix::fs::unlink(path);
            bind(&fd, &address)
        }
        bound => bound,
    })?;
    let fd = finish(fd, port, settings)?;
    owner.give(path)?;
    // For those that watch the directory (semantics 1.4, step 7).
    let _ = rustix::fs::utimensat(CWD, path, &now(), AtFlags::empty());
    Ok(fd)
}

fn now() -> rustix::fs::Timestamps {
    let now = rustix::fs::Timespec {
        tv_sec: 0,
        tv_nsec: rustix::fs::UTIME_NOW,
    };
    rustix::fs::Timestamps {
        last_access: now,
        last_modification: now,
    }
}

/// A FIFO, made if it is not there. One that is there must be what would be made.
pub(super) fn fifo(path: &str, settings: &SocketSection, owner: Owner) -> Result<OwnedFd, Errno> {
    make_parents(path, settings.directory_mode)?;
    let mode = Mode::from_raw_mode(settings.socket_mode);
    let made = with_mode(settings.socket_mode, || {
        rustix::fs::mknodat(CWD, path, FileType::Fifo, mode, 0)
    });
    match made {
        Ok(()) => owner.give(path)?,
        Err(Errno::EXIST) => {}
        Err(error) => return Err(error),
    }
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::open(path, flags, Mode::empty())?;
    let about = rustix::fs::fstat(&fd)?;
    let as_made = FileType::from_raw_mode(about.st_mode) == FileType::Fifo
        && owner.has_made(&about, settings.socket_mode);
    as_made.then_some(fd).ok_or(Errno::EXIST)
}

fn make_parents(path: &str, mode: u32) -> Result<(), Errno> {
    let Some(parent) = Path::new(path).parent() else {
        return Ok(());
    };
    let mut missing: Vec<&Path> = parent
        .ancestors()
        .take_while(|directory| !directory.exists())
        .collect();
    missing.reverse();
    for directory in missing {
        match rustix::fs::mkdir(directory, Mode::from_raw_mode(mode)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The only node in the file system; `None` when there are several, or none.
fn single_node(settings: &SocketSection) -> Option<&str> {
    let mut nodes = settings.ports.iter().filter_map(node);
    nodes.next().filter(|_| nodes.next().is_none())
}

fn node(port: &Port) -> Option<&str> {
    match (&port.kind, &port.address) {
        (PortKind::Special | PortKind::MessageQueue, _) => None,
        (_, Address::Path(path)) => Some(path),
        _ => None,
    }
}

/// Symlinks=, to the one node. What is there and is no link stays (semantics 1.4, step 9).
pub(crate) fn make_symlinks(settings: &SocketSection) {
    let Some(target) = single_node(settings) else {
        return;
    };
    for link in &settings.symlinks {
        let made = make_parents(link, settings.directory_mode).and_then(|()| {
            match rustix::fs::symlink(target, link) {
                Err(Errno::EXIST) if rustix::fs::readlink(link, Vec::new()).is_ok() => {
                    rustix::fs::unlink(link)?;
                    rustix::fs::symlink(target, link)
                }
                other => other,
            }
        });
        if let Err(error) = made {
            warn!("Symlinks=: cannot make {link}: {error}");
        }
    }
}

/// RemoveOnStop=: nodes, queues, and the links to the one node.
pub(crate) fn remove_nodes(settings: &SocketSection) {
    for port in &settings.ports {
        if let (PortKind::MessageQueue, Address::Path(name)) = (&port.kind, &port.address) {
            let _ = softboot_sys::mqueue::unlink(name);
        } else if let Some(path) = node(port) {
            let _ = rustix::fs::unlink(path);
        }
    }
    let target = single_node(settings);
    for link in &settings.symlinks {
        // Only what still is our link.
        let ours = rustix::fs::readlink(link.as_str(), Vec::new())
            .is_ok_and(|to| to.to_str().ok() == target && target.is_some());
        if ours {
            let _ = rustix::fs::unlink(link.as_str());
        }
    }
}
