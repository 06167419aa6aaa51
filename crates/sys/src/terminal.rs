//! What a program leaves behind on a terminal, and taking it away (`TTYReset=`, `TTYVHangup=`, `TTYVTDisallocate=` of
//! systemd.exec(5)).

use std::os::fd::{AsFd, AsRawFd as _, OwnedFd, RawFd};

use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;

/// console_codes(4): the whole screen scrolls, the cursor goes to its top, the screen and what was scrolled out are erased.
pub(crate) const CLEAR: &[u8] = b"\x1b[r\x1b[H\x1b[3J";

/// linux/vt.h.
const VT_DISALLOCATE: libc::Ioctl = 0x5608;

/// What [`leave`] does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leaving {
    /// Line discipline back to what a login expects.
    pub reset: bool,
    /// Everyone who has it open loses it.
    pub hang_up: bool,
    /// A virtual console's memory is given back; where that cannot be, the screen is emptied.
    pub disallocate: bool,
    /// It is root's again.
    pub disown: bool,
}

/// After the last process of a service that had the terminal. May wait for a driver, so it is nothing for PID 1 itself.
/// `path` is where the terminal is. A terminal that was hung up since it was opened is somebody else's: nothing is done to it
/// then.
///
/// # Errors
/// What the kernel says to the first step that fails; the others are not done.
pub fn leave(terminal: OwnedFd, path: &[u8], what: Leaving) -> Result<(), Errno> {
    let number = virtual_console(path);
    if what.reset && !reset(terminal.as_raw_fd()) {
        return Err(last_error());
    }
    if what.disown {
        rustix::fs::fchown(&terminal, Some(rustix::fs::Uid::ROOT), None)?;
    }
    if what.disallocate {
        // What flow control holds is not waited for.
        let _ = rustix::io::write(&terminal, CLEAR);
    }
    if what.hang_up {
        hang_up(&terminal)?;
    }
    drop(terminal);
    if let (true, Some(number)) = (what.disallocate, number) {
        disallocate(number);
    }
    Ok(())
}

fn hang_up(terminal: impl AsFd) -> Result<(), Errno> {
    // SAFETY: an ioctl without argument on an open descriptor.
    match unsafe { libc::ioctl(terminal.as_fd().as_raw_fd(), libc::TIOCVHANGUP) } {
        0 => Ok(()),
        _ => Err(last_error()),
    }
}

/// One that is open or shown stays, which is no error: it has been emptied.
fn disallocate(number: u16) {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    if let Ok(any) = open("/dev/tty0", flags, Mode::empty()) {
        // SAFETY: an ioctl with a number on an open descriptor.
        unsafe { libc::ioctl(any.as_raw_fd(), VT_DISALLOCATE, libc::c_ulong::from(number)) };
    }
}

/// `/dev/ttyN`; 0 stands for the one that is shown, and for all to VT_DISALLOCATE.
fn virtual_console(path: &[u8]) -> Option<u16> {
    let digits = path.strip_prefix(b"/dev/tty")?;
    let number: u16 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (number > 0 && digits.first() != Some(&b'+')).then_some(number)
}

fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}

/// The modes of termios(3) with which a terminal is usable whatever the program before did to it. Its speed stays. False
/// when it failed; errno says why. Neither allocates nor waits.
pub(crate) fn reset(fd: RawFd) -> bool {
    // SAFETY: a structure that tcgetattr fills; a number that is no descriptor is an error.
    unsafe {
        let mut modes: libc::termios = std::mem::zeroed();
        if libc::tcgetattr(fd, &raw mut modes) != 0 {
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
        libc::tcsetattr(fd, libc::TCSANOW, &raw const modes) == 0
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

    use super::*;

    fn pair() -> (OwnedFd, std::ffi::CString) {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        (master, name)
    }

    fn open_tty(name: &std::ffi::CStr) -> OwnedFd {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        open(name, flags, Mode::empty()).unwrap()
    }

    #[test]
    fn numbers_of_virtual_consoles() {
        for (path, number) in [
            ("/dev/tty1", Some(1)),
            ("/dev/tty63", Some(63)),
            ("/dev/tty0", None),
            ("/dev/tty", None),
            ("/dev/tty+1", None),
            ("/dev/ttyS0", None),
            ("/dev/console", None),
        ] {
            assert_eq!(virtual_console(path.as_bytes()), number, "{path}");
        }
    }

    #[test]
    fn what_was_left_is_reset_emptied_and_hung_up() {
        let (master, name) = pair();
        let held = open_tty(&name);
        let mut modes = tcgetattr(&held).unwrap();
        modes.local_modes -= LocalModes::ECHO | LocalModes::ICANON;
        tcsetattr(&held, OptionalActions::Now, &modes).unwrap();
        let what = Leaving {
            reset: true,
            disallocate: true,
            ..Leaving::default()
        };
        leave(open_tty(&name), name.to_bytes(), what).unwrap();
        let modes = tcgetattr(&held).unwrap().local_modes;
        assert!(modes.contains(LocalModes::ECHO | LocalModes::ICANON), "{modes:?}");
        let mut text = [0; 64];
        let read = rustix::io::read(&master, &mut text).unwrap();
        assert_eq!(text.get(..read), Some(CLEAR));
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let what = Leaving {
            hang_up: true,
            ..Leaving::default()
        };
        let late = open_tty(&name);
        leave(open_tty(&name), name.to_bytes(), what).unwrap();
        assert_eq!(rustix::io::write(&held, b"x"), Err(Errno::IO));
        // One who comes after somebody else's hang-up does nothing.
        let next = open_tty(&name);
        assert_eq!(leave(late, name.to_bytes(), what), Err(Errno::IO));
        assert_eq!(rustix::io::write(&next, b"x"), Ok(1));
    }
}
