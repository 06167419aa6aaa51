//! Device-mapper devices: only how to take one apart.

use std::os::fd::{AsFd, AsRawFd as _};

use rustix::io::Errno;

// linux/dm-ioctl.h: _IOWR(0xfd, 4, struct dm_ioctl).
const DM_DEV_REMOVE: libc::Ioctl = 0xC138_FD04_u32 as libc::Ioctl;

/// struct dm_ioctl.
#[repr(C)]
struct Request {
    version: [u32; 3],
    data_size: u32,
    data_start: u32,
    target_count: u32,
    open_count: i32,
    flags: u32,
    event_nr: u32,
    padding: u32,
    dev: u64,
    name: [u8; 128],
    uuid: [u8; 129],
    data: [u8; 7],
}

/// Removes the device with these numbers. [`Errno::BUSY`]: it is in use. `control` is /dev/mapper/control.
///
/// Reference: dmsetup(8) "remove"; linux/dm-ioctl.h.
pub fn remove(control: impl AsFd, major: u32, minor: u32) -> Result<(), Errno> {
    // SAFETY: all-zero bytes are a valid request.
    let mut request: Request = unsafe { std::mem::zeroed() };
    request.version = [4, 0, 0];
    request.data_size = u32::try_from(size_of::<Request>()).unwrap_or(u32::MAX);
    request.dev = rustix::fs::makedev(major, minor);
    // SAFETY: the argument is a dm_ioctl of the size it says, and lives through the call.
    if unsafe { libc::ioctl(control.as_fd().as_raw_fd(), DM_DEV_REMOVE, &raw mut request) } != 0 {
        return Err(crate::exec::last_errno());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_has_the_size_that_its_number_says() {
        assert_eq!(size_of::<Request>(), 0x138);
    }

    #[test]
    fn what_is_no_control_node_is_refused() {
        let null = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(remove(&null, 253, 0), Err(Errno::NOTTY));
    }
}
