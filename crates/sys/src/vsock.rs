//! AF_VSOCK addresses, which rustix does not know.

use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use rustix::io::Errno;

/// The type of the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VsockType {
    /// SOCK_STREAM.
    Stream,
    /// SOCK_SEQPACKET, since Linux 5.14.
    SeqPacket,
    /// SOCK_DGRAM, which few transports have.
    Datagram,
}

fn socket(kind: VsockType) -> Result<OwnedFd, Errno> {
    let kind = match kind {
        VsockType::Stream => libc::SOCK_STREAM,
        VsockType::SeqPacket => libc::SOCK_SEQPACKET,
        VsockType::Datagram => libc::SOCK_DGRAM,
    };
    // SAFETY: socket(2) takes numbers only.
    let fd = unsafe { libc::socket(libc::AF_VSOCK, kind | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(crate::exec::last_errno());
    }
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn address(cid: u32, port: u32) -> libc::sockaddr_vm {
    // SAFETY: all-zero bytes are a valid sockaddr_vm.
    let mut address: libc::sockaddr_vm = unsafe { std::mem::zeroed() };
    address.svm_family = libc::AF_VSOCK as libc::sa_family_t;
    address.svm_cid = cid;
    address.svm_port = port;
    address
}

const LEN: libc::socklen_t = size_of::<libc::sockaddr_vm>() as libc::socklen_t;

/// A connection to `port` of the machine `cid` (2 is the host, 1 this machine). May wait as connect(2) does.
///
/// Reference: vsock(7).
pub fn connect(cid: u32, port: u32, kind: VsockType) -> Result<OwnedFd, Errno> {
    let fd = socket(kind)?;
    let address = address(cid, port);
    // SAFETY: the address is a whole sockaddr_vm of the length given.
    let connected = unsafe { libc::connect(fd.as_raw_fd(), (&raw const address).cast(), LEN) };
    match connected {
        0 => Ok(fd),
        _ => Err(crate::exec::last_errno()),
    }
}

/// A socket with this address, `None` for any of this machine; it does not listen yet, and never waits.
pub fn bound(cid: Option<u32>, port: u32, kind: VsockType) -> Result<OwnedFd, Errno> {
    let fd = socket(kind)?;
    rustix::fs::fcntl_setfl(&fd, rustix::fs::OFlags::NONBLOCK)?;
    let address = address(cid.unwrap_or(libc::VMADDR_CID_ANY), port);
    // SAFETY: as in `connect`.
    match unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), LEN) } {
        0 => Ok(fd),
        _ => Err(crate::exec::last_errno()),
    }
}

/// Context and port of this end and of the other end of a connection.
pub fn ends(fd: BorrowedFd<'_>) -> Result<[(u32, u32); 2], Errno> {
    let (mut local, mut peer) = (address(0, 0), address(0, 0));
    let (mut local_len, mut peer_len) = (LEN, LEN);
    // SAFETY: the kernel writes at most the given lengths, the sizes of the two addresses.
    let named = unsafe {
        libc::getsockname(fd.as_raw_fd(), (&raw mut local).cast(), &raw mut local_len) == 0
            && libc::getpeername(fd.as_raw_fd(), (&raw mut peer).cast(), &raw mut peer_len) == 0
    };
    if named {
        Ok([(local.svm_cid, local.svm_port), (peer.svm_cid, peer.svm_port)])
    } else {
        Err(crate::exec::last_errno())
    }
}

/// A socket that listens on a port of this machine that the kernel chooses, and the port.
pub fn listen(kind: VsockType) -> Result<(OwnedFd, u32), Errno> {
    let fd = socket(kind)?;
    let address = address(libc::VMADDR_CID_ANY, libc::VMADDR_PORT_ANY);
    // SAFETY: as in `connect`.
    let bound = unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), LEN) };
    if bound != 0 {
        return Err(crate::exec::last_errno());
    }
    // SAFETY: listen(2) takes numbers only.
    if unsafe { libc::listen(fd.as_raw_fd(), 16) } != 0 {
        return Err(crate::exec::last_errno());
    }
    let port = port(std::os::fd::AsFd::as_fd(&fd))?;
    Ok((fd, port))
}

fn port(fd: BorrowedFd<'_>) -> Result<u32, Errno> {
    let mut found = address(0, 0);
    let mut len = LEN;
    // SAFETY: the kernel writes at most `len` bytes, the size of `found`.
    let named = unsafe { libc::getsockname(fd.as_raw_fd(), (&raw mut found).cast(), &raw mut len) };
    match named {
        0 => Ok(found.svm_port),
        _ => Err(crate::exec::last_errno()),
    }
}
