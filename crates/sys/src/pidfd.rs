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

/// The number of the process behind a pidfd, as this process' PID namespace has it; `None` when it has ended and was
/// reaped, or is in none of ours.
///
/// Reference: pidfd_open(2), "fdinfo".
pub fn pid(pidfd: impl AsFd) -> Option<i32> {
    let number = std::os::fd::AsRawFd::as_raw_fd(&pidfd.as_fd());
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}")).ok()?;
    let pid = text.lines().find_map(|line| line.strip_prefix("Pid:"))?;
    pid.trim().parse().ok().filter(|pid| *pid > 0)
}

/// Whether the process behind a pidfd has not ended.
pub fn is_alive(pidfd: impl AsFd) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let fd = pidfd.as_fd();
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&at_once)) == Ok(0)
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

    #[test]
    fn a_pidfd_knows_its_process() {
        let own = rustix::process::getpid();
        let fd = rustix::process::pidfd_open(own, rustix::process::PidfdFlags::empty()).unwrap();
        assert_eq!(pid(&fd), Some(own.as_raw_nonzero().get()));
        assert!(is_alive(&fd));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let number = rustix::process::Pid::from_child(&child);
        let fd = rustix::process::pidfd_open(number, rustix::process::PidfdFlags::empty()).unwrap();
        child.wait().unwrap();
        assert!(!is_alive(&fd));
        assert_eq!(pid(&fd), None);
        assert_eq!(pid(std::fs::File::open("/dev/null").unwrap()), None);
    }
}
