//! Ports that are no sockets of a network: special files, netlink, message queues.

use std::os::fd::OwnedFd;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, Protocol, SocketFlags, SocketType, bind, netlink::SocketAddrNetlink, socket_with,
};
use softboot_sys::mqueue;
use softboot_unit::SocketSection;

use super::{Owner, with_mode};

/// ListenSpecial=: a character device or a file that is there.
pub(super) fn special(path: &str, writable: bool) -> Result<OwnedFd, Errno> {
    let mode = if writable { OFlags::RDWR } else { OFlags::RDONLY };
    let flags = mode | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::open(path, flags, Mode::empty())?;
    let about = rustix::fs::fstat(&fd)?;
    match FileType::from_raw_mode(about.st_mode) {
        FileType::RegularFile | FileType::CharacterDevice => Ok(fd),
        _ => Err(Errno::EXIST),
    }
}

pub(super) fn netlink(family: u32, group: u32) -> Result<OwnedFd, Errno> {
    let fd = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        // Protocol 0 is NETLINK_ROUTE.
        std::num::NonZeroU32::new(family).map(Protocol::from_raw),
    )?;
    bind(&fd, &SocketAddrNetlink::new(0, group))?;
    Ok(fd)
}

/// ListenMessageQueue=: a queue, made if it is not there. One that is there must be what would be made: whoever made it
/// could have it open.
pub(super) fn message_queue(name: &str, settings: &SocketSection, owner: Owner) -> Result<OwnedFd, Errno> {
    let size = settings
        .message_queue_max_messages
        .zip(settings.message_queue_message_size);
    let (fd, made) = with_mode(settings.socket_mode, || {
        mqueue::open(name, settings.socket_mode, size)
    })?;
    let (uid, gid) = owner.ids();
    if made && (uid.is_some() || gid.is_some()) {
        rustix::fs::fchown(&fd, uid, gid)?;
    }
    if owner.has_made(&rustix::fs::fstat(&fd)?, settings.socket_mode) {
        Ok(fd)
    } else {
        Err(Errno::EXIST)
    }
}
