//! `execveat(fd, "", argv, envp, AT_EMPTY_PATH)`: replace this program by the one behind a descriptor.

use std::ffi::{CStr, CString, c_char};
use std::os::fd::{AsRawFd as _, BorrowedFd};

use rustix::io::Errno;

/// Executes `program`. Returns only on failure, with the reason; nothing has changed then.
///
/// Signals that are blocked stay blocked in the next program, and those that are pending stay pending; descriptors
/// without FD_CLOEXEC stay open.
///
/// References: execveat(2), execve(2) "Effect on process attributes".
pub fn execveat(program: BorrowedFd<'_>, argv: &[CString], env: &[CString]) -> Errno {
    let argv = pointers(argv);
    let env = pointers(env);
    // SAFETY: the path is a NUL-terminated empty string, and both arrays are NULL-terminated arrays of pointers to
    // NUL-terminated strings that live until the call returns.
    let _ = unsafe {
        libc::syscall(
            libc::SYS_execveat,
            program.as_raw_fd(),
            c"".as_ptr(),
            argv.as_ptr(),
            env.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    last_errno()
}

/// Executes the program at `path`, or the interpreter that its first line names. Otherwise as [`execveat`].
///
/// Reference: execve(2).
pub fn execve(path: &CStr, argv: &[CString], env: &[CString]) -> Errno {
    let argv = pointers(argv);
    let env = pointers(env);
    // SAFETY: the path is NUL-terminated, and both arrays are NULL-terminated arrays of pointers to NUL-terminated
    // strings that live until the call returns.
    let _ = unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    last_errno()
}

/// The NULL-terminated array the kernel wants. The strings must outlive it.
pub(crate) fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings
        .iter()
        .map(|string| string.as_ptr())
        .chain([std::ptr::null()])
        .collect()
}

/// errno of the call just made.
pub(crate) fn last_errno() -> Errno {
    let error = std::io::Error::last_os_error();
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{Mode, OFlags, open};
    use std::os::fd::AsFd as _;

    #[test]
    fn what_cannot_be_executed_says_why() {
        let file = open("/etc/passwd", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
        assert_eq!(execveat(file.as_fd(), &[c"x".to_owned()], &[]), Errno::ACCESS);
        assert_eq!(execve(c"/etc/passwd", &[c"x".to_owned()], &[]), Errno::ACCESS);
        assert_eq!(execve(c"/nowhere", &[c"x".to_owned()], &[]), Errno::NOENT);
    }
}
