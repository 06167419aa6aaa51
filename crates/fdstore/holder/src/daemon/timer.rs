//! One timerfd for everything that has its time. CLOCK_BOOTTIME, as expiries are: it goes on through suspend.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

pub(super) struct Timer {
    fd: OwnedFd,
    set: Option<u64>,
}

impl Timer {
    pub(super) fn new() -> Result<Timer, Errno> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        Ok(Timer {
            fd: timerfd_create(TimerfdClockId::Boottime, flags)?,
            set: None,
        })
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Fires at this time, in microseconds, or not at all.
    pub(super) fn set(&mut self, at: Option<u64>) -> Result<(), Errno> {
        if at == self.set {
            return Ok(());
        }
        // Zero would switch it off; what is due fires at once with any time that has passed.
        let value = at.map_or(0, |at| at.max(1));
        let spec = Itimerspec {
            it_interval: Timespec::default(),
            it_value: Timespec {
                tv_sec: i64::try_from(value / 1_000_000).unwrap_or(i64::MAX),
                tv_nsec: i64::try_from(value % 1_000_000)
                    .unwrap_or(0)
                    .saturating_mul(1_000),
            },
        };
        timerfd_settime(&self.fd, TimerfdTimerFlags::ABSTIME, &spec)?;
        self.set = at;
        Ok(())
    }

    /// It has fired: it is not readable any more, and set to nothing.
    pub(super) fn acknowledge(&mut self) {
        let mut count = [0_u8; 8];
        let _ = rustix::io::read(&self.fd, &mut count);
        self.set = None;
    }
}
