//! Waiting, for programs that have nothing else to do.

use std::os::fd::BorrowedFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::{Interest, TransferError};

/// Waits until something of interest may have happened.
pub(crate) fn wait(
    fd: BorrowedFd<'_>,
    interest: Interest,
    deadline: Option<Instant>,
) -> Result<(), TransferError> {
    let mut flags = PollFlags::IN;
    flags.set(PollFlags::OUT, interest.writable);
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    if left.is_some_and(|left| left.is_zero()) {
        return Err(TransferError::Deadline);
    }
    let limit = match (left, interest.retry_after) {
        (Some(left), Some(retry)) => Some(left.min(retry)),
        (left, retry) => left.or(retry),
    };
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    match poll(&mut [PollFd::from_borrowed_fd(fd, flags)], limit.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(TransferError::Io(error.into())),
    }
}
