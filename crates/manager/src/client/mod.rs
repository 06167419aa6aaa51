//! Control clients: connections, calls, and those who wait for an answer.
//!
//! The descriptors are in the fd store and everything else is plain data in the snapshot, so a client crosses a
//! re-exec or a soft-reboot without noticing: half a message stays half a message, and a call that waits is answered
//! by the next program.

mod answers;
mod calls;
mod changed_files;
mod clean;
mod context;
mod describe;
mod environment;
mod events;
mod explain;
mod kill;
mod list;
mod markers;
mod properties;
mod snapshot;
mod systemd;
mod timeline;
mod transient;

use std::os::fd::AsFd as _;

use fdstore::EntryId;
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};
use serde::{Deserialize, Serialize};
use softboot_control::api::SubscribeRequest;
use softboot_control::connection::{Connection, Peer, ReadOutcome};
use softboot_engine::{JobId, RequestId, UnitId};
use softboot_unit::{UnitName, Usec};
use tracing::{debug, warn};

use crate::clock;
use crate::owner;
use crate::run::{Alarm, Manager, Source};
use crate::tracked::Tracked;

pub(crate) use markers::Markers;
pub(crate) use timeline::Timeline;
use transient::Transients;

/// More clients than this are turned away: a connection that waits costs memory in PID 1.
const MAX_CLIENTS: usize = 512;
/// Of these, so many may belong to others than root, so that nobody can lock root out.
const MAX_UNPRIVILEGED: usize = MAX_CLIENTS / 2;
/// Where clients come in.
const LISTENERS: [(&str, Source); 2] = [
    (owner::CONTROL, Source::ControlListener),
    (owner::VARLINK, Source::VarlinkListener),
];
/// How long nobody is let in when PID 1 or the system is out of descriptors.
const REST: Usec = Usec::from_millis(100);
/// Calls of one client answered in one turn.
const CALLS_PER_TURN: usize = 32;

/// All clients.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Clients {
    pub(crate) by_id: Tracked<u64, Client>,
    /// When units changed.
    #[serde(default)]
    pub(crate) timeline: Timeline,
    /// Services that clients made.
    #[serde(default)]
    pub(crate) transients: Transients,
    /// What is to be done with units some time.
    #[serde(default)]
    pub(crate) markers: Markers,
}

/// One client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Client {
    entry: EntryId,
    connection: Connection,
    waiting: Option<Waiting>,
}

/// What an unanswered call waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Waiting {
    /// A job; `until_done` false: only until it is queued.
    Job {
        request: RequestId,
        job: Option<JobId>,
        until_done: bool,
        /// The service that was made for it.
        #[serde(default)]
        transient: Option<UnitName>,
    },
    /// The verifying child's answer, and then what the kind of handoff brings.
    Verification { wait: bool },
    /// The job of a soft-reboot being queued.
    SoftRebootQueued { request: RequestId, wait: bool },
    /// The next program being in charge.
    Reexec,
    /// The soft-reboot.
    SoftReboot,
    /// The boot after it being complete.
    NextBoot,
    /// A boot being complete.
    Boot,
    /// Lines of a unit's log after the first `position` bytes that were ever written to it.
    Follow { unit: UnitName, position: u64 },
    /// Room for the rest of a list of all units: those after this one, whose entry is not sent yet either.
    Units { after: UnitId, held: serde_json::Value },
    /// Room for the rest of a snapshot from this byte of its payload on.
    Snapshot { entry: EntryId, at: u64 },
    /// The start of a service that was made from its context, and perhaps what happens before.
    Transient {
        request: RequestId,
        unit: UnitName,
        job: Option<JobId>,
        jobs: bool,
        units: bool,
        running: bool,
    },
    /// The end of a removal of what a unit left behind.
    Clean { request: RequestId, unit: UnitName },
    /// Jobs of marked units being queued.
    Marked { open: Vec<(RequestId, UnitName)> },
    /// Events.
    Events(SubscribeRequest),
}

impl Client {
    /// Bytes in its buffers.
    pub(crate) fn buffered(&self) -> usize {
        self.connection.buffered()
    }
}

impl Clients {
    pub(crate) fn waiting(&self, client: u64) -> Option<&Waiting> {
        self.by_id.get(&client)?.waiting.as_ref()
    }

    /// Somebody waits for a soft-reboot that has not come.
    pub(crate) fn wait_for_soft_reboot(&self) -> bool {
        let mut clients = self.by_id.values();
        clients.any(|client| client.waiting == Some(Waiting::SoftReboot))
    }

    /// It has come.
    pub(crate) fn soft_reboot_has_come(&mut self) {
        for (client, _) in self.waiting_for(|waiting| *waiting == Waiting::SoftReboot) {
            self.set_waiting(client, Some(Waiting::NextBoot));
        }
    }

    /// How many belong to others than root.
    fn unprivileged(&self) -> usize {
        let clients = self.by_id.values();
        clients.filter(|client| client.connection.peer().uid != 0).count()
    }

    /// Bytes that a client has not taken yet.
    fn unread(&self, client: u64) -> usize {
        self.by_id
            .get(&client)
            .map_or(0, |client| client.connection.unsent())
    }

    /// What a client waits for that has taken all its answers so far.
    fn idle_waiting(&self, client: u64) -> Option<&Waiting> {
        let client = self.by_id.get(&client)?;
        client
            .waiting
            .as_ref()
            .filter(|_| !client.connection.wants_write())
    }

    pub(crate) fn set_waiting(&mut self, client: u64, waiting: Option<Waiting>) {
        if let Some(client) = self.by_id.get_mut(&client) {
            client.waiting = waiting;
        }
    }

    /// The clients that wait for something that `matches`.
    pub(crate) fn waiting_for(&self, matches: impl Fn(&Waiting) -> bool) -> Vec<(u64, Waiting)> {
        self.by_id
            .iter()
            .filter_map(|(id, client)| Some((*id, client.waiting.clone()?)))
            .filter(|(_, waiting)| matches(waiting))
            .collect()
    }
}

impl Manager {
    /// Takes new clients from the listener of this name.
    pub(crate) fn accept_clients(&mut self, listener: &str) {
        let Some(listener) = self.manager_entry(listener).and_then(|id| self.store.fd(id)) else {
            return;
        };
        let accepted = accept_with(listener.as_fd(), SocketFlags::CLOEXEC | SocketFlags::NONBLOCK);
        let fd = match accepted {
            Ok(fd) => fd,
            Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => return,
            Err(error) => {
                // The listener stays readable: without a rest nothing else would be done any more.
                warn!("cannot accept control clients now, they wait: {error}");
                self.rest_listeners();
                return;
            }
        };
        let credentials = match softboot_sys::sockopt::peer_credentials(&fd) {
            Ok(credentials) => credentials,
            Err(error) => {
                warn!("cannot find out who a control client is: {error}");
                return;
            }
        };
        if self.clients.by_id.len() >= MAX_CLIENTS {
            warn!("too many control clients ({MAX_CLIENTS}); one more is turned away");
            return;
        }
        if credentials.uid != 0 && self.clients.unprivileged() >= MAX_UNPRIVILEGED {
            // Not worth a line in the kernel log, which the same user could fill with it.
            debug!(
                "too many control clients of others than root ({MAX_UNPRIVILEGED}); one more is turned away"
            );
            return;
        }
        let peer = Peer {
            pid: credentials.pid,
            uid: credentials.uid,
            gid: credentials.gid,
        };
        let id = self.next_token();
        match self.keep(owner::CLIENTS, &id.to_string(), fd) {
            Ok(entry) => {
                let client = Client {
                    entry,
                    connection: Connection::new(peer),
                    waiting: None,
                };
                self.clients.by_id.insert(id, client);
                self.watch_client(id);
            }
            Err(error) => warn!("cannot keep a control client: {error}"),
        }
    }

    /// New clients wait in the backlog.
    fn rest_listeners(&mut self) {
        for (name, source) in LISTENERS {
            let fd = self.manager_entry(name).and_then(|entry| self.store.fd(entry));
            self.poll.forget(source, fd);
        }
        self.timers
            .set(Alarm::ResumeListeners, clock::monotonic().plus(REST));
    }

    /// Watches for new clients, from the beginning and after a rest.
    pub(crate) fn watch_listeners(&mut self) {
        for (name, source) in LISTENERS {
            if let Some(listener) = self.manager_entry(name)
                && !self.poll.is_watched(source)
            {
                self.watch_entry(source, listener, EventFlags::IN);
            }
        }
    }

    /// A client sent something, can take something, or is gone.
    pub(crate) fn client_ready(&mut self, id: u64, flags: EventFlags) {
        let gone = flags.intersects(EventFlags::HUP | EventFlags::ERR);
        let readable = flags.contains(EventFlags::IN);
        if (gone && !readable) || (readable && !self.read_client(id)) {
            self.drop_client(id);
            return;
        }
        self.serve(id);
        self.feed_follower(id);
        self.feed_unit_list(id);
        self.feed_snapshot(id);
    }

    /// False when the client is gone or talks nonsense.
    fn read_client(&mut self, id: u64) -> bool {
        self.journal_touch(id);
        let Some(client) = self.clients.by_id.get_mut(&id) else {
            return false;
        };
        let Some(fd) = self.store.fd(client.entry) else {
            return false;
        };
        match client.connection.read_from(fd) {
            // It may only have closed its side, and still wait for an answer.
            Ok(ReadOutcome::Eof | ReadOutcome::Progress | ReadOutcome::WouldBlock) => true,
            Err(error) => {
                debug!("control client {id} is dropped: {error}");
                false
            }
        }
    }

    /// Answers what can be answered now, then writes.
    pub(crate) fn serve(&mut self, id: u64) {
        for _ in 0..CALLS_PER_TURN {
            let Some(client) = self.clients.by_id.get_mut(&id) else {
                return;
            };
            match client.connection.next_call() {
                Ok(Some(call)) => {
                    crate::fault::place("call");
                    self.answer(id, &call);
                    crate::fault::place("called");
                }
                Ok(None) => break,
                Err(error) => {
                    debug!("control client {id} is dropped: {error}");
                    self.drop_client(id);
                    return;
                }
            }
        }
        self.write_client(id);
    }

    fn write_client(&mut self, id: u64) {
        self.journal_touch(id);
        let Some(client) = self.clients.by_id.get_mut(&id) else {
            return;
        };
        let Some(fd) = self.store.fd(client.entry) else {
            return;
        };
        match client.connection.write_to(fd) {
            Ok(_) if client.connection.is_finished() => self.drop_client(id),
            Ok(_) => self.watch_client(id),
            Err(error) => {
                debug!("control client {id} is dropped: {error}");
                self.drop_client(id);
            }
        }
    }

    fn watch_client(&mut self, id: u64) {
        let Some(client) = self.clients.by_id.get(&id) else {
            return;
        };
        let mut flags = EventFlags::empty();
        // What is not going to be read must not wake anybody again and again.
        flags.set(EventFlags::IN, client.connection.wants_read());
        // Calls that were left for the next turn have no event of their own; room for their answers is one.
        flags.set(
            EventFlags::OUT,
            client.connection.wants_write()
                || client.connection.has_call()
                || matches!(
                    client.waiting,
                    Some(Waiting::Units { .. } | Waiting::Snapshot { .. })
                ),
        );
        self.watch_entry(Source::Client(id), client.entry, flags);
    }

    /// Closes a client. What it waited for goes on without it.
    pub(crate) fn drop_client(&mut self, id: u64) {
        let Some(client) = self.clients.by_id.remove(&id) else {
            return;
        };
        if let Some(
            Waiting::Job { request, .. }
            | Waiting::SoftRebootQueued { request, .. }
            | Waiting::Transient { request, .. },
        ) = client.waiting
        {
            self.feed(softboot_engine::Event::RequestDropped(request));
            self.transient_request_over(request);
        }
        match client.waiting {
            Some(Waiting::Snapshot { entry, .. }) => self.drop_entry(None, entry),
            Some(Waiting::Clean { request, .. }) => self.clean_dropped(request),
            Some(Waiting::Marked { open }) => {
                for (request, _) in open {
                    self.feed(softboot_engine::Event::RequestDropped(request));
                }
            }
            _ => {}
        }
        self.drop_entry(Some(Source::Client(id)), client.entry);
    }

    /// After a handoff: every client is watched again, and those whose descriptor did not come are forgotten.
    pub(crate) fn watch_clients(&mut self) {
        let ids: Vec<u64> = self.clients.by_id.keys().copied().collect();
        for id in ids {
            let present = self
                .clients
                .by_id
                .get(&id)
                .is_some_and(|client| self.store.fd(client.entry).is_some());
            if present {
                self.watch_client(id);
            } else {
                self.clients.by_id.remove(&id);
            }
        }
        self.drop_unread_snapshots();
    }

    /// Puts something into a client's output. A client that does not read what it asked for is dropped.
    pub(crate) fn send(
        &mut self,
        id: u64,
        put: impl FnOnce(&mut Connection) -> Result<(), softboot_control::connection::ConnectionError>,
    ) {
        let Some(client) = self.clients.by_id.get_mut(&id) else {
            return;
        };
        if let Err(error) = put(&mut client.connection) {
            debug!("control client {id} is dropped: {error}");
            self.drop_client(id);
        }
    }

    fn peer_pid(&self, id: u64) -> Option<i32> {
        Some(self.clients.by_id.get(&id)?.connection.peer().pid)
    }

    pub(crate) fn peer_uid(&self, id: u64) -> Option<u32> {
        Some(self.clients.by_id.get(&id)?.connection.peer().uid)
    }

    /// The entry of a descriptor of PID 1 itself.
    pub(crate) fn manager_entry(&self, name: &str) -> Option<EntryId> {
        self.store.find(owner::MANAGER, &fdstore::FdName::new(name).ok()?)
    }
}
