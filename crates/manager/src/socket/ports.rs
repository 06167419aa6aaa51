//! The open ports of socket units.

use std::os::fd::{AsFd as _, OwnedFd};

use fdstore::{Closer, EntryId, FdName};
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SocketFlags, accept_with, recv};
use softboot_engine::{Event, UnitId};
use softboot_unit::{Definition, KindSection, PortKind, SocketSection, UnitName};
use tracing::warn;

use super::matched::owner_of_nodes;
use super::open::{make_symlinks, open_port, remove_nodes};
use crate::owner::Role;
use crate::run::{Manager, Source};

/// A socket that is flushed gives up at most this much in one go; what comes later is new traffic.
const FLUSH_MAX: usize = 4096;

/// Name and section of a socket unit.
pub(super) fn socket_parts(definition: &Definition) -> Option<(&UnitName, &SocketSection)> {
    match &definition.kind {
        KindSection::Socket(section) => Some((&definition.name, section)),
        _ => None,
    }
}

impl Manager {
    /// The socket section of a unit.
    pub(crate) fn socket_section(&self, unit: UnitId) -> Option<&SocketSection> {
        socket_parts(self.engine.definition(unit)?).map(|(_, section)| section)
    }

    /// The name its descriptors have for the service (semantics 1.1); `None` when it is the default one.
    pub(crate) fn socket_fd_name(&self, socket: &UnitName) -> Option<String> {
        self.engine
            .unit(socket)
            .and_then(|unit| self.socket_section(unit))
            .and_then(|s| s.fd_name.clone())
    }

    /// The entries of a unit's open ports, in configuration order.
    pub(crate) fn ports(&self, socket: &UnitName) -> Vec<EntryId> {
        let mut entries: Vec<(u32, EntryId)> = self
            .store
            .entries_of(&Role::Port.of(socket))
            .map(|entry| (entry.name().as_str().parse().unwrap_or(u32::MAX), entry.id()))
            .collect();
        entries.sort();
        entries.into_iter().map(|(_, id)| id).collect()
    }

    /// Opens every port that is not open yet, all or none.
    pub(crate) fn open_sockets(&mut self, unit: UnitId) {
        let definition = self.engine.shared_definition(unit);
        let Some((name, section)) = definition.as_deref().and_then(socket_parts) else {
            return;
        };
        self.drop_unmatched_ports(unit, name, section);
        self.place_ports(unit, name, section);
        let nodes = match owner_of_nodes(section) {
            Ok(nodes) => nodes,
            Err(error) => {
                self.close_sockets(unit);
                self.feed(Event::SocketOpenFailed { unit, error });
                return;
            }
        };
        let owner = Role::Port.of(name);
        for (position, port) in section.ports.iter().enumerate() {
            let Ok(fd_name) = FdName::new(&position.to_string()) else {
                continue;
            };
            if self.store.find(&owner, &fd_name).is_some() {
                continue;
            }
            let opened = match self.adopt_port(port) {
                Some(fd) => Ok(fd),
                None => open_port(port, section, nodes),
            };
            let opened = opened.and_then(|fd| self.keep_port(name, position, port, fd));
            if let Err(error) = opened {
                self.close_sockets(unit);
                self.feed(Event::SocketOpenFailed { unit, error });
                return;
            }
        }
        make_symlinks(section);
        self.feed(Event::SocketOpened { unit });
    }

    /// After a change of the root: says which open ports have no node in this one, so that no client finds them
    /// (semantics trap 31). They stay open; connections that wait in them are still served.
    pub(crate) fn say_which_nodes_are_gone(&self) {
        for unit in self.engine.ids() {
            let definition = self.engine.shared_definition(unit);
            let Some((name, section)) = definition.as_deref().and_then(socket_parts) else {
                continue;
            };
            if self.ports(name).is_empty() {
                continue;
            }
            for path in softboot_unit::nodes(section).filter(|path| std::fs::symlink_metadata(path).is_err())
            {
                warn!(
                    "{name}: {path} is not in this root, so nobody finds its open port; restart {name}, or let it listen \
                     below /run"
                );
            }
        }
    }

    /// Closes the ports; with RemoveOnStop= their nodes go too.
    pub(crate) fn close_sockets(&mut self, unit: UnitId) {
        let definition = self.engine.shared_definition(unit);
        let Some((name, section)) = definition.as_deref().and_then(socket_parts) else {
            return;
        };
        for id in self.ports(name) {
            self.drop_entry(Some(Source::Port(unit, id)), id);
        }
        if section.remove_on_stop {
            remove_nodes(section);
        }
    }

    /// Watches for traffic, or stops.
    pub(crate) fn poll_sockets(&mut self, unit: UnitId, on: bool) {
        let Some(name) = self.engine.name(unit).cloned() else {
            return;
        };
        for id in self.ports(&name) {
            let source = Source::Port(unit, id);
            if on {
                // In a soft-reboot without an exec most are.
                if !self.poll.is_watched(source) {
                    self.watch_entry(source, id, EventFlags::IN);
                }
            } else {
                self.poll.forget(source, self.store.fd(id));
            }
        }
    }

    /// A new userspace is about to boot: sockets that stayed open may have clients waiting, and what those wait for is
    /// started first. Connections of Accept=yes sockets wait until the boot is under way, as instances are units of it.
    pub(crate) fn find_waiting_clients(&mut self) {
        // What cannot be known now comes with the next turn.
        for (source, flags) in self.poll.ready().unwrap_or_default() {
            if let Source::Port(unit, entry) = source
                && self.poll.is_watched(source)
                && self.socket_section(unit).is_some_and(|section| !section.accept)
            {
                self.port_ready(unit, entry, flags);
            }
        }
    }

    /// A port is readable or broken.
    pub(crate) fn port_ready(&mut self, unit: UnitId, id: EntryId, flags: EventFlags) {
        if flags.intersects(EventFlags::ERR | EventFlags::HUP) {
            self.poll_sockets(unit, false);
            self.feed(Event::SocketBroken {
                unit,
                error: "hang-up or error on a listening port".to_owned(),
            });
            return;
        }
        if !self.may_poll(unit, id) {
            return;
        }
        let accept = self.socket_section(unit).is_some_and(|section| section.accept);
        if accept {
            if self.engine.is_listening(unit) && !self.is_no_time_to_accept() {
                self.accept_connection(unit, id);
            } else {
                // It stays in the backlog for whoever comes after.
                self.poll_sockets(unit, false);
            }
        } else {
            if let Some(name) = self.engine.name(unit) {
                let now = crate::clock::monotonic().0;
                self.clients.timeline.client_seen(name, now);
            }
            self.feed(Event::SocketReadable { unit });
        }
    }

    /// Takes what is queued and throws it away.
    pub(crate) fn flush_sockets(&mut self, unit: UnitId) {
        let definition = self.engine.shared_definition(unit);
        let Some((name, section)) = definition.as_deref().and_then(socket_parts) else {
            return;
        };
        for id in self.ports(name) {
            let Some(fd) = self.store.fd(id) else { continue };
            let position = self
                .store
                .entry(id)
                .and_then(|entry| entry.name().as_str().parse::<usize>().ok());
            let kind = position
                .and_then(|position| section.ports.get(position))
                .map(|port| port.kind);
            for _ in 0..FLUSH_MAX {
                // The description is shared with the service, which may have made it blocking: look first.
                let mut poll = [rustix::event::PollFd::new(&fd, rustix::event::PollFlags::IN)];
                let zero = rustix::event::Timespec {
                    tv_sec: 0,
                    tv_nsec: 0,
                };
                if rustix::event::poll(&mut poll, Some(&zero)) != Ok(1) {
                    break;
                }
                let mut scrap = [0_u8; 1];
                let taken = match kind {
                    Some(PortKind::Stream | PortKind::SequentialPacket) => {
                        accept_with(fd, SocketFlags::CLOEXEC).map(drop)
                    }
                    Some(PortKind::MessageQueue) => softboot_sys::mqueue::discard(fd),
                    Some(PortKind::Datagram | PortKind::Netlink) => {
                        recv(fd, &mut scrap[..], RecvFlags::DONTWAIT).map(drop)
                    }
                    _ => rustix::io::read(fd, &mut [0_u8; 4096]).map(drop),
                };
                match taken {
                    Ok(()) | Err(Errno::CONNABORTED | Errno::INTR) => {}
                    Err(Errno::AGAIN) => break,
                    Err(error) => {
                        warn!("cannot drain {name}: {error}");
                        break;
                    }
                }
            }
        }
    }

    /// Puts a stored descriptor into the epoll set.
    pub(crate) fn watch_entry(&mut self, source: Source, id: EntryId, flags: EventFlags) {
        let Some(fd) = self.store.fd(id) else { return };
        match self.poll.watch(source, fd.as_fd(), flags) {
            // EPERM: files and memfds cannot be watched and need not be.
            Ok(()) | Err(Errno::PERM) => {}
            Err(error) => warn!("cannot watch {source:?}: {error}"),
        }
    }

    /// Takes a descriptor out of the epoll set and the store, and closes it.
    pub(crate) fn drop_entry(&mut self, source: Option<Source>, id: EntryId) {
        if let Some(source) = source {
            self.poll.forget(source, self.store.fd(id));
        }
        self.poll_limits.remove(&id);
        let Some(entry) = self.store.detach(id) else {
            return;
        };
        match crate::owner::parse(entry.owner()) {
            // Somebody else's descriptor: a socket may linger, a file system may not answer.
            Some((Role::Store | Role::Connection, _)) => self.close_elsewhere([entry.into_fd()]),
            // Our own, none of which blocks; a port has to be free at once.
            _ => drop(entry),
        }
    }

    /// Closes descriptors of others, without waiting.
    pub(crate) fn close_elsewhere(&self, fds: impl IntoIterator<Item = OwnedFd>) {
        let mut fds = fds.into_iter().peekable();
        // Most systems never need it: each of its threads would make each process that is started a little slower.
        if fds.peek().is_none() {
            return;
        }
        match self.closer.get_or_init(|| Closer::start().ok()) {
            Some(closer) => closer.close(fds),
            None => fds.for_each(drop),
        }
    }
}
