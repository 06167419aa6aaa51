//! One client's buffers and the descriptors on their way from and to it.
//!
//! [`FdConnection`] is a [`Connection`] whose calls and replies may have descriptors. It can cross an execve as well:
//! [`FdConnection::state`] gives the data and the descriptors apart from each other, [`FdConnection::restore`] puts them
//! together again.

use std::collections::VecDeque;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::SendFlags;
use serde::{Deserialize, Serialize};
use softboot_sys::recv::recv_message;

use crate::MAX_FDS;
use crate::arrivals::Arrivals;
use crate::connection::{Call, Connection, ConnectionError, IO_STEP, ReadOutcome};
use crate::send::send_with;

/// The most descriptors that wait for one client's messages to be complete.
pub const MAX_WAITING: usize = 1024;
/// The most reads with descriptors that are remembered until their messages are complete. Those that were closed for
/// [`MAX_WAITING`] count, too.
const MAX_PIECES: usize = 2 * MAX_WAITING;

/// A call with what came beside it.
#[derive(Debug)]
pub struct FdCall {
    /// The call.
    pub call: Call,
    /// Its descriptors, in the order in which they were sent.
    pub fds: Vec<OwnedFd>,
    /// Why it must not be carried out, whatever it says.
    pub refusal: Option<FdRefusal>,
}

/// What is wrong with a call's descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FdRefusal {
    /// More than [`MAX_FDS`].
    #[error("the message has {0} descriptors; at most {MAX_FDS} may come with one")]
    TooMany(usize),
    /// Some were lost on the way.
    #[error("some of the message's descriptors were lost: the receiver had no room for them")]
    Lost,
}

/// A reply's descriptors, and the place in the stream where the reply begins.
#[derive(Debug)]
struct Departure {
    at: u64,
    fds: Vec<OwnedFd>,
}

/// One client's half-read input, unsent output and outstanding call, with the descriptors of each.
#[derive(Debug)]
pub struct FdConnection {
    connection: Connection,
    /// Bytes taken from the input so far.
    taken: u64,
    arrivals: Arrivals,
    /// Bytes sent so far.
    sent: u64,
    departures: VecDeque<Departure>,
    /// What nobody wants, to be closed by somebody who may wait.
    surplus: Vec<OwnedFd>,
}

/// Everything of an [`FdConnection`] that is not a descriptor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FdConnectionState {
    connection: Connection,
    taken: u64,
    arrivals: Vec<(u64, usize, bool)>,
    sent: u64,
    departures: Vec<(u64, usize)>,
}

impl FdConnectionState {
    /// How many descriptors belong to it.
    pub fn descriptors(&self) -> usize {
        let received = self.arrivals.iter().map(|(_, count, _)| *count);
        let unsent = self.departures.iter().map(|(_, count)| *count);
        received
            .chain(unsent)
            .fold(0, |sum, count| sum.saturating_add(count))
    }
}

fn offset(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

impl FdConnection {
    /// A connection with descriptors.
    pub fn new(connection: Connection) -> FdConnection {
        FdConnection {
            connection,
            taken: 0,
            arrivals: Arrivals::default(),
            sent: 0,
            departures: VecDeque::new(),
            surplus: Vec::new(),
        }
    }

    /// The part without descriptors.
    pub fn inner(&self) -> &Connection {
        &self.connection
    }

    /// Reads at most [`IO_STEP`] bytes without blocking, and the descriptors that came with them.
    pub fn read_from(&mut self, fd: BorrowedFd<'_>) -> Result<ReadOutcome, ConnectionError> {
        self.connection.check_room()?;
        if self.arrivals.pieces() > MAX_PIECES {
            return Err(ConnectionError::TooManyPieces(MAX_PIECES));
        }
        let mut chunk = vec![0u8; IO_STEP];
        let received = match recv_message(fd, &mut chunk) {
            Ok(received) => received,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(ReadOutcome::WouldBlock),
            Err(error) => return Err(ConnectionError::Io(error)),
        };
        let outcome = self.connection.feed(chunk.get(..received.len).unwrap_or(&chunk));
        let last = self
            .taken
            .saturating_add(offset(self.connection.input_len()))
            .saturating_sub(1);
        if self.arrivals.waiting().saturating_add(received.fds.len()) > MAX_WAITING {
            self.surplus.extend(received.fds);
            self.arrivals.push(last, Vec::new(), true);
        } else {
            self.arrivals.push(last, received.fds, received.control_truncated);
        }
        Ok(outcome)
    }

    /// The next complete call; none while one is outstanding.
    pub fn next_call(&mut self) -> Result<Option<FdCall>, ConnectionError> {
        let before = self.connection.input_len();
        let Some(call) = self.connection.next_call()? else {
            return Ok(None);
        };
        let length = before.saturating_sub(self.connection.input_len());
        self.taken = self.taken.saturating_add(offset(length));
        let beside = self.arrivals.take_before(self.taken);
        let refusal = match beside.fds.len() {
            _ if beside.lost => Some(FdRefusal::Lost),
            count if count > MAX_FDS => Some(FdRefusal::TooMany(count)),
            _ => None,
        };
        Ok(Some(FdCall {
            call,
            fds: beside.fds,
            refusal,
        }))
    }

    /// Answers the outstanding call and ends it. The descriptors go with the reply; a call that wants no reply gets
    /// none, and they become surplus.
    pub fn reply(&mut self, parameters: &impl Serialize, fds: Vec<OwnedFd>) -> Result<(), ConnectionError> {
        let before = self.connection.unsent();
        let result = self.connection.reply(parameters);
        if fds.is_empty() {
            return result;
        }
        if result.is_ok() && self.connection.unsent() > before {
            let at = self.sent.saturating_add(offset(before));
            self.departures.push_back(Departure { at, fds });
        } else {
            self.surplus.extend(fds);
        }
        result
    }

    /// Answers the outstanding call; more replies follow.
    pub fn reply_continues(&mut self, parameters: &impl Serialize) -> Result<(), ConnectionError> {
        self.connection.reply_continues(parameters)
    }

    /// Ends the outstanding call with the error `name`.
    pub fn error(&mut self, name: &str, parameters: &impl Serialize) -> Result<(), ConnectionError> {
        self.connection.error(name, parameters)
    }

    /// Sends once without blocking, at most [`IO_STEP`] bytes and one reply's descriptors; true when nothing is left.
    pub fn write_to(&mut self, fd: BorrowedFd<'_>) -> Result<bool, ConnectionError> {
        let mut most = IO_STEP;
        let mut own: &[OwnedFd] = &[];
        if let Some(next) = self.departures.front() {
            if next.at <= self.sent {
                own = &next.fds;
                // The next message has to start with a call of its own.
                let front = self.connection.unsent_front(IO_STEP);
                most = front
                    .iter()
                    .position(|byte| *byte == 0)
                    .map_or(most, |end| end.saturating_add(1));
            } else {
                most = usize::try_from(next.at.saturating_sub(self.sent))
                    .unwrap_or(IO_STEP)
                    .min(IO_STEP);
            }
        }
        let part = self.connection.unsent_front(most);
        if part.is_empty() {
            return Ok(true);
        }
        let borrowed: Vec<BorrowedFd<'_>> = own.iter().map(|fd| fd.as_fd()).collect();
        match send_with(fd, part, &borrowed, SendFlags::DONTWAIT) {
            Ok(bytes) => {
                if bytes > 0
                    && let Some(gone) = self.departures.pop_front_if(|next| next.at <= self.sent)
                {
                    self.surplus.extend(gone.fds);
                }
                self.sent = self.sent.saturating_add(offset(bytes));
                self.connection.sent(bytes);
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => return Err(ConnectionError::Io(error)),
        }
        Ok(self.connection.unsent() == 0)
    }

    /// Descriptors that this connection is done with: sent ones, and those that nobody wants. Closing one may block,
    /// so they are the caller's to close.
    pub fn take_surplus(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.surplus)
    }

    /// Everything that waits here, when the connection has come to its end.
    pub fn into_descriptors(mut self) -> Vec<OwnedFd> {
        let mut all = std::mem::take(&mut self.surplus);
        all.extend(self.arrivals.take_before(u64::MAX).fds);
        all.extend(self.departures.into_iter().flat_map(|departure| departure.fds));
        all
    }

    /// What the next program needs to go on: the data, and the descriptors in their order.
    pub fn state(&self) -> (FdConnectionState, Vec<BorrowedFd<'_>>) {
        let (arrivals, received) = self.arrivals.state();
        let state = FdConnectionState {
            connection: self.connection.clone(),
            taken: self.taken,
            arrivals,
            sent: self.sent,
            departures: self
                .departures
                .iter()
                .map(|departure| (departure.at, departure.fds.len()))
                .collect(),
        };
        let unsent = self
            .departures
            .iter()
            .flat_map(|departure| departure.fds.iter().map(|fd| fd.as_fd()));
        (state, received.chain(unsent).collect())
    }

    /// Goes on where another program stopped. With a descriptor too few or too many nobody knows any more which message
    /// has which, so that the connection is not restored: the descriptors come back.
    pub fn restore(state: FdConnectionState, fds: Vec<OwnedFd>) -> Result<FdConnection, Vec<OwnedFd>> {
        if state.descriptors() != fds.len() {
            return Err(fds);
        }
        let mut fds = fds.into_iter();
        let mut restored = FdConnection::new(state.connection);
        restored.taken = state.taken;
        restored.sent = state.sent;
        for (last, count, lost) in state.arrivals {
            let own = fds.by_ref().take(count).collect();
            restored.arrivals.push(last, own, lost);
        }
        for (at, count) in state.departures {
            let own = fds.by_ref().take(count).collect();
            restored.departures.push_back(Departure { at, fds: own });
        }
        Ok(restored)
    }
}

#[cfg(test)]
mod tests;
