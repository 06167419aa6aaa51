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
}

fn socket(kind: VsockType) -> Result<OwnedFd, Errno> {
    let kind = match kind {
        VsockType::Stream => libc::SOCK_STREAM,
        VsockType::SeqPacket => libc::SOCK_SEQPACKET,
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
