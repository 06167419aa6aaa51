//! What a pidfd says of itself.

use std::os::fd::AsFd;

/// The magic number of pidfs (linux/magic.h), since Linux 6.9.
const PIDFS_MAGIC: u64 = 0x5049_4446;

/// The 64-bit id of the process behind a pidfd: never used again while the kernel runs. `None` on a kernel whose
/// pidfds are not on pidfs, where all of them share one inode.
///
/// Reference: pidfd_open(2), "pidfs".
pub fn id(pidfd: impl AsFd) -> Option<u64> {
    let filesystem = rustix::fs::fstatfs(&pidfd).ok()?;
    let magic = u64::try_from(filesystem.f_type).ok()?;
    (magic == PIDFS_MAGIC).then(|| rustix::fs::fstat(&pidfd).ok().map(|stat| stat.st_ino))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{PidfdFlags, getpid, pidfd_open};

    #[test]
    fn two_pidfds_of_one_process_have_one_id() {
        let one = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
        let two = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
        assert_eq!(id(&one), id(&two));
    }

    #[test]
    fn what_is_no_pidfd_has_no_id() {
        assert_eq!(id(std::fs::File::open("/").unwrap()), None);
    }
}
