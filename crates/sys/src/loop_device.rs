//! Loop devices: a file as a block device.

use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};

use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;

// linux/loop.h.
const LOOP_CLR_FD: libc::Ioctl = 0x4C01;
const LOOP_GET_STATUS64: libc::Ioctl = 0x4C05;
const LOOP_CONFIGURE: libc::Ioctl = 0x4C0A;
const LOOP_CTL_GET_FREE: libc::Ioctl = 0x4C82;
const LO_FLAGS_READ_ONLY: u32 = 1;
const LO_FLAGS_AUTOCLEAR: u32 = 4;

/// struct loop_info64.
#[repr(C)]
#[derive(Clone, Copy)]
struct Info {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    encrypt_key: [u8; 32],
    init: [u64; 2],
}

/// struct loop_config.
#[repr(C)]
struct Config {
    fd: u32,
    block_size: u32,
    info: Info,
    reserved: [u64; 8],
}

/// Another program may take the free number before us this often.
const ATTEMPTS: u32 = 32;

/// Attaches `file` to a free loop device, which detaches itself when its last user is gone. Returns the device and its
/// path. [`Errno::NOENT`] or [`Errno::NXIO`] where the kernel has no loop devices.
///
/// Reference: loop(4), LOOP_CONFIGURE (Linux 5.8).
pub fn attach(file: impl AsFd, read_only: bool) -> Result<(OwnedFd, String), Errno> {
    let control = open("/dev/loop-control", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    for _ in 0..ATTEMPTS {
        // SAFETY: the call takes no argument and returns a number.
        let number = unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE) };
        if number < 0 {
            return Err(crate::exec::last_errno());
        }
        let path = format!("/dev/loop{number}");
        let access = if read_only { OFlags::RDONLY } else { OFlags::RDWR };
        let device = open(&path, access | OFlags::CLOEXEC, Mode::empty())?;
        // SAFETY: all-zero bytes are a valid configuration.
        let mut config: Config = unsafe { std::mem::zeroed() };
        config.fd = u32::try_from(file.as_fd().as_raw_fd()).unwrap_or(u32::MAX);
        config.info.flags = LO_FLAGS_AUTOCLEAR | if read_only { LO_FLAGS_READ_ONLY } else { 0 };
        // SAFETY: the argument is a loop_config that lives through the call.
        if unsafe { libc::ioctl(device.as_raw_fd(), LOOP_CONFIGURE, &raw const config) } == 0 {
            return Ok((device, path));
        }
        match crate::exec::last_errno() {
            Errno::BUSY => {}
            error => return Err(error),
        }
    }
    Err(Errno::BUSY)
}

/// Device and inode of the file that is attached, as in stat(2), and whether it can only be read. [`Errno::NXIO`]: none
/// is.
///
/// Reference: loop(4), LOOP_GET_STATUS64.
pub fn attached(device: impl AsFd) -> Result<(u64, u64, bool), Errno> {
    // SAFETY: all-zero bytes are a valid loop_info64.
    let mut info: Info = unsafe { std::mem::zeroed() };
    // SAFETY: the argument is a loop_info64 that lives through the call.
    if unsafe { libc::ioctl(device.as_fd().as_raw_fd(), LOOP_GET_STATUS64, &raw mut info) } != 0 {
        return Err(crate::exec::last_errno());
    }
    Ok((info.device, info.inode, info.flags & LO_FLAGS_READ_ONLY != 0))
}

/// Detaches what is attached, when its last user is gone.
///
/// Reference: loop(4), LOOP_CLR_FD.
pub fn detach(device: impl AsFd) -> Result<(), Errno> {
    // SAFETY: the call takes no argument.
    if unsafe { libc::ioctl(device.as_fd().as_raw_fd(), LOOP_CLR_FD, 0) } != 0 {
        return Err(crate::exec::last_errno());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structures_have_the_kernels_size() {
        assert_eq!(size_of::<Info>(), 232);
        assert_eq!(size_of::<Config>(), 304);
    }

    #[test]
    fn what_is_no_loop_device_is_not_detached() {
        let null = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(detach(&null), Err(Errno::NOTTY));
        assert_eq!(attached(&null), Err(Errno::NOTTY));
    }
}
