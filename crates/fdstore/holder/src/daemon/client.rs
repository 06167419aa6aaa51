//! One client.

use std::os::fd::OwnedFd;

use rustix::event::epoll::EventFlags;
use softboot_varlink::connection::{Connection, Limits, Peer};
use softboot_varlink::descriptors::FdConnection;

use super::watch::Watch;
use crate::config::{Config, Subject};

pub(super) struct Client {
    pub(super) socket: OwnedFd,
    pub(super) connection: FdConnection,
    pub(super) watch: Option<Watch>,
    /// What epoll waits for.
    pub(super) interest: EventFlags,
    /// Since when it has read nothing of what waits for it, in microseconds of CLOCK_BOOTTIME.
    pub(super) stalled_since: Option<u64>,
}

impl Client {
    pub(super) fn new(socket: OwnedFd, peer: Peer, config: &Config) -> Client {
        let limits = Limits {
            input: config.limits.message_bytes,
            output: config.limits.unsent_bytes,
        };
        Client {
            socket,
            connection: FdConnection::new(Connection::with_limits(peer, limits)),
            watch: None,
            interest: EventFlags::IN,
            stalled_since: None,
        }
    }

    pub(super) fn peer(&self) -> Peer {
        self.connection.inner().peer()
    }

    /// As the access rules see it.
    pub(super) fn subject(&self) -> Subject {
        let peer = self.peer();
        Subject {
            uid: peer.uid,
            gid: peer.gid,
        }
    }

    /// What epoll should wait for. Hanging up is always told.
    pub(super) fn wanted(&self) -> EventFlags {
        let mut flags = EventFlags::empty();
        if self.connection.inner().wants_read() {
            flags |= EventFlags::IN;
        }
        if self.connection.inner().wants_write() {
            flags |= EventFlags::OUT;
        }
        flags
    }
}
