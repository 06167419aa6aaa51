//! The end of the machine without softbootd, for when it does not answer: reboot(2).

use rustix::system::{RebootCommand, reboot};

use crate::error::Error;
use crate::exit;

/// Ends it now. Nothing is stopped, and nothing that is not on the disk yet is written.
pub(super) fn end(command: RebootCommand) -> Result<u8, Error> {
    reboot(command).map_err(|errno| Error::Kernel { source: errno.into() })?;
    Ok(exit::OK)
}
