//! Standard input as the controlling terminal.

use crate::spawn::plan::Terminal;

/// False when it failed; errno says why. Nothing here waits for what the terminal still has to print.
///
/// # Safety
/// As for [`super::run`].
pub(super) unsafe fn take(terminal: &Terminal) -> bool {
    // SAFETY: ioctls on standard input with numbers, or structures that are large enough.
    unsafe {
        if libc::ioctl(0, libc::TIOCSCTTY, 1) != 0 || (terminal.reset && !reset()) {
            return false;
        }
        if terminal.columns.is_none() && terminal.rows.is_none() {
            return true;
        }
        let mut size: libc::winsize = std::mem::zeroed();
        if libc::ioctl(0, libc::TIOCGWINSZ, &raw mut size) != 0 {
            return false;
        }
        size.ws_col = terminal.columns.unwrap_or(size.ws_col);
        size.ws_row = terminal.rows.unwrap_or(size.ws_row);
        libc::ioctl(0, libc::TIOCSWINSZ, &raw const size) == 0
    }
}

/// The modes of termios(3) with which a terminal is usable whatever the program before did to it. Its speed stays.
///
/// # Safety
/// As for [`super::run`].
unsafe fn reset() -> bool {
    // SAFETY: a structure that tcgetattr fills; neither call allocates.
    unsafe {
        let mut modes: libc::termios = std::mem::zeroed();
        if libc::tcgetattr(0, &raw mut modes) != 0 {
            return false;
        }
        modes.c_iflag &= !(libc::IGNBRK
            | libc::BRKINT
            | libc::ISTRIP
            | libc::INLCR
            | libc::IGNCR
            | libc::IXOFF
            | libc::IXANY);
        modes.c_iflag |= libc::ICRNL | libc::IMAXBEL | libc::IUTF8 | libc::IXON;
        modes.c_oflag |= libc::ONLCR | libc::OPOST;
        modes.c_cflag |= libc::CREAD;
        modes.c_lflag = libc::ISIG
            | libc::ICANON
            | libc::IEXTEN
            | libc::ECHO
            | libc::ECHOE
            | libc::ECHOK
            | libc::ECHOCTL
            | libc::ECHOKE;
        for (index, value) in [
            (libc::VINTR, 3),
            (libc::VQUIT, 28),
            (libc::VERASE, 127),
            (libc::VKILL, 21),
            (libc::VEOF, 4),
            (libc::VSTART, 17),
            (libc::VSTOP, 19),
            (libc::VSUSP, 26),
            (libc::VTIME, 0),
            (libc::VMIN, 1),
        ] {
            if let Some(slot) = modes.c_cc.get_mut(index) {
                *slot = value;
            }
        }
        libc::tcsetattr(0, libc::TCSANOW, &raw const modes) == 0
    }
}
