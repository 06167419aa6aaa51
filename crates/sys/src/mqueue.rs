//! POSIX message queues (mq_overview(7)): descriptors that can be polled, passed and kept.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd};

use rustix::io::Errno;

/// Opens a queue for reading, not blocking, and makes it if it is not there; true if it was made now. `name` begins with a
/// slash; `size` is how many messages of how many bytes it can hold.
///
/// Reference: mq_open(3); the system call wants the name without its slash.
pub fn open(name: &str, mode: u32, size: Option<(u32, u32)>) -> Result<(OwnedFd, bool), Errno> {
    let name = bare(name)?;
    // SAFETY: all-zero bytes are a valid mq_attr.
    let mut attributes: libc::mq_attr = unsafe { std::mem::zeroed() };
    if let Some((messages, bytes)) = size {
        attributes.mq_maxmsg = i64::from(messages);
        attributes.mq_msgsize = i64::from(bytes);
    }
    let attributes = match size {
        Some(_) => &raw const attributes,
        None => std::ptr::null(),
    };
    let open = |extra: libc::c_int| {
        let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK | extra;
        // SAFETY: a terminated name, and attributes that are NULL or live.
        let fd = unsafe { libc::syscall(libc::SYS_mq_open, name.as_ptr(), flags, mode, attributes) };
        let fd = libc::c_int::try_from(fd).unwrap_or(-1);
        if fd < 0 {
            return Err(crate::exec::last_errno());
        }
        // SAFETY: the kernel has just made this descriptor for us.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    };
    match open(libc::O_CREAT | libc::O_EXCL) {
        Err(Errno::EXIST) => Ok((open(0)?, false)),
        made => Ok((made?, true)),
    }
}

/// Removes a queue's name.
pub fn unlink(name: &str) -> Result<(), Errno> {
    let name = bare(name)?;
    // SAFETY: a terminated name.
    match unsafe { libc::syscall(libc::SYS_mq_unlink, name.as_ptr()) } {
        0 => Ok(()),
        _ => Err(crate::exec::last_errno()),
    }
}

/// Takes one message and throws it away. [`Errno::AGAIN`]: there is none.
pub fn discard(queue: impl AsFd) -> Result<(), Errno> {
    // SAFETY: all-zero bytes are a valid mq_attr, and the kernel writes one.
    let length = unsafe {
        let mut attributes: libc::mq_attr = std::mem::zeroed();
        let none = std::ptr::null::<libc::mq_attr>();
        let fd = queue.as_fd().as_raw_fd();
        if libc::syscall(libc::SYS_mq_getsetattr, fd, none, &raw mut attributes) != 0 {
            return Err(crate::exec::last_errno());
        }
        usize::try_from(attributes.mq_msgsize).map_err(|_| Errno::INVAL)?
    };
    let mut message = vec![0_u8; length];
    // A time that is over: the description is shared, and may have been made blocking.
    let at_once = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the buffer has the length given; no priority is asked for.
    let taken = unsafe {
        libc::syscall(
            libc::SYS_mq_timedreceive,
            queue.as_fd().as_raw_fd(),
            message.as_mut_ptr(),
            message.len(),
            std::ptr::null_mut::<libc::c_uint>(),
            &raw const at_once,
        )
    };
    if taken >= 0 {
        return Ok(());
    }
    match crate::exec::last_errno() {
        Errno::TIMEDOUT => Err(Errno::AGAIN),
        error => Err(error),
    }
}

fn bare(name: &str) -> Result<CString, Errno> {
    let name = name.strip_prefix('/').ok_or(Errno::INVAL)?;
    CString::new(name).map_err(|_| Errno::INVAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_made_read_and_removed() {
        let name = format!("/softboot-test-{}", std::process::id());
        let queue = match open(&name, 0o600, Some((2, 16))) {
            Ok((queue, true)) => queue,
            Ok((_, false)) => panic!("{name} was there before"),
            // A kernel without message queues.
            Err(Errno::NOSYS) => return,
            Err(error) => panic!("{error}"),
        };
        assert_eq!(discard(&queue), Err(Errno::AGAIN));
        assert!(!open(&name, 0o600, None).unwrap().1, "it is there now");
        unlink(&name).unwrap();
        assert_eq!(unlink(&name), Err(Errno::NOENT));
        assert_eq!(open("no-slash", 0o600, None).unwrap_err(), Errno::INVAL);
    }
}
