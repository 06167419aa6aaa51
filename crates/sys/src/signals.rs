//! Signals as data: everything blocked, everything read from a signalfd.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use rustix::io::Errno;

use crate::crash::FAULTS;

/// A signal that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignalInfo {
    /// Its number.
    pub signal: i32,
    /// Who sent it; 0 for the kernel or another PID namespace.
    pub pid: i32,
    /// The sender's user.
    pub uid: u32,
    /// What came with sigqueue(3).
    pub value: i32,
}

/// All signals of this thread, as a readable descriptor.
#[derive(Debug)]
pub struct SignalFd(OwnedFd);

impl SignalFd {
    /// Blocks every signal but those of [`crate::crash`], and opens a signalfd for all that are blocked. Call it
    /// before any thread is made: threads inherit the mask.
    ///
    /// References: signalfd(2), pthread_sigmask(3).
    pub fn block_all() -> Result<SignalFd, Errno> {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigfillset initialises the set; sigdelset changes an initialised one; the signal numbers are valid.
        let set = unsafe {
            libc::sigfillset(set.as_mut_ptr());
            // A blocked fault would kill without a word (sigprocmask(2)), and a deadline must be heard in a loop.
            for signal in FAULTS.iter().chain(&[libc::SIGALRM]) {
                libc::sigdelset(set.as_mut_ptr(), *signal);
            }
            set.assume_init()
        };
        // SAFETY: the set is initialised and the old mask is not wanted.
        let blocked = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
        if blocked != 0 {
            return Err(Errno::from_raw_os_error(blocked));
        }
        // SAFETY: the set is initialised; -1 asks for a new descriptor.
        let fd = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if fd < 0 {
            return Err(crate::exec::last_errno());
        }
        // SAFETY: signalfd has just made this descriptor and nobody else knows it.
        Ok(SignalFd(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// The next signal that waits; `None` when there is none.
    pub fn read(&self) -> Result<Option<SignalInfo>, Errno> {
        let mut info = MaybeUninit::<libc::signalfd_siginfo>::uninit();
        let size = size_of::<libc::signalfd_siginfo>();
        // SAFETY: the buffer has room for one record and lives through the call.
        let read = unsafe { libc::read(self.0.as_raw_fd(), info.as_mut_ptr().cast(), size) };
        match usize::try_from(read) {
            Ok(read) if read == size => {
                // SAFETY: the kernel has filled the whole record.
                let info = unsafe { info.assume_init() };
                Ok(Some(SignalInfo {
                    signal: i32::try_from(info.ssi_signo).unwrap_or(0),
                    pid: i32::try_from(info.ssi_pid).unwrap_or(0),
                    uid: info.ssi_uid,
                    value: info.ssi_int,
                }))
            }
            Ok(_) => Ok(None),
            Err(_) => match crate::exec::last_errno() {
                Errno::AGAIN | Errno::INTR => Ok(None),
                error => Err(error),
            },
        }
    }
}

impl AsFd for SignalFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The first real-time signal that programs may use: libc keeps some for itself (signal(7)).
pub fn rtmin() -> i32 {
    libc::SIGRTMIN()
}

/// Sends this process a signal, as if it came once more.
///
/// References: kill(2).
pub fn again(signal: i32) {
    // SAFETY: no memory is passed. A number that is none is an error, and then nothing comes.
    unsafe { libc::kill(libc::getpid(), signal) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blocked_signal_is_read_with_its_sender() {
        // The mask is this thread's own.
        let signals = SignalFd::block_all().unwrap();
        let own = rustix::process::getpid();
        // SAFETY: tgkill of the own thread with a signal that is blocked in it.
        let sent = unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), libc::gettid(), libc::SIGUSR1) };
        assert_eq!(sent, 0);
        let info = signals.read().unwrap().unwrap();
        assert_eq!(
            (info.signal, info.pid),
            (libc::SIGUSR1, own.as_raw_nonzero().get())
        );
        assert_eq!(signals.read(), Ok(None));
    }
}
