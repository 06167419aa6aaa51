//! Accepting, reading, writing and dropping clients.
//!
//! | what a client does | what happens |
//! |---|---|
//! | sends half a message | it waits, within the message limit, as long as the client likes |
//! | sends calls and reads no reply | its further calls wait; after `stall` it is dropped |
//! | watches and reads nothing | dropped at `stall`, or before at the limit of unsent bytes |
//! | sends no JSON, or a message that is too long | dropped |
//! | closes | what it sent completely is still carried out, then it is forgotten |

use std::os::fd::AsFd as _;

use fdstore::boottime_usec;
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{SendFlags, SocketFlags, accept_with, send};
use softboot_varlink::connection::{ConnectionError, IO_STEP, Peer, ReadOutcome};

use super::Daemon;
use super::client::Client;
use super::poll::Token;
use crate::api::ApiError;

/// New clients in one wake-up.
const ACCEPTS: usize = 16;
/// Calls of one client in one turn.
const CALLS: usize = 16;

impl Daemon {
    pub(super) fn accept(&mut self) {
        for _ in 0..ACCEPTS {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let socket = match accept_with(self.sockets.listener(), flags) {
                Ok(socket) => socket,
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR | Errno::CONNABORTED) => continue,
                Err(error) => {
                    self.complaints.log(format_args!("accepting a client: {error}"));
                    self.send_away();
                    return;
                }
            };
            let peer = match softboot_sys::sockopt::peer_credentials(&socket) {
                Ok(peer) => Peer {
                    pid: peer.pid,
                    uid: peer.uid,
                    gid: peer.gid,
                },
                Err(error) => {
                    self.complaints
                        .log(format_args!("asking who has connected: {error}"));
                    self.closer.close([socket]);
                    continue;
                }
            };
            if let Some(message) = self.refuses(peer) {
                self.complaints.log(&message);
                let (error, parameters) = ApiError::QuotaExceeded { message }.to_wire();
                let mut reply = serde_json::json!({ "error": error, "parameters": parameters })
                    .to_string()
                    .into_bytes();
                reply.push(0);
                // Whether it arrives or not: the socket is closed.
                let _ = send(&socket, &reply, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
                self.closer.close([socket]);
                continue;
            }
            let client = Client::new(socket, peer, &self.config);
            self.admit(client);
        }
    }

    /// Puts a client into the loop; its number.
    pub(super) fn admit(&mut self, client: Client) -> u64 {
        let id = self.next_client;
        self.next_client = id.saturating_add(1);
        if let Err(error) = self.poll.add(&client.socket, Token::Client(id), client.interest) {
            self.complaints.log(format_args!("watching a client: {error}"));
            self.closer.close(client.connection.into_descriptors());
            self.closer.close([client.socket]);
            return id;
        }
        self.clients.insert(id, client);
        id
    }

    fn refuses(&self, peer: Peer) -> Option<String> {
        let limits = &self.config.limits;
        if self.clients.len() >= limits.connections {
            return Some(format!(
                "the limit of {} connections is reached",
                limits.connections
            ));
        }
        let own = self
            .clients
            .values()
            .filter(|client| client.peer().uid == peer.uid)
            .count();
        (own >= limits.connections_per_uid).then(|| {
            format!(
                "user {} has reached the limit of {} connections",
                peer.uid, limits.connections_per_uid
            )
        })
    }

    /// Out of descriptors: the one who waits would wake us for ever. A descriptor that is kept for this is given up
    /// for a moment, so that the client can be accepted and sent away.
    fn send_away(&mut self) {
        self.spare = None;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        drop(accept_with(self.sockets.listener(), flags));
        self.spare = super::spare();
    }

    pub(super) fn client_ready(&mut self, id: u64, flags: EventFlags) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        let gone = flags.intersects(EventFlags::HUP | EventFlags::ERR);
        if gone && client.connection.inner().is_outstanding() {
            // Nobody is there to be answered.
            self.drop_client(id, None);
            return;
        }
        if gone || (flags.contains(EventFlags::IN) && client.connection.inner().wants_read()) {
            match client.connection.read_from(client.socket.as_fd()) {
                Ok(ReadOutcome::Progress | ReadOutcome::WouldBlock | ReadOutcome::Eof) => {}
                Err(error) => {
                    self.drop_for(id, &error);
                    return;
                }
            }
        }
        self.advance(id);
        let Some(client) = self.clients.get(&id) else {
            return;
        };
        let inner = client.connection.inner();
        if gone && inner.is_eof() && !self.busy.contains(&id) {
            self.drop_client(id, None);
        }
    }

    /// Carries out the calls that are complete, and sends what there is to send.
    pub(super) fn advance(&mut self, id: u64) {
        let mut waits = false;
        for turn in 0..=CALLS {
            let Some(client) = self.clients.get_mut(&id) else {
                return;
            };
            // Its earlier replies first, and others, too, have their turn.
            if client.connection.inner().unsent() > IO_STEP || turn == CALLS {
                waits = true;
                break;
            }
            match client.connection.next_call() {
                Ok(Some(call)) => self.answer(id, call),
                Ok(None) => break,
                Err(error) => {
                    self.drop_for(id, &error);
                    return;
                }
            }
        }
        if waits {
            self.busy.insert(id);
        }
        self.flush(id);
        // While its replies cannot be sent there is no next turn: the event that they can be comes first.
        let blocked = |client: &Client| client.connection.inner().unsent() > IO_STEP;
        if self.clients.get(&id).is_some_and(blocked) {
            self.busy.remove(&id);
        }
    }

    /// Sends what can be sent and says to epoll what is waited for.
    pub(super) fn flush(&mut self, id: u64) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        let before = client.connection.inner().unsent();
        while client.connection.inner().wants_write() {
            let unsent = client.connection.inner().unsent();
            match client.connection.write_to(client.socket.as_fd()) {
                Ok(true) => {}
                Ok(false) if client.connection.inner().unsent() < unsent => {}
                Ok(false) => break,
                Err(error) => {
                    self.drop_for(id, &error);
                    return;
                }
            }
        }
        let after = client.connection.inner().unsent();
        client.stalled_since = match after {
            0 => None,
            _ if after < before => Some(boottime_usec()),
            _ => client.stalled_since.or_else(|| Some(boottime_usec())),
        };
        self.closer.close(client.connection.take_surplus());
        if client.connection.inner().is_finished() && !self.busy.contains(&id) {
            self.drop_client(id, None);
            return;
        }
        let wanted = client.wanted();
        if wanted != client.interest {
            client.interest = wanted;
            if let Err(error) = self.poll.modify(&client.socket, Token::Client(id), wanted) {
                tracing::error!("watching a client: {error}");
            }
        }
    }

    /// Lets go of clients that do not read.
    pub(super) fn expire_clients(&mut self, now: u64) {
        let stall = crate::duration::usec(self.config.limits.stall);
        let due = |client: &Client| {
            client
                .stalled_since
                .is_some_and(|since| since.saturating_add(stall) <= now)
        };
        let stalled: Vec<u64> = self
            .clients
            .iter()
            .filter(|(_, client)| due(client))
            .map(|(id, _)| *id)
            .collect();
        for id in stalled {
            self.drop_client(id, Some("it does not read its replies"));
        }
    }

    pub(super) fn drop_for(&mut self, id: u64, error: &ConnectionError) {
        match error {
            // It is gone; that is no offence.
            ConnectionError::Io(Errno::PIPE | Errno::CONNRESET) => self.drop_client(id, None),
            other => self.drop_client(id, Some(&other.to_string())),
        }
    }

    pub(super) fn drop_client(&mut self, id: u64, reason: Option<&str>) {
        let Some(client) = self.clients.remove(&id) else {
            return;
        };
        if let Some(reason) = reason {
            let peer = client.peer();
            self.complaints.log(format_args!(
                "dropping a client (user {}, process {}): {reason}",
                peer.uid, peer.pid
            ));
        }
        self.busy.remove(&id);
        self.watchers.remove(&id);
        if let Some(upgrade) = &mut self.upgrade {
            upgrade.forget(id);
        }
        self.poll.delete(&client.socket);
        self.closer.close(client.connection.into_descriptors());
        self.closer.close([client.socket]);
    }
}
