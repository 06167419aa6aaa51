//! The hardware watchdog while the machine ends: one that hangs on the way is reset.

use std::fs::File;
use std::io::Write as _;

use softboot_sys::watchdog;
use softboot_unit::Usec;
use tracing::{info, warn};

/// The first is the usual one; the other is its old name.
const DEVICES: [&str; 2] = ["/dev/watchdog0", "/dev/watchdog"];

/// A watchdog that is armed. Dropping it disarms it: then the machine goes on.
pub(super) struct Watchdog {
    device: File,
    timeout: u32,
}

impl Watchdog {
    /// Arms it, if the machine has one.
    pub(super) fn arm(seconds: u32) -> Option<Watchdog> {
        if seconds == 0 {
            return None;
        }
        let device = DEVICES
            .iter()
            .find_map(|path| File::options().write(true).open(path).ok())?;
        let timeout = match watchdog::set_timeout(&device, seconds) {
            Ok(timeout) => timeout,
            Err(error) => {
                // It has some time-out all the same, and runs since it was opened.
                warn!("the hardware watchdog does not take {seconds} s: {error}");
                0
            }
        };
        let watchdog = Watchdog { device, timeout };
        watchdog.all_is_well();
        info!("the hardware watchdog resets the machine if this takes longer than {timeout} s");
        Some(watchdog)
    }

    /// Something went forward.
    pub(super) fn all_is_well(&self) {
        if let Err(error) = watchdog::keep_alive(&self.device) {
            warn!("the hardware watchdog does not listen: {error}");
        }
    }

    /// When it wants to hear of us again.
    pub(super) fn interval(&self) -> Usec {
        Usec::from_secs(u64::from(self.timeout.max(2) / 2))
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        // The magic close: with this the driver stops the timer, unless it is built never to.
        let _ = self.device.write_all(b"V");
    }
}
