//! The side that gets the store.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::wire::{Line, Message, VERSION, sending, short};
use super::{Interest, Progress, TransferError, WINDOW, WORK, drive};
use crate::inherit::{Inherited, Quarantined};
use crate::manifest::{Malformed, Manifest};
use crate::record::Record;
use crate::store::{Entry, EntryId, FdStore};

/// Decides about an entry that is what it claims to be; the reason goes to the sender.
type Filter = Box<dyn FnMut(&Entry, usize) -> Result<(), String> + Send>;

/// Receives a store. See the [module](super) for the protocol.
pub struct Receiver {
    line: Line,
    state: State,
    /// What the manifest announces, by position; `None` once it came or was refused.
    expected: Vec<Option<Record>>,
    filter: Option<Filter>,
    /// Answers that could not be sent yet. At most one for each batch of the window, and a last one.
    answers: VecDeque<Message>,
    /// What came, and the ids of it if they do not ascend.
    accepted: Vec<Entry>,
    ids: Ids,
    inherited: Inherited,
}

/// The ids that are in use. They ascend from every honest sender, and then the last one says all.
#[derive(Debug, Default)]
struct Ids {
    last: u64,
    all: Option<BTreeSet<EntryId>>,
}

impl Ids {
    /// Whether it is new beside those that were accepted.
    fn is_new(&mut self, id: EntryId, accepted: &[Entry]) -> bool {
        match &mut self.all {
            None if id.0 > self.last => {
                self.last = id.0;
                true
            }
            None => {
                let mut all: BTreeSet<EntryId> = accepted.iter().map(Entry::id).collect();
                let new = all.insert(id);
                self.all = Some(all);
                new
            }
            Some(all) => all.insert(id),
        }
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("line", &self.line)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Expecting,
    Receiving,
    Done,
}

impl Receiver {
    /// Prepares to receive over a connected SOCK_SEQPACKET socket.
    pub fn new(socket: OwnedFd) -> Result<Receiver, TransferError> {
        Ok(Receiver {
            line: Line::new(socket)?,
            state: State::Expecting,
            expected: Vec::new(),
            filter: None,
            answers: VecDeque::new(),
            accepted: Vec::new(),
            ids: Ids::default(),
            inherited: Inherited {
                store: FdStore::new(),
                quarantined: Vec::new(),
                unclaimed: Vec::new(),
                warnings: Vec::new(),
            },
        })
    }

    /// Asks `filter` about each entry, and says how many were accepted before it: a limit, an owner that is not allowed.
    /// What it refuses stays with the sender.
    #[must_use]
    pub fn filter(
        mut self,
        filter: impl FnMut(&Entry, usize) -> Result<(), String> + Send + 'static,
    ) -> Receiver {
        self.filter = Some(Box::new(filter));
        self
    }

    /// Goes on as far as it gets without waiting.
    pub fn advance(&mut self) -> Result<Progress, TransferError> {
        for _ in 0..WORK {
            while let Some(answer) = self.answers.front() {
                match self.line.send(answer, &[]) {
                    Ok(()) => drop(self.answers.pop_front()),
                    Err(Errno::AGAIN | Errno::NOBUFS) => return Ok(pending(true, None)),
                    // Nobody waits for the last word; what came, came.
                    Err(_) if self.state == State::Done => self.answers.clear(),
                    Err(error) => return Err(sending(error)),
                }
            }
            if self.state == State::Done {
                return Ok(Progress::Done);
            }
            match self.line.receive()? {
                Some((message, fds)) => self.take(message, fds)?,
                None => return Ok(pending(false, None)),
            }
        }
        Ok(pending(false, Some(Duration::ZERO)))
    }

    fn take(&mut self, message: Message, fds: Vec<OwnedFd>) -> Result<(), TransferError> {
        match (message, self.state) {
            (Message::Hello { version }, State::Expecting) => {
                let begun = self.begin(version, fds);
                if let Err(error) = &begun {
                    let reason = short(&error.to_string());
                    // It ends here in any case; the sender learns why if it can.
                    let _ = self.line.send(&Message::Refused { reason }, &[]);
                }
                begun
            }
            (Message::Batch { number, positions }, State::Receiving) => {
                if self.answers.len() > WINDOW {
                    return Err(TransferError::Protocol("too many batches at a time".to_owned()));
                }
                let refused = self.receive_batch(&positions, fds);
                self.answers.push_back(Message::Ack { number, refused });
                Ok(())
            }
            (Message::End {}, State::Receiving) => {
                self.state = State::Done;
                self.answers.push_back(Message::Done {});
                Ok(())
            }
            (other, _) => Err(TransferError::Protocol(format!("{other:?} is out of turn"))),
        }
    }

    fn begin(&mut self, version: u32, fds: Vec<OwnedFd>) -> Result<(), TransferError> {
        if version != VERSION {
            return Err(TransferError::Protocol(format!(
                "it speaks version {version}, this program version {VERSION}"
            )));
        }
        let [manifest] = &fds[..] else {
            return Err(TransferError::Protocol(format!(
                "{} descriptors came in place of one manifest",
                fds.len()
            )));
        };
        let (manifest, malformed) = Manifest::read(manifest)?;
        self.announce(manifest, malformed);
        self.state = State::Receiving;
        self.answers.push_back(Message::Welcome {});
        Ok(())
    }

    fn announce(&mut self, manifest: Manifest, malformed: Vec<Malformed>) {
        let aside = &mut self.inherited.quarantined;
        aside.extend(malformed.into_iter().map(|bad| Quarantined {
            owner: bad.owner,
            name: bad.name,
            identity: None,
            fd: None,
            reason: bad.reason,
        }));
        self.inherited.store.unknown = manifest.unknown;
        if manifest.next_id <= EntryId::MAX {
            self.inherited.store.raise_next_id(manifest.next_id);
        }
        self.expected.resize_with(manifest.entries.len(), || None);
        for record in manifest.entries {
            let place = usize::try_from(record.fd)
                .ok()
                .and_then(|at| self.expected.get_mut(at));
            match place {
                Some(place @ None) => *place = Some(record),
                _ => {
                    let reason = format!("its position {} is taken or out of range", record.fd);
                    aside.push(quarantined(record, reason));
                }
            }
        }
    }

    /// Takes the descriptors of a batch in. If some are missing, the kernel had no number for them: it gives the first
    /// ones (recvmsg(2), MSG_CTRUNC).
    fn receive_batch(&mut self, positions: &[u32], fds: Vec<OwnedFd>) -> Vec<(u32, String)> {
        let mut refused = Vec::new();
        let mut fds = fds.into_iter();
        for position in positions {
            let record = usize::try_from(*position)
                .ok()
                .and_then(|at| self.expected.get_mut(at)?.take());
            let fd = fds.next();
            let Some(record) = record else {
                refused.push((
                    *position,
                    "the manifest has no such position, or it came before".to_owned(),
                ));
                continue;
            };
            if let Err(aside) = self.accept(record, fd) {
                refused.push((*position, short(&aside.reason)));
                self.inherited.quarantined.push(*aside);
            }
        }
        refused
    }

    fn accept(&mut self, record: Record, fd: Option<OwnedFd>) -> Result<(), Box<Quarantined>> {
        let aside = |record: Record, reason: String| Err(Box::new(quarantined(record, reason)));
        let Some(fd) = fd else {
            return aside(
                record,
                "the receiver has no free descriptor number (RLIMIT_NOFILE)".to_owned(),
            );
        };
        if record.id.0 > EntryId::MAX || !self.ids.is_new(record.id, &self.accepted) {
            let reason = format!("its id {} is out of range or in use", record.id.0);
            return aside(record, reason);
        }
        if let Err(reason) = record.identity.verify(&fd) {
            return aside(record, reason);
        }
        let entry = Entry::inherited(record, fd);
        if let Some(filter) = &mut self.filter
            && let Err(reason) = filter(&entry, self.accepted.len())
        {
            return aside(entry.record, reason);
        }
        self.accepted.push(entry);
        Ok(())
    }

    /// Goes on until it is over, or `deadline`.
    pub fn run(&mut self, deadline: Option<Instant>) -> Result<(), TransferError> {
        while let Progress::Pending(interest) = self.advance()? {
            drive::wait(self.line.as_fd(), interest, deadline)?;
        }
        Ok(())
    }

    /// What came, also after an error: then it is perhaps all that is left. What was announced and did not come is
    /// listed with what was put aside.
    pub fn finish(self) -> Inherited {
        self.into_parts().1
    }

    /// The socket, to go on using it, and what came.
    pub(crate) fn into_parts(mut self) -> (Line, Inherited) {
        let missing = self.expected.into_iter().flatten();
        let missing = missing.map(|record| quarantined(record, "it did not come".to_owned()));
        self.inherited.quarantined.extend(missing);
        self.inherited.store.fill(self.accepted);
        (self.line, self.inherited)
    }
}

impl AsFd for Receiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.line.as_fd()
    }
}

/// The descriptor itself stays with the sender.
fn quarantined(record: Record, reason: String) -> Quarantined {
    Quarantined {
        owner: Some(record.who.owner.as_ref().to_owned()),
        name: Some(record.who.name.clone()),
        identity: Some(record.identity),
        fd: None,
        reason,
    }
}

fn pending(writable: bool, retry_after: Option<Duration>) -> Progress {
    Progress::Pending(Interest {
        writable,
        retry_after,
    })
}
