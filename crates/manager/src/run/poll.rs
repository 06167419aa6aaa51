//! The epoll set, and the order in which what is ready gets its turn (semantics 2.8).

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;

use fdstore::EntryId;
use softboot_engine::{ProcId, UnitId};

/// Something that can become ready. The order of the variants is the order of their turns: a notification before
/// the death of its sender, a death before the emptiness of its cgroup, everything before clients and new traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// The pipe that reports the exec of a process.
    ExecStatus(ProcId),
    /// The notification socket.
    Notify,
    /// The signalfd.
    Signals,
    /// The pidfd of a main process that is no child of PID 1.
    Alien(ProcId),
    /// A process of the final kill that is in no unit's cgroup.
    Victim(i32),
    /// Directories in which a PID file is expected.
    PidFiles,
    /// cgroup.events of some group.
    Cgroups,
    /// The mount table changed.
    Mounts,
    /// Devices come and go.
    Devices,
    /// The timerfd.
    Timers,
    /// The child that verifies a handoff.
    Verification,
    /// A thread that prepares a handoff is done.
    ThreadDone,
    /// The child that changes the root.
    RootSwitch,
    /// The thread that takes everything apart at the end.
    TearDown,
    /// Output of a unit's processes.
    Log(UnitId),
    /// A stored descriptor that is watched for hang-up.
    Stored(EntryId),
    /// The control listener.
    ControlListener,
    /// The same at the place that tools of systemd know.
    VarlinkListener,
    /// A control client.
    Client(u64),
    /// A listening port of a socket unit.
    Port(UnitId, EntryId),
}

/// The epoll descriptor and who is in it.
pub(crate) struct Poll {
    epoll: OwnedFd,
    sources: BTreeMap<u64, Source>,
    keys: BTreeMap<Source, u64>,
    next: u64,
    buffer: Vec<epoll::Event>,
}

/// How many events one wake-up takes; the rest comes with the next.
const BATCH: usize = 256;

impl Poll {
    pub(crate) fn new() -> Result<Poll, Errno> {
        Ok(Poll {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            sources: BTreeMap::new(),
            keys: BTreeMap::new(),
            next: 1,
            buffer: Vec::with_capacity(BATCH),
        })
    }

    /// Watches `fd`. A source that is watched already only changes what it waits for.
    pub(crate) fn watch(&mut self, source: Source, fd: impl AsFd, flags: EventFlags) -> Result<(), Errno> {
        if let Some(key) = self.keys.get(&source) {
            return epoll::modify(&self.epoll, fd, EventData::new_u64(*key), flags);
        }
        // Keys are never used again, so that an event of a descriptor that is gone finds nobody.
        let key = self.next;
        epoll::add(&self.epoll, fd, EventData::new_u64(key), flags)?;
        self.next += 1;
        self.sources.insert(key, source);
        self.keys.insert(source, key);
        Ok(())
    }

    /// Stops watching. The descriptor must still be open: epoll keeps an open file description that another process
    /// also holds until it is taken out by hand (epoll(7), "Questions and answers").
    pub(crate) fn forget(&mut self, source: Source, fd: Option<impl AsFd>) {
        let Some(key) = self.keys.remove(&source) else {
            return;
        };
        self.sources.remove(&key);
        if let Some(fd) = fd {
            let _ = epoll::delete(&self.epoll, fd);
        }
    }

    /// True while `source` is watched.
    pub(crate) fn is_watched(&self, source: Source) -> bool {
        self.keys.contains_key(&source)
    }

    /// Waits until something is ready. What is ready comes in the order of its turn.
    pub(crate) fn wait(&mut self) -> Result<Vec<(Source, EventFlags)>, Errno> {
        self.ready_within(None)
    }

    /// What is ready now, at most as much as one wake-up takes. It is still ready when [`Poll::wait`] is called.
    pub(crate) fn ready(&mut self) -> Result<Vec<(Source, EventFlags)>, Errno> {
        self.ready_within(Some(&Timespec::default()))
    }

    fn ready_within(&mut self, time: Option<&Timespec>) -> Result<Vec<(Source, EventFlags)>, Errno> {
        self.buffer.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut self.buffer), time) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
        let mut ready: Vec<(Source, EventFlags)> = self
            .buffer
            .drain(..)
            .filter_map(|event| {
                let key = event.data.u64();
                Some((*self.sources.get(&key)?, event.flags))
            })
            .collect();
        ready.sort_by_key(|(source, _)| *source);
        Ok(ready)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_follow_the_order_of_semantics_2_8() {
        let mut sources = [
            Source::Port(UnitId(1), EntryId(3)),
            Source::Client(1),
            Source::Timers,
            Source::Cgroups,
            Source::Signals,
            Source::Notify,
            Source::ExecStatus(ProcId(9)),
        ];
        sources.sort();
        assert_eq!(
            sources,
            [
                Source::ExecStatus(ProcId(9)),
                Source::Notify,
                Source::Signals,
                Source::Cgroups,
                Source::Timers,
                Source::Client(1),
                Source::Port(UnitId(1), EntryId(3)),
            ]
        );
    }

    #[test]
    fn a_forgotten_source_reports_nothing_although_its_description_lives_on() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let (other_reader, other_writer) = rustix::pipe::pipe().unwrap();
        let mut poll = Poll::new().unwrap();
        poll.watch(Source::Notify, &reader, EventFlags::IN).unwrap();
        poll.watch(Source::Signals, &other_reader, EventFlags::IN)
            .unwrap();
        let _duplicate = rustix::io::dup(&reader).unwrap();
        poll.forget(Source::Notify, Some(&reader));
        drop(reader);
        rustix::io::write(&writer, b"x").unwrap();
        rustix::io::write(&other_writer, b"x").unwrap();
        assert_eq!(poll.wait().unwrap(), vec![(Source::Signals, EventFlags::IN)]);
    }
}
