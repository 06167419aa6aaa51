//! `kexec_file_load(kernel, initrd, length, command line, flags)`: the kernel that reboot(2) is to start without the firmware.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};

use rustix::io::Errno;

// linux/kexec.h
const KEXEC_FILE_UNLOAD: libc::c_ulong = 1;
const KEXEC_FILE_NO_INITRAMFS: libc::c_ulong = 4;

/// Loads a kernel, with its initial RAM file system and its command line, in the place of one that is loaded already. Nothing
/// of the running kernel changes before reboot(2) with LINUX_REBOOT_CMD_KEXEC.
///
/// Both files are read to their end here, so it takes as long as reading them. It needs CAP_SYS_BOOT of the machine: a
/// container that has it loads the kernel of its host.
///
/// Reference: kexec_file_load(2).
pub fn load(kernel: impl AsFd, initrd: Option<BorrowedFd<'_>>, command_line: &CStr) -> Result<(), Errno> {
    let flags = if initrd.is_some() {
        0
    } else {
        KEXEC_FILE_NO_INITRAMFS
    };
    call(Some(kernel.as_fd()), initrd, Some(command_line), flags)
}

/// Takes the loaded kernel away again, if there is one.
///
/// Reference: kexec_file_load(2).
pub fn unload() -> Result<(), Errno> {
    call(None, None, None, KEXEC_FILE_UNLOAD)
}

fn call(
    kernel: Option<BorrowedFd<'_>>,
    initrd: Option<BorrowedFd<'_>>,
    command_line: Option<&CStr>,
    flags: libc::c_ulong,
) -> Result<(), Errno> {
    let number = |fd: Option<BorrowedFd<'_>>| fd.map_or(-1, |fd| fd.as_raw_fd());
    let text = command_line.map_or(std::ptr::null(), CStr::as_ptr);
    // The kernel counts the NUL.
    let length = command_line.map_or(0, |line| line.count_bytes().saturating_add(1));
    // SAFETY: the text is NULL with a length of 0, or has that many bytes, the last of them NUL, and lives through the call; the
    // descriptors are lent for it, or -1 where the flags say that there is none. Nothing else of this process is touched.
    let result = unsafe {
        libc::syscall(
            libc::SYS_kexec_file_load,
            number(kernel),
            number(initrd),
            length,
            text,
            flags,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(crate::exec::last_errno())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_kernel_is_refused_and_nothing_is_loaded() {
        let file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut &file, b"no kernel").unwrap();
        let refused = load(&file, None, c"quiet").unwrap_err();
        // ENOEXEC for who may load one; EPERM for others and where kexec is closed, ENOSYS where there is none.
        assert!(
            [Errno::NOEXEC, Errno::PERM, Errno::NOSYS].contains(&refused),
            "{refused:?}"
        );
    }
}
