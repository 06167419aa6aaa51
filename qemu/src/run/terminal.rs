//! The user's terminal while it is the guest's console: raw, with Ctrl-A as the only key of ours.

use rustix::termios::{OptionalActions, Termios};
use std::os::fd::{AsFd, OwnedFd};

const CTRL_A: u8 = 1;

/// A terminal in raw mode; dropping it restores the settings.
pub(super) struct RawTerminal {
    fd: OwnedFd,
    saved: Termios,
}

impl RawTerminal {
    /// Makes the terminal raw; `None` if `fd` is none.
    pub(super) fn new(fd: impl AsFd) -> Option<Self> {
        let fd = fd.as_fd().try_clone_to_owned().ok()?;
        let saved = rustix::termios::tcgetattr(&fd).ok()?;
        let mut raw = saved.clone();
        raw.make_raw();
        rustix::termios::tcsetattr(&fd, OptionalActions::Now, &raw).ok()?;
        Some(Self { fd, saved })
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // Nothing more can be done for a terminal that is gone.
        let _ = rustix::termios::tcsetattr(&self.fd, OptionalActions::Now, &self.saved);
    }
}

/// Looks for Ctrl-A X in what is typed. Ctrl-A Ctrl-A sends one Ctrl-A; Ctrl-A and another key sends both.
#[derive(Debug, Default)]
pub(super) struct Keys {
    prefix: bool,
}

impl Keys {
    /// What to send to the guest, and whether the user wants to leave.
    pub(super) fn typed(&mut self, bytes: &[u8]) -> (Vec<u8>, bool) {
        let mut out = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            match (std::mem::take(&mut self.prefix), byte) {
                (true, b'x' | b'X') => return (out, true),
                (true, CTRL_A) => out.push(CTRL_A),
                (true, other) => out.extend([CTRL_A, other]),
                (false, CTRL_A) => self.prefix = true,
                (false, other) => out.push(other),
            }
        }
        (out, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ctrl_a_x_leaves_even_when_typed_slowly() {
        let mut keys = Keys::default();
        assert_eq!(keys.typed(b"ls\x01"), (b"ls".to_vec(), false));
        assert_eq!(keys.typed(b"x"), (vec![], true));
    }

    #[test]
    fn other_keys_reach_the_guest() {
        let mut keys = Keys::default();
        assert_eq!(keys.typed(b"\x01\x01\x03x"), (b"\x01\x03x".to_vec(), false));
        assert_eq!(keys.typed(b"\x01b"), (b"\x01b".to_vec(), false));
    }
}
