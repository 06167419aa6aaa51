//! The old program's side.

use std::ffi::OsString;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use softboot_sys::command::keep_open;

use super::{UpgradeError, VARIABLE, Word};
use crate::handoff::{PID_VARIABLE, STALE};
use crate::store::FdStore;
use crate::transfer::wire::Line;
use crate::transfer::{Interest, Outcome, Progress, Sender, TransferError};

/// Nothing to do before one of the descriptors is readable.
const WAITING: Progress = Progress::Pending(Interest {
    writable: false,
    retry_after: None,
});

/// An upgrade that is under way. Dropped before it is done, it ends the child.
#[derive(Debug)]
pub struct Upgrade {
    child: Guard,
    pidfd: OwnedFd,
    phase: Phase,
    /// A duplicate of the sender's, for what comes after the transfer.
    line: Line,
    outcome: Outcome,
}

#[derive(Debug)]
enum Phase {
    Transfer(Box<Sender>),
    Readiness,
    /// It has closed its end without a word, and is about to end.
    Closed,
    Over,
}

/// The next program runs and is ready.
#[derive(Debug)]
pub struct Upgraded {
    /// Its process. It is no longer ended with this value; wait for it if it should leave no zombie while this
    /// program still runs.
    pub child: Child,
    /// A descriptor for the process, closed on exec.
    pub pidfd: OwnedFd,
    /// What it has and what it did not take. All of it is still in this program's store.
    pub outcome: Outcome,
}

/// Ends and reaps its child, unless it was taken out.
#[derive(Debug)]
struct Guard(Option<Child>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // It may be gone already. After SIGKILL the wait is short.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Upgrade {
    /// Starts `command` with what [`super::Successor::from_env`] needs there. Nothing is sent yet: go on with
    /// [`Upgrade::wait`], or with [`Upgrade::advance`] from an event loop.
    pub fn start(mut command: Command, store: &FdStore) -> Result<Upgrade, UpgradeError> {
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
            .map_err(|error| UpgradeError::Start(error.into()))?;
        let line = ours.try_clone().map_err(UpgradeError::Start)?;
        let line = Line::new(line).map_err(UpgradeError::Transfer)?;
        let sender = Sender::new(ours, store).map_err(UpgradeError::Transfer)?;
        let own_pid = rustix::process::getpid().as_raw_nonzero();
        let mut value = OsString::from(theirs.as_raw_fd().to_string());
        value.push(format!(":{own_pid}"));
        for name in STALE {
            command.env_remove(name);
        }
        command
            .env_remove(crate::handoff::VARIABLE)
            .env_remove(PID_VARIABLE)
            .env(VARIABLE, value);
        let child = keep_open(&mut command, theirs)
            .spawn()
            .map_err(UpgradeError::Start)?;
        // The command holds the child's end; it has to be closed here, so that the end of the child is seen.
        drop(command);
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let child = Guard(Some(child));
        // Nobody has reaped the child, so the number is its own.
        let pidfd = pid
            .ok_or(Errno::SRCH)
            .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()))
            .map_err(|error| UpgradeError::Start(error.into()))?;
        Ok(Upgrade {
            child,
            pidfd,
            phase: Phase::Transfer(Box::new(sender)),
            line,
            outcome: Outcome::default(),
        })
    }

    /// The two descriptors to watch: the connection to the child (readable; writable too if [`Interest::writable`]
    /// says so), and its pidfd (readable when it has ended). Both are the pidfd once the child has closed its end. Ask
    /// again after each [`Upgrade::advance`].
    pub fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        let line = match self.phase {
            Phase::Closed => self.pidfd.as_fd(),
            _ => self.line.as_fd(),
        };
        [line, self.pidfd.as_fd()]
    }

    /// Goes on as far as it gets without waiting. After [`Progress::Done`] call [`Upgrade::finish`].
    pub fn advance(&mut self, store: &FdStore) -> Result<Progress, UpgradeError> {
        // Looked at first: what it said before it ended counts more than that it has ended.
        let ended = self.ended()?;
        match (self.step(store), ended) {
            (Ok(Progress::Pending(_)) | Err(UpgradeError::Transfer(_)), Some(status)) => {
                Err(UpgradeError::Exited(status))
            }
            // Its end is closed before it is a zombie: how it ended is told then.
            (Err(UpgradeError::Transfer(TransferError::Gone)), None) => {
                self.phase = Phase::Closed;
                Ok(WAITING)
            }
            (other, _) => other,
        }
    }

    fn step(&mut self, store: &FdStore) -> Result<Progress, UpgradeError> {
        if let Phase::Transfer(sender) = &mut self.phase {
            let progress = sender.advance(store).map_err(UpgradeError::Transfer)?;
            if progress != Progress::Done {
                return Ok(progress);
            }
            if let Phase::Transfer(sender) = std::mem::replace(&mut self.phase, Phase::Readiness) {
                self.outcome = sender.finish();
            }
        }
        match self.phase {
            Phase::Over => return Ok(Progress::Done),
            Phase::Closed => return Ok(WAITING),
            Phase::Transfer(_) | Phase::Readiness => {}
        }
        match self.line.receive().map_err(UpgradeError::Transfer)? {
            Some((Word::Ready {}, _)) => {
                self.phase = Phase::Over;
                Ok(Progress::Done)
            }
            Some((Word::Failed { reason }, _)) => Err(UpgradeError::Failed(reason)),
            None => Ok(WAITING),
        }
    }

    /// How the child ended, if it has.
    fn ended(&mut self) -> Result<Option<ExitStatus>, UpgradeError> {
        match &mut self.child.0 {
            Some(child) => Ok(child.try_wait()?),
            None => Ok(None),
        }
    }

    /// The child, once [`Upgrade::advance`] has said that all is done; before that the upgrade itself.
    pub fn finish(mut self) -> Result<Upgraded, Box<Upgrade>> {
        match (matches!(self.phase, Phase::Over), self.child.0.take()) {
            (true, Some(child)) => Ok(Upgraded {
                child,
                pidfd: self.pidfd,
                outcome: self.outcome,
            }),
            (_, child) => {
                self.child.0 = child;
                Err(Box::new(self))
            }
        }
    }

    /// Waits until the child is ready or has failed, or until `deadline`.
    pub fn wait(mut self, store: &FdStore, deadline: Option<Instant>) -> Result<Upgraded, UpgradeError> {
        loop {
            match self.advance(store)? {
                Progress::Done => return self.finish().map_err(|_| UpgradeError::Deadline),
                Progress::Pending(interest) => self.pause(interest, deadline)?,
            }
        }
    }

    fn pause(&self, interest: Interest, deadline: Option<Instant>) -> Result<(), UpgradeError> {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return Err(UpgradeError::Deadline);
        }
        let limit = match (left, interest.retry_after) {
            (Some(left), Some(retry)) => Some(left.min(retry)),
            (left, retry) => left.or(retry),
        };
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        let mut flags = PollFlags::IN;
        flags.set(PollFlags::OUT, interest.writable);
        let [line, pidfd] = self.descriptors();
        let mut fds = [
            PollFd::from_borrowed_fd(line, flags),
            PollFd::from_borrowed_fd(pidfd, PollFlags::IN),
        ];
        match poll(&mut fds, limit.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(UpgradeError::Io(error.into())),
        }
    }
}
