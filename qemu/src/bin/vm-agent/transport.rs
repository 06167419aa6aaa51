//! The line to the host: the virtio port where its module is loaded, else the second serial port.

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::termios::OptionalActions;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The driver's list of ports; there only once the module is loaded.
const PORTS: &str = "/sys/class/virtio-ports";
/// The port's name on the host's command line.
const PORT_NAME: &str = softboot_qemu::machine::EVENTS_PORT;
/// The second serial port; the first is the console.
const SERIAL: &str = "/dev/ttyS1";

/// An open line, not blocking.
pub(crate) struct Transport {
    fd: OwnedFd,
    path: PathBuf,
    /// Bytes to write, from `written` on.
    pending: Vec<u8>,
    written: usize,
}

impl Transport {
    /// Opens the line that is there.
    pub(crate) fn open() -> io::Result<Self> {
        let path = find_port().unwrap_or_else(|| PathBuf::from(SERIAL));
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = rustix::fs::open(&path, flags, Mode::empty())
            .map_err(|error| io::Error::new(error.kind(), format!("opening {}: {error}", path.display())))?;
        if path == Path::new(SERIAL) {
            let mut settings = rustix::termios::tcgetattr(&fd)?;
            settings.make_raw();
            rustix::termios::tcsetattr(&fd, OptionalActions::Flush, &settings)?;
        }
        Ok(Self {
            fd,
            path,
            pending: Vec::new(),
            written: 0,
        })
    }

    /// The device, for the greeting.
    pub(crate) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Whether all that was queued is written.
    pub(crate) fn is_idle(&self) -> bool {
        self.pending.is_empty()
    }

    /// Queues bytes and writes what the line takes. A host that is away takes nothing; the bytes stay.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.pending.extend_from_slice(bytes);
        while let Some(rest) = self.pending.get(self.written..).filter(|rest| !rest.is_empty()) {
            match rustix::io::write(&self.fd, rest) {
                Ok(0) | Err(Errno::AGAIN | Errno::PIPE | Errno::NODEV) => break,
                Ok(count) => self.written += count,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if self.written == self.pending.len() {
            self.pending.clear();
            self.written = 0;
        }
        Ok(())
    }

    /// What the host sent, or nothing.
    pub(crate) fn read(&self) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; 64 * 1024];
        match rustix::io::read(&self.fd, &mut *buffer) {
            Ok(count) => buffer.truncate(count),
            Err(Errno::AGAIN | Errno::INTR | Errno::PIPE) => buffer.clear(),
            Err(error) => return Err(error.into()),
        }
        Ok(buffer)
    }
}

impl AsFd for Transport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Looks for the named port. Its name arrives from the host a moment after the module is loaded, so a loaded
/// module is given that moment.
fn find_port() -> Option<PathBuf> {
    for _ in 0..40 {
        for entry in std::fs::read_dir(PORTS).ok()?.flatten() {
            let name = std::fs::read_to_string(entry.path().join("name")).unwrap_or_default();
            let device = Path::new("/dev").join(entry.file_name());
            if name.trim() == PORT_NAME && device.exists() {
                return Some(device);
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    None
}
