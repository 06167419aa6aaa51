//! Files and sockets that are opened for the process and passed to it (`OpenFile=`).

use std::ffi::{CStr, c_int};

use super::Prepared;
use crate::spawn::status::Step;

/// Opens all, each after those passed already. There is room for all of them; nothing here allocates.
///
/// # Safety
/// As for [`super::run`].
pub(super) unsafe fn open_all(prepared: &mut Prepared<'_>) -> Result<(), Step> {
    for file in &prepared.plan.open_files {
        // SAFETY: a valid path.
        let mut fd = unsafe { libc::open(file.path.as_ptr(), file.flags | libc::O_CLOEXEC | libc::O_NOCTTY) };
        // SAFETY: errno is this thread's own, and the path valid.
        if fd < 0 && unsafe { *libc::__errno_location() } == libc::ENXIO {
            // SAFETY: as above.
            fd = unsafe { connect(&file.path) };
        }
        if fd < 0 {
            if file.optional {
                continue;
            }
            return Err(Step::OpenFile);
        }
        let separator: &[u8] = if prepared.passed == 0 { b"" } else { b":" };
        let name = file.name.to_bytes();
        let longer = prepared.names.len().saturating_add(separator.len() + name.len());
        // One byte stays for the end of the text.
        if prepared.sources.len() >= prepared.sources.capacity() || longer >= prepared.names.capacity() {
            return Err(Step::OpenFile);
        }
        prepared.sources.push(fd);
        prepared.names.extend_from_slice(separator);
        prepared.names.extend_from_slice(name);
        prepared.passed += 1;
    }
    Ok(())
}

/// A connection to a listening socket of whatever type; negative when there is none, and errno says why.
///
/// # Safety
/// As for [`super::run`].
unsafe fn connect(path: &CStr) -> c_int {
    // SAFETY: all-zero bytes are a valid address; the rest is calls on numbers and that address.
    unsafe {
        let mut address: libc::sockaddr_un = std::mem::zeroed();
        address.sun_family = libc::AF_UNIX as libc::sa_family_t;
        let bytes = path.to_bytes_with_nul();
        if bytes.len() > address.sun_path.len() {
            *libc::__errno_location() = libc::ENAMETOOLONG;
            return -1;
        }
        for (slot, byte) in address.sun_path.iter_mut().zip(bytes) {
            *slot = byte.cast_signed() as libc::c_char;
        }
        for kind in [libc::SOCK_STREAM, libc::SOCK_DGRAM, libc::SOCK_SEQPACKET] {
            let fd = libc::socket(libc::AF_UNIX, kind | libc::SOCK_CLOEXEC, 0);
            if fd < 0 {
                return fd;
            }
            let length = size_of::<libc::sockaddr_un>() as libc::socklen_t;
            if libc::connect(fd, (&raw const address).cast(), length) == 0 {
                return fd;
            }
            let errno = *libc::__errno_location();
            libc::close(fd);
            *libc::__errno_location() = errno;
            if errno != libc::EPROTOTYPE {
                return -1;
            }
        }
    }
    -1
}
