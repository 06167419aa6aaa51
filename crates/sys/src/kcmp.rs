//! `kcmp(pid, pid, KCMP_FILE, fd, fd)`: do two descriptors share one open file description?

use std::cmp::Ordering;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use rustix::io::Errno;

const KCMP_FILE: libc::c_int = 0;

/// How two descriptors stand to each other in an order of open file descriptions that the kernel keeps secret but
/// does not change while they are open: equal when both are one description, made by dup(2), fork(2) or SCM_RIGHTS
/// from one open(2). With it many descriptors can be sorted, and one of them found in log time.
///
/// Reference: kcmp(2), which was made for this. A kernel without CONFIG_KCMP gives [`Errno::NOSYS`], one that
/// has no order to offer [`Errno::OPNOTSUPP`].
pub fn order(a: BorrowedFd<'_>, b: BorrowedFd<'_>) -> Result<Ordering, Errno> {
    let pid = rustix::process::getpid().as_raw_nonzero().get();
    // SAFETY: kcmp reads two numbers of our own descriptor table and writes nothing.
    let order = unsafe { libc::syscall(libc::SYS_kcmp, pid, pid, KCMP_FILE, a.as_raw_fd(), b.as_raw_fd()) };
    match order {
        0 => Ok(Ordering::Equal),
        1 => Ok(Ordering::Less),
        2 => Ok(Ordering::Greater),
        -1 => Err(crate::exec::last_errno()),
        _ => Err(Errno::OPNOTSUPP),
    }
}

/// True when both are the same open file description. Errors as of [`order`], but for an order it does not ask.
///
/// Reference: kcmp(2).
pub fn same_file(a: BorrowedFd<'_>, b: BorrowedFd<'_>) -> Result<bool, Errno> {
    match order(a, b) {
        Ok(order) => Ok(order == Ordering::Equal),
        Err(Errno::OPNOTSUPP) => Ok(false),
        Err(error) => Err(error),
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

    #[test]
    fn the_order_is_one_and_a_duplicate_stands_where_its_original_does() {
        let files: Vec<File> = (0..20).map(|_| File::open("/proc/self/exe").unwrap()).collect();
        let mut sorted: Vec<&File> = files.iter().collect();
        sorted.sort_by(|a, b| order(a.as_fd(), b.as_fd()).unwrap());
        for (position, file) in sorted.iter().enumerate() {
            let copy = file.try_clone().unwrap();
            let found = sorted.binary_search_by(|known| order(known.as_fd(), copy.as_fd()).unwrap());
            assert_eq!(found, Ok(position));
        }
    }
}
