//! A descriptor for a child that std starts.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Lets the child have this descriptor, at the same number. In this process it stays closed on exec, so that no other
/// child gets it, whoever starts one meanwhile.
pub fn keep_open(command: &mut Command, fd: OwnedFd) -> &mut Command {
    let clear = move || {
        // SAFETY: fcntl with F_SETFD changes a flag of a descriptor that this closure owns.
        match unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, 0) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    };
    // SAFETY: between fork and exec the closure makes one async-signal-safe system call, and allocates nothing.
    unsafe { command.pre_exec(clear) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_child_it_was_given_to_has_it() {
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        let number = file.as_raw_fd();
        let link = format!("/proc/self/fd/{number}");
        let mut with = Command::new("readlink");
        keep_open(&mut with, file.into()).arg(&link);
        assert!(!Command::new("readlink").arg(&link).status().unwrap().success());
        let output = with.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}
