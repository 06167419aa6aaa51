//! The side that has the store.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::wire::{Line, Message, VERSION, sending};
use super::{BATCH, Interest, Outcome, Progress, TransferError, WINDOW, WORK, drive};
use crate::manifest::{self, Numbered};
use crate::store::{EntryId, FdStore};

/// The first wait when the kernel has too many descriptors in flight; it doubles up to a hundred times that.
const RETRY: Duration = Duration::from_millis(1);

/// Sends entries of a store. What it sends are duplicates; see the [module](super) for the protocol.
///
/// ```
/// use fdstore::{FdName, FdStore, InsertOptions, transfer::{Receiver, Sender}};
/// use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
///
/// let mut store = FdStore::new();
/// let file = std::fs::File::open("/proc/self/exe")?;
/// store.insert("me", &FdName::new("file")?, file.into(), InsertOptions::default())?;
/// let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
/// // In another process, usually.
/// let other = std::thread::spawn(move || {
///     let mut receiver = Receiver::new(theirs)?;
///     receiver.run(None)?;
///     Ok::<_, fdstore::transfer::TransferError>(receiver.finish())
/// });
/// let mut sender = Sender::new(ours, &store)?;
/// sender.run(&store, None)?;
/// for id in sender.finish().accepted {
///     store.remove(id);
/// }
/// assert_eq!(other.join().unwrap()?.store.count("me"), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Sender {
    line: Line,
    /// By position.
    ids: Vec<EntryId>,
    state: State,
    /// The other side can use the manifest.
    welcome: bool,
    /// The first position that was not sent.
    next: usize,
    /// How many go into a message.
    batch: usize,
    /// The number of the next batch.
    number: u64,
    /// Batches that were sent and not answered: number and positions.
    in_flight: VecDeque<(u64, Vec<u32>)>,
    retry: Option<Duration>,
    outcome: Outcome,
}

#[derive(Debug)]
enum State {
    Greeting(OwnedFd),
    /// The first batches go without waiting for the welcome: the receiver reads the manifest meanwhile.
    Sending,
    Ending,
    Done,
}

impl Sender {
    /// Prepares to send all entries of `store` over a connected SOCK_SEQPACKET socket. Nothing is sent yet.
    pub fn new(socket: OwnedFd, store: &FdStore) -> Result<Sender, TransferError> {
        Sender::some(socket, store, |_| true)
    }

    /// Prepares to send those entries that `wanted` wants.
    pub fn some(
        socket: OwnedFd,
        store: &FdStore,
        mut wanted: impl FnMut(&crate::Entry) -> bool,
    ) -> Result<Sender, TransferError> {
        let line = Line::new(socket)?;
        let entries: Vec<Numbered<'_>> = store
            .entries()
            .filter(|entry| wanted(entry))
            .zip(0..)
            .map(|(entry, position)| (&entry.record, position))
            .collect();
        let ids = entries.iter().map(|(record, _)| record.id).collect();
        let manifest = manifest::write(store.next_id(), &entries, &store.unknown)?;
        Ok(Sender {
            line,
            ids,
            state: State::Greeting(manifest),
            welcome: false,
            next: 0,
            batch: BATCH,
            number: 0,
            in_flight: VecDeque::new(),
            retry: None,
            outcome: Outcome::default(),
        })
    }

    /// Goes on as far as it gets without waiting. An entry that has left `store` meanwhile is not sent.
    pub fn advance(&mut self, store: &FdStore) -> Result<Progress, TransferError> {
        for _ in 0..WORK {
            self.answers()?;
            let sent = match &self.state {
                State::Done => return Ok(Progress::Done),
                State::Greeting(manifest) => self
                    .line
                    .send(&Message::Hello { version: VERSION }, &[manifest.as_fd()]),
                State::Sending if self.next < self.ids.len() => {
                    if self.in_flight.len() >= WINDOW {
                        return Ok(pending(false, None));
                    }
                    self.send_batch(store)
                }
                State::Sending if !self.in_flight.is_empty() => return Ok(pending(false, None)),
                State::Sending => self
                    .line
                    .send(&Message::End {}, &[])
                    .map(|()| self.state = State::Ending),
                State::Ending => return Ok(pending(false, None)),
            };
            match sent {
                Ok(()) => {
                    self.retry = None;
                    if matches!(self.state, State::Greeting(_)) {
                        self.state = State::Sending;
                    }
                }
                Err(Errno::AGAIN | Errno::NOBUFS) => return Ok(pending(true, None)),
                Err(Errno::TOOMANYREFS) => return Ok(self.too_many()),
                Err(error) => return Err(sending(error)),
            }
        }
        // More could be done at once; others have their turn first.
        Ok(pending(true, Some(Duration::ZERO)))
    }

    fn send_batch(&mut self, store: &FdStore) -> Result<(), Errno> {
        let end = self.next.saturating_add(self.batch).min(self.ids.len());
        let range = self.next..end;
        let mut positions = Vec::with_capacity(range.len());
        let mut fds = Vec::with_capacity(range.len());
        let mut left = Vec::new();
        for (position, id) in range.clone().zip(self.ids.get(range).unwrap_or_default()) {
            match store.fd(*id) {
                Some(fd) => {
                    positions.push(u32::try_from(position).unwrap_or(u32::MAX));
                    fds.push(fd);
                }
                None => left.push((*id, "it left the store during the transfer".to_owned())),
            }
        }
        if !fds.is_empty() {
            let number = self.number;
            let message = Message::Batch { number, positions };
            self.line.send(&message, &fds)?;
            if let Message::Batch { positions, .. } = message {
                self.in_flight.push_back((number, positions));
            }
            self.number = number.saturating_add(1);
        }
        self.outcome.refused.append(&mut left);
        self.next = end;
        Ok(())
    }

    /// The kernel has too many descriptors in flight: ours will be fetched, others' may be.
    fn too_many(&mut self) -> Progress {
        self.batch = (self.batch / 2).max(1);
        if !self.in_flight.is_empty() {
            return pending(false, None);
        }
        let longest = RETRY.saturating_mul(100);
        let retry = self
            .retry
            .map_or(RETRY, |last| last.saturating_mul(2).min(longest));
        self.retry = Some(retry);
        pending(false, Some(retry))
    }

    fn answers(&mut self) -> Result<(), TransferError> {
        while !matches!(self.state, State::Done) {
            let Some((message, _)) = self.line.receive()? else {
                return Ok(());
            };
            match (message, &self.state) {
                (Message::Refused { reason }, _) => return Err(TransferError::Refused(reason)),
                (Message::Welcome {}, State::Sending | State::Ending) if !self.welcome => self.welcome = true,
                (Message::Ack { number, refused }, State::Sending) if self.welcome => {
                    self.acknowledged(number, refused)?;
                }
                (Message::Done {}, State::Ending) => self.state = State::Done,
                (other, _) => return Err(TransferError::Protocol(format!("{other:?} is out of turn"))),
            }
        }
        Ok(())
    }

    fn acknowledged(&mut self, number: u64, refused: Vec<(u32, String)>) -> Result<(), TransferError> {
        let Some((_, positions)) = self.in_flight.pop_front().filter(|(sent, _)| *sent == number) else {
            return Err(TransferError::Protocol(format!(
                "batch {number} is answered, which was not the next one"
            )));
        };
        let mut refused: std::collections::BTreeMap<u32, String> = refused.into_iter().collect();
        for position in positions {
            let id = usize::try_from(position).ok().and_then(|at| self.ids.get(at));
            let Some(id) = id.copied() else { continue };
            match refused.remove(&position) {
                Some(reason) => self.outcome.refused.push((id, reason)),
                None => self.outcome.accepted.push(id),
            }
        }
        Ok(())
    }

    /// Goes on until it is over, or `deadline`.
    pub fn run(&mut self, store: &FdStore, deadline: Option<Instant>) -> Result<(), TransferError> {
        while let Progress::Pending(interest) = self.advance(store)? {
            drive::wait(self.line.as_fd(), interest, deadline)?;
        }
        Ok(())
    }

    /// What came of it, also after an error.
    pub fn finish(self) -> Outcome {
        self.outcome
    }
}

impl AsFd for Sender {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.line.as_fd()
    }
}

fn pending(writable: bool, retry_after: Option<Duration>) -> Progress {
    Progress::Pending(Interest {
        writable,
        retry_after,
    })
}
