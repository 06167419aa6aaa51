//! The container's console: a pseudo-terminal whose other end is read into memory.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::error::{Context, Error};

/// No more than this of the console's text is kept; the end matters most.
const MOST: usize = 256 * 1024;

/// A pseudo-terminal.
#[derive(Debug)]
pub struct Console {
    path: PathBuf,
    text: Arc<Mutex<Vec<u8>>>,
    /// Held open, so that the reader sees no hang-up between two users of the terminal.
    _peer: OwnedFd,
}

impl Console {
    /// A new one, read from now on.
    ///
    /// # Errors
    /// [`Error::Io`] if there is no pseudo-terminal to be had.
    pub fn open() -> Result<Console, Error> {
        let doing = "making the container's console";
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let main = openpt(flags).doing(doing)?;
        grantpt(&main).doing(doing)?;
        unlockpt(&main).doing(doing)?;
        let name = ptsname(&main, Vec::new()).doing(doing)?;
        let path = PathBuf::from(std::ffi::OsStr::from_bytes(name.to_bytes()));
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let peer = open(&path, flags, Mode::empty()).doing(doing)?;
        let text = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&text);
        std::thread::spawn(move || collect(std::fs::File::from(main), &sink));
        Ok(Console {
            path,
            text,
            _peer: peer,
        })
    }

    /// The terminal's device node.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was written so far.
    pub fn text(&self) -> String {
        let text = self
            .text
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        String::from_utf8_lossy(&text).into_owned()
    }
}

fn collect(mut main: std::fs::File, sink: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = main.read(&mut buffer) {
        let mut text = sink.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        text.extend_from_slice(buffer.get(..length).unwrap_or_default());
        let surplus = text.len().saturating_sub(MOST);
        text.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_to_the_terminal_is_collected() {
        let console = Console::open().unwrap();
        std::fs::write(console.path(), "hello\n").unwrap();
        while !console.text().contains("hello") {
            std::thread::yield_now();
        }
    }
}
