//! The hardware watchdog: a timer that resets the machine unless it is told in time that all is well.

use std::os::fd::{AsFd, AsRawFd as _};

use rustix::io::Errno;

// linux/watchdog.h: _IOWR('W', 6, int) and _IOR('W', 5, int).
const WDIOC_SETTIMEOUT: libc::Ioctl = 0xC004_5706_u32 as libc::Ioctl;
const WDIOC_KEEPALIVE: libc::Ioctl = 0x8004_5705_u32 as libc::Ioctl;

/// Asks for a time-out and returns the one that the hardware takes, both in seconds.
///
/// Reference: the kernel's Documentation/watchdog/watchdog-api.rst.
pub fn set_timeout(device: impl AsFd, seconds: u32) -> Result<u32, Errno> {
    let mut value = libc::c_int::try_from(seconds).unwrap_or(libc::c_int::MAX);
    // SAFETY: the argument is an int that lives through the call.
    if unsafe { libc::ioctl(device.as_fd().as_raw_fd(), WDIOC_SETTIMEOUT, &raw mut value) } != 0 {
        return Err(crate::exec::last_errno());
    }
    Ok(u32::try_from(value).unwrap_or(0))
}

/// All is well until the next time-out.
pub fn keep_alive(device: impl AsFd) -> Result<(), Errno> {
    let mut value: libc::c_int = 0;
    // SAFETY: the argument is an int that lives through the call.
    if unsafe { libc::ioctl(device.as_fd().as_raw_fd(), WDIOC_KEEPALIVE, &raw mut value) } != 0 {
        return Err(crate::exec::last_errno());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_watchdog_is_refused() {
        let null = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(set_timeout(&null, 30), Err(Errno::NOTTY));
        assert_eq!(keep_alive(&null), Err(Errno::NOTTY));
    }
}
