//! Which descriptors belong to which message of a stream.
//!
//! The kernel ends a read behind the piece that descriptors came with (unix(7), SCM_RIGHTS on streams), but earlier
//! pieces without any may be in the same read. So the last byte of the read is the one that is surely of their
//! message, and what counts is the message in which that byte lies. A sender has to send each message that has
//! descriptors by a call of its own.

use std::collections::VecDeque;
use std::os::fd::{BorrowedFd, OwnedFd};

use std::os::fd::AsFd as _;

/// The most descriptors that one message has: what the kernel takes in one call (SCM_MAX_FD).
pub const MAX_FDS: usize = 253;

#[derive(Debug)]
struct Arrival {
    /// Place in the stream of the last byte that was read with them.
    last: u64,
    fds: Vec<OwnedFd>,
    /// Some that came here are gone: the kernel had no free number for them, or too many waited.
    lost: bool,
}

/// Descriptors whose messages are not complete yet.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    queue: VecDeque<Arrival>,
}

/// What came beside one message.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    pub(crate) fds: Vec<OwnedFd>,
    pub(crate) lost: bool,
}

impl Arrivals {
    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.iter().map(|arrival| arrival.fds.len()).sum()
    }

    /// With how many reads they came.
    pub(crate) fn pieces(&self) -> usize {
        self.queue.len()
    }

    /// Notes what came with a read whose last byte is at `last`.
    pub(crate) fn push(&mut self, last: u64, fds: Vec<OwnedFd>, lost: bool) {
        if lost || !fds.is_empty() {
            self.queue.push_back(Arrival { last, fds, lost });
        }
    }

    /// Takes what came with everything before `end`.
    pub(crate) fn take_before(&mut self, end: u64) -> Beside {
        let mut beside = Beside::default();
        while let Some(arrival) = self.queue.pop_front_if(|arrival| arrival.last < end) {
            beside.fds.extend(arrival.fds);
            beside.lost |= arrival.lost;
        }
        beside
    }

    /// Everything that waits: place, count and loss of each, and the descriptors in that order.
    pub(crate) fn state(&self) -> (Vec<(u64, usize, bool)>, impl Iterator<Item = BorrowedFd<'_>>) {
        let places = self
            .queue
            .iter()
            .map(|arrival| (arrival.last, arrival.fds.len(), arrival.lost))
            .collect();
        let fds = self
            .queue
            .iter()
            .flat_map(|arrival| arrival.fds.iter().map(|fd| fd.as_fd()));
        (places, fds)
    }
}
