//! `kcmp(pid, pid, KCMP_FILE, fd, fd)`: do two descriptors share one open file description?

use std::os::fd::{AsRawFd as _, BorrowedFd};

use rustix::io::Errno;

const KCMP_FILE: libc::c_int = 0;

/// True when both are the same open file description: made by dup(2), fork(2) or SCM_RIGHTS from one open(2).
///
/// Reference: kcmp(2). A kernel without CONFIG_KCMP gives [`Errno::NOSYS`].
pub fn same_file(a: BorrowedFd<'_>, b: BorrowedFd<'_>) -> Result<bool, Errno> {
    let pid = rustix::process::getpid().as_raw_nonzero().get();
    // SAFETY: kcmp reads two numbers of our own descriptor table and writes nothing.
    let order = unsafe { libc::syscall(libc::SYS_kcmp, pid, pid, KCMP_FILE, a.as_raw_fd(), b.as_raw_fd()) };
    match order {
        0 => Ok(true),
        -1 => Err(crate::exec::last_errno()),
        _ => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::AsFd as _;

    #[test]
    fn a_duplicate_is_the_same_and_a_second_open_is_not() {
        let one = File::open("/proc/self/exe").unwrap();
        let duplicate = one.try_clone().unwrap();
        let other = File::open("/proc/self/exe").unwrap();
        assert_eq!(same_file(one.as_fd(), duplicate.as_fd()), Ok(true));
        assert_eq!(same_file(one.as_fd(), other.as_fd()), Ok(false));
    }
}
