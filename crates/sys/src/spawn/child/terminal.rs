//! A terminal among the standard streams, before the program has it.

use std::ffi::c_int;

use crate::spawn::plan::Terminal;
use crate::terminal::{CLEAR, reset};

/// How often a terminal that is just being hung up is opened again, each time after [`PAUSE`].
const ATTEMPTS: u32 = 100;
static PAUSE: libc::timespec = libc::timespec {
    tv_sec: 0,
    tv_nsec: 10_000_000,
};

/// False when it failed; errno says why. Nothing here waits for what the terminal still has to print.
///
/// # Safety
/// As for [`super::run`].
pub(super) unsafe fn take(terminal: &Terminal) -> bool {
    let Some(on) = terminal.streams.iter().position(|is| *is) else {
        return true;
    };
    // A position of three.
    let on = on as c_int;
    // SAFETY: system calls on standard streams with numbers, or structures that are large enough.
    unsafe {
        if let Some(path) = &terminal.hang_up
            && !(libc::ioctl(on, libc::TIOCVHANGUP) == 0 && open_anew(path.as_ptr(), &terminal.streams))
        {
            return false;
        }
        if terminal.reset && !reset(on) {
            return false;
        }
        if terminal.clear {
            clear(on);
        }
        if let Some(user) = terminal.owner
            && libc::fchown(on, user, u32::MAX) != 0
        {
            return false;
        }
        if terminal.control && libc::ioctl(0, libc::TIOCSCTTY, 1) != 0 {
            return false;
        }
        resize(on, terminal)
    }
}

/// # Safety
/// As for [`super::run`]; `path` is a string.
unsafe fn open_anew(path: *const libc::c_char, streams: &[bool; 3]) -> bool {
    let mut attempt = 0;
    // SAFETY: system calls with numbers and a valid string.
    unsafe {
        let fd = loop {
            // A line without carrier would make open(2) wait.
            let fd = libc::open(path, libc::O_RDWR | libc::O_NOCTTY | libc::O_NONBLOCK);
            attempt += 1;
            // EIO: somebody else is hanging it up.
            if fd >= 0 || *libc::__errno_location() != libc::EIO || attempt >= ATTEMPTS {
                break fd;
            }
            libc::nanosleep(&raw const PAUSE, std::ptr::null_mut());
        };
        if fd < 0 || libc::fcntl(fd, libc::F_SETFL, 0) < 0 {
            return false;
        }
        for (stream, is) in streams.iter().enumerate() {
            if *is && libc::dup2(fd, stream as c_int) < 0 {
                return false;
            }
        }
        // The standard streams are all taken, so it is none of them.
        libc::close(fd);
        true
    }
}

/// What does not fit into the terminal's buffer now is not written: it may be held by flow control.
///
/// # Safety
/// As for [`super::run`].
unsafe fn clear(on: c_int) {
    // SAFETY: a constant buffer with its length.
    unsafe {
        libc::fcntl(on, libc::F_SETFL, libc::O_NONBLOCK);
        libc::write(on, CLEAR.as_ptr().cast(), CLEAR.len());
        libc::fcntl(on, libc::F_SETFL, 0);
    }
}

/// # Safety
/// As for [`super::run`].
unsafe fn resize(on: c_int, terminal: &Terminal) -> bool {
    if terminal.columns.is_none() && terminal.rows.is_none() {
        return true;
    }
    // SAFETY: ioctls with a structure of the right kind.
    unsafe {
        let mut size: libc::winsize = std::mem::zeroed();
        if libc::ioctl(on, libc::TIOCGWINSZ, &raw mut size) != 0 {
            return false;
        }
        size.ws_col = terminal.columns.unwrap_or(size.ws_col);
        size.ws_row = terminal.rows.unwrap_or(size.ws_row);
        libc::ioctl(on, libc::TIOCSWINSZ, &raw const size) == 0
    }
}
