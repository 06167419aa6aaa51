//! The epoll descriptor, and what its events are for.

use std::os::fd::{AsFd, OwnedFd};

use fdstore::EntryId;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;

/// How many events one wake-up takes; the rest comes with the next.
const BATCH: usize = 64;
/// A token's kind is in the upper byte; ids of entries have 53 bits (`EntryId`).
const KIND: u32 = 56;

/// What an event is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Listener,
    Notify,
    Signals,
    Timer,
    /// The child that tries the next program.
    Checker,
    Client(u64),
    Entry(EntryId),
}

impl Token {
    fn to_u64(self) -> u64 {
        let (kind, id): (u64, u64) = match self {
            Token::Listener => (0, 0),
            Token::Notify => (1, 0),
            Token::Signals => (2, 0),
            Token::Timer => (3, 0),
            Token::Checker => (4, 0),
            Token::Client(id) => (5, id),
            Token::Entry(id) => (6, id.0),
        };
        (kind << KIND) | (id & ((1 << KIND) - 1))
    }

    fn from_u64(value: u64) -> Option<Token> {
        let id = value & ((1 << KIND) - 1);
        Some(match value >> KIND {
            0 => Token::Listener,
            1 => Token::Notify,
            2 => Token::Signals,
            3 => Token::Timer,
            4 => Token::Checker,
            5 => Token::Client(id),
            6 => Token::Entry(EntryId(id)),
            _ => return None,
        })
    }
}

pub(super) struct Poll {
    epoll: OwnedFd,
    buffer: Vec<Event>,
}

impl Poll {
    pub(super) fn new() -> Result<Poll, Errno> {
        Ok(Poll {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            buffer: Vec::with_capacity(BATCH),
        })
    }

    pub(super) fn add(&self, fd: impl AsFd, token: Token, flags: EventFlags) -> Result<(), Errno> {
        epoll::add(&self.epoll, fd, EventData::new_u64(token.to_u64()), flags)
    }

    pub(super) fn modify(&self, fd: impl AsFd, token: Token, flags: EventFlags) -> Result<(), Errno> {
        epoll::modify(&self.epoll, fd, EventData::new_u64(token.to_u64()), flags)
    }

    /// Stops watching. Closing alone is not enough: epoll keeps an open file description that somebody else holds,
    /// too (epoll(7), "Questions and answers"). One that is not watched does no harm.
    pub(super) fn delete(&self, fd: impl AsFd) {
        let _ = epoll::delete(&self.epoll, fd);
    }

    /// What is ready; with `now` without waiting.
    pub(super) fn wait(&mut self, now: bool) -> Result<Vec<(Token, EventFlags)>, Errno> {
        const NOT_AT_ALL: Timespec = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        self.buffer.clear();
        let limit = now.then_some(&NOT_AT_ALL);
        match epoll::wait(&self.epoll, spare_capacity(&mut self.buffer), limit) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
        Ok(self
            .buffer
            .drain(..)
            .filter_map(|event| Some((Token::from_u64(event.data.u64())?, event.flags)))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_the_kernel() {
        let tokens = [
            Token::Listener,
            Token::Notify,
            Token::Signals,
            Token::Timer,
            Token::Checker,
            Token::Client(7),
            Token::Entry(EntryId((1 << 53) - 1)),
        ];
        for token in tokens {
            assert_eq!(Token::from_u64(token.to_u64()), Some(token));
        }
        assert_eq!(Token::from_u64(u64::MAX), None);
    }
}
