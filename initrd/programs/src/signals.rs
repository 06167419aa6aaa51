//! The end of a program, asked for by signal.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::error::{Context, Error};

/// A descriptor that becomes readable once SIGTERM has come, so that a poll loop ends between two steps and never
/// inside one.
///
/// # Errors
/// [`Error::Io`] if the descriptor or the handler cannot be made.
pub fn termination() -> Result<OwnedFd, Error> {
    let (read, write) = UnixStream::pair().doing("making a socket pair for SIGTERM")?;
    signal_hook::low_level::pipe::register(SIGTERM, write).doing("catching SIGTERM")?;
    Ok(read.into())
}

/// True once the signal behind [`termination`] has come.
pub fn has_come(termination: impl AsFd) -> bool {
    let mut fds = [PollFd::new(&termination, PollFlags::IN)];
    matches!(poll(&mut fds, Some(&Timespec::default())), Ok(1..))
}

/// From now on SIGTERM, SIGINT and SIGHUP do nothing in this process.
///
/// # Errors
/// [`Error::Io`] if a handler cannot be set.
pub fn shrug_off() -> Result<(), Error> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&flag)).doing(format!("catching signal {signal}"))?;
    }
    Ok(())
}
