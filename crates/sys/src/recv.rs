//! `recvmsg` with everything that can come beside the bytes.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use rustix::io::Errno;

/// SCM_PIDFD and SO_PASSPIDFD (linux/socket.h, asm-generic/socket.h), since Linux 6.5.
const SCM_PIDFD: libc::c_int = 0x04;
pub(crate) const SO_PASSPIDFD: libc::c_int = 76;
/// What the kernel puts into one message at most (SCM_MAX_FD in net/scm.h), and then some.
const CONTROL_MAX: usize = 8192;

/// Who sent a message, as the kernel says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Process, as seen from here; 0 when it is in no namespace below ours.
    pub pid: i32,
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// One message. Descriptors are closed on exec and closed when dropped.
#[derive(Debug)]
pub struct Received {
    /// Bytes written to the buffer.
    pub len: usize,
    /// The buffer was too small; the rest is lost.
    pub truncated: bool,
    /// Descriptors or credentials were lost for lack of room or of free numbers.
    pub control_truncated: bool,
    /// SCM_RIGHTS.
    pub fds: Vec<OwnedFd>,
    /// SCM_CREDENTIALS.
    pub credentials: Option<Credentials>,
    /// SCM_PIDFD.
    pub pidfd: Option<OwnedFd>,
}

#[repr(C, align(8))]
struct Control([MaybeUninit<u8>; CONTROL_MAX]);

/// Receives one message without waiting; [`Errno::AGAIN`] when there is none.
///
/// References: recvmsg(2), cmsg(3), unix(7).
pub fn recv_message(socket: impl AsFd, buffer: &mut [u8]) -> Result<Received, Errno> {
    let mut control = Control([MaybeUninit::uninit(); CONTROL_MAX]);
    let mut iov = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    // SAFETY: all-zero bytes are a valid msghdr.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut iov;
    header.msg_iovlen = 1;
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = CONTROL_MAX as _;
    let flags = libc::MSG_CMSG_CLOEXEC | libc::MSG_DONTWAIT;
    // SAFETY: the header points to one iovec over `buffer` and to a control buffer of the given length; all of them
    // live through the call.
    let received = unsafe { libc::recvmsg(socket.as_fd().as_raw_fd(), &raw mut header, flags) };
    let Ok(len) = usize::try_from(received) else {
        return Err(crate::exec::last_errno());
    };
    let mut message = Received {
        len: len.min(buffer.len()),
        truncated: header.msg_flags & libc::MSG_TRUNC != 0,
        control_truncated: header.msg_flags & libc::MSG_CTRUNC != 0,
        fds: Vec::new(),
        credentials: None,
        pidfd: None,
    };
    // SAFETY: the kernel has filled the control buffer and set its length; CMSG_FIRSTHDR and CMSG_NXTHDR stay
    // inside it.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(&raw const header) };
    while !next.is_null() {
        // SAFETY: `next` points to a whole control message header inside the control buffer.
        unsafe { take_control(next, &mut message) };
        // SAFETY: as for CMSG_FIRSTHDR.
        next = unsafe { libc::CMSG_NXTHDR(&raw const header, next) };
    }
    Ok(message)
}

/// Moves what one control message holds into `message`.
///
/// # Safety
/// `control` must point to a control message that the kernel has just written, and its descriptors must not have an
/// owner yet.
unsafe fn take_control(control: *const libc::cmsghdr, message: &mut Received) {
    // SAFETY: by contract the header is whole and valid.
    let (level, kind, len) = unsafe { ((*control).cmsg_level, (*control).cmsg_type, (*control).cmsg_len) };
    if level != libc::SOL_SOCKET {
        return;
    }
    // SAFETY: CMSG_LEN is arithmetic; CMSG_DATA points to the data that follows a valid header.
    let (head, data) = unsafe { (libc::CMSG_LEN(0) as usize, libc::CMSG_DATA(control)) };
    let data_len = len.saturating_sub(head);
    let numbers = data_len / size_of::<libc::c_int>();
    match kind {
        libc::SCM_RIGHTS => {
            for index in 0..numbers {
                // SAFETY: the message holds `numbers` descriptors; each was made for us by the kernel and is owned
                // by nobody else. The data may be unaligned.
                let fd = unsafe {
                    let number = data.cast::<libc::c_int>().add(index).read_unaligned();
                    OwnedFd::from_raw_fd(number)
                };
                message.fds.push(fd);
            }
        }
        SCM_PIDFD if numbers == 1 => {
            // SAFETY: as for SCM_RIGHTS; the kernel gives a negative number when it could not make one.
            let number = unsafe { data.cast::<libc::c_int>().read_unaligned() };
            if number >= 0 {
                // SAFETY: as for SCM_RIGHTS.
                message.pidfd = Some(unsafe { OwnedFd::from_raw_fd(number) });
            }
        }
        libc::SCM_CREDENTIALS if data_len >= size_of::<libc::ucred>() => {
            // SAFETY: the data holds a ucred, maybe unaligned.
            let ucred = unsafe { data.cast::<libc::ucred>().read_unaligned() };
            message.credentials = Some(Credentials {
                pid: ucred.pid,
                uid: ucred.uid,
                gid: ucred.gid,
            });
        }
        _ => {}
    }
}

/// Asks for SCM_CREDENTIALS with every message (unix(7), SO_PASSCRED).
pub fn pass_credentials(socket: BorrowedFd<'_>) -> Result<(), Errno> {
    rustix::net::sockopt::set_socket_passcred(socket, true)
}

/// Asks for SCM_PIDFD with every message; [`Errno::NOPROTOOPT`] on a kernel older than 6.5.
pub fn pass_pidfd(socket: BorrowedFd<'_>) -> Result<(), Errno> {
    let on: libc::c_int = 1;
    let size = libc::socklen_t::try_from(size_of::<libc::c_int>()).unwrap_or(4);
    // SAFETY: the value is a c_int of the given size.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_PASSPIDFD,
            (&raw const on).cast(),
            size,
        )
    };
    if set == 0 {
        Ok(())
    } else {
        Err(crate::exec::last_errno())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    use std::io::IoSlice;
    use std::os::unix::net::UnixDatagram;

    fn send(socket: &UnixDatagram, bytes: &[u8], fds: &[BorrowedFd<'_>]) {
        let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() {
            assert!(ancillary.push(SendAncillaryMessage::ScmRights(fds)));
        }
        sendmsg(socket, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::empty()).unwrap();
    }

    #[test]
    fn descriptors_and_credentials_come_with_the_bytes() {
        let (a, b) = UnixDatagram::pair().unwrap();
        pass_credentials(b.as_fd()).unwrap();
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        send(&a, b"hello", &[file.as_fd(), file.as_fd()]);
        let mut buffer = [0; 16];
        let message = recv_message(&b, &mut buffer).unwrap();
        assert_eq!(
            (message.len, message.truncated, message.control_truncated),
            (5, false, false)
        );
        assert_eq!(message.fds.len(), 2);
        assert_eq!(
            message.credentials.unwrap().pid,
            rustix::process::getpid().as_raw_nonzero().get()
        );
        assert_eq!(
            crate::kcmp::same_file(message.fds.first().unwrap().as_fd(), file.as_fd()),
            Ok(true)
        );
        let flags = rustix::io::fcntl_getfd(message.fds.first().unwrap()).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }

    #[test]
    fn a_message_larger_than_the_buffer_says_so() {
        let (a, b) = UnixDatagram::pair().unwrap();
        send(&a, b"0123456789", &[]);
        let mut buffer = [0; 4];
        let message = recv_message(&b, &mut buffer).unwrap();
        assert_eq!((message.len, message.truncated), (4, true));
    }

    #[test]
    fn nothing_to_receive_does_not_wait() {
        let (_a, b) = UnixDatagram::pair().unwrap();
        assert_eq!(recv_message(&b, &mut [0; 4]).err(), Some(Errno::AGAIN));
    }

    #[test]
    fn as_many_descriptors_as_the_kernel_allows_fit() {
        let (a, b) = UnixDatagram::pair().unwrap();
        pass_credentials(b.as_fd()).unwrap();
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        send(&a, b"x", &vec![file.as_fd(); 253]);
        let message = recv_message(&b, &mut [0; 4]).unwrap();
        assert_eq!((message.fds.len(), message.control_truncated), (253, false));
        assert!(message.credentials.is_some());
    }
}
