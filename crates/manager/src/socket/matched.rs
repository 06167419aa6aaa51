//! Open descriptors and the ports that they were opened for: after a reload, and before a start.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use fdstore::{EntryId, FdName, InsertOptions};
use softboot_engine::{Event, UnitId};
use softboot_unit::{Address, Port, SocketSection, UnitName};
use tracing::warn;

use super::open::{Owner, describe, make_symlinks, open_port};
use super::ports::socket_parts;
use crate::owner::Role;
use crate::run::{Manager, Source};

/// The label that says which port a descriptor was opened for.
const PORT_LABEL: &str = "port";

/// A descriptor, its place, and its port; `None` for a port that this program does not understand.
struct Held {
    id: EntryId,
    place: String,
    port: Option<Port>,
}

impl Manager {
    /// The unit is open and its ports are configured anew. What stays is not closed for a moment; what is new is opened
    /// before anything is closed; and if that fails all stays as it is.
    pub(crate) fn reconcile_sockets(&mut self, unit: UnitId) {
        let definition = self.engine.shared_definition(unit);
        let Some((name, section)) = definition.as_deref().and_then(socket_parts) else {
            return;
        };
        match self.open_missing(name, section) {
            Ok(opened) => {
                let closed = self.drop_unmatched_ports(unit, name, section);
                self.place_ports(unit, name, section);
                make_symlinks(section);
                for (verb, ports) in [("listens", opened), ("no longer listens", closed)] {
                    for port in ports {
                        self.unit_log_line(name, &format!("{verb} on {port}, as its file now says"));
                    }
                }
            }
            Err(error) => {
                let text = format!("its new ports cannot be opened, it keeps the old ones: {error}");
                warn!("{name}: {text}");
                self.unit_log_line(name, &text);
            }
        }
        if self.engine.is_listening(unit) {
            self.poll_sockets(unit, true);
        }
    }

    /// Ports whose node is gone are closed and opened again; nobody could find them.
    pub(crate) fn open_lost_ports(&mut self, unit: UnitId) {
        let definition = self.engine.shared_definition(unit);
        let Some((name, section)) = definition.as_deref().and_then(socket_parts) else {
            return;
        };
        for held in self.held_ports(name) {
            if let Some(Address::Path(path)) = held.port.map(|port| port.address)
                && std::fs::symlink_metadata(path).is_err()
            {
                self.drop_entry(Some(Source::Port(unit, held.id)), held.id);
            }
        }
        self.reconcile_sockets(unit);
        if self.held_ports(name).len() < section.ports.len() {
            let error = "its node was removed, and it could not be opened again".to_owned();
            self.feed(Event::SocketBroken { unit, error });
        }
    }

    /// Opens the ports that nothing is open for. Either all of them are kept, at places of their own, or none.
    fn open_missing(&mut self, name: &UnitName, section: &SocketSection) -> Result<Vec<String>, String> {
        let owner = owner_of_nodes(section)?;
        let held = self.held_ports(name);
        let is_open = |port: &Port| held.iter().any(|held| held.port.as_ref() == Some(port));
        let mut opened = Vec::new();
        for port in section.ports.iter().filter(|port| !is_open(port)) {
            opened.push((port, open_port(port, section, owner)?));
        }
        // Beyond every place that is taken; `place_ports` brings them to their own.
        let free = held.len().max(section.ports.len());
        let mut names = Vec::new();
        for (offset, (port, fd)) in opened.into_iter().enumerate() {
            self.keep_port(name, free.saturating_add(offset), port, fd)?;
            names.push(describe(port));
        }
        Ok(names)
    }

    /// Puts a port's descriptor into the store.
    pub(super) fn keep_port(
        &mut self,
        unit: &UnitName,
        place: usize,
        port: &Port,
        fd: OwnedFd,
    ) -> Result<(), String> {
        let label = serde_json::to_string(port).map_err(|error| error.to_string())?;
        let options = InsertOptions {
            labels: BTreeMap::from([(PORT_LABEL.to_owned(), label)]),
            ..InsertOptions::default()
        };
        let fd_name = FdName::new(&place.to_string()).map_err(|error| error.to_string())?;
        self.store
            .insert(&Role::Port.of(unit), &fd_name, fd, options)
            .map(drop)
            .map_err(|error| error.to_string())
    }

    fn held_ports(&self, unit: &UnitName) -> Vec<Held> {
        self.store
            .entries_of(&Role::Port.of(unit))
            .map(|entry| Held {
                id: entry.id(),
                place: entry.name().to_string(),
                port: entry
                    .labels()
                    .get(PORT_LABEL)
                    .and_then(|label| serde_json::from_slice(label.as_bytes()).ok()),
            })
            .collect()
    }

    /// Closes descriptors whose port is not configured any more; says which.
    pub(super) fn drop_unmatched_ports(
        &mut self,
        unit: UnitId,
        name: &UnitName,
        section: &SocketSection,
    ) -> Vec<String> {
        let mut closed = Vec::new();
        for held in self.held_ports(name) {
            if held
                .port
                .as_ref()
                .is_some_and(|port| section.ports.contains(port))
            {
                continue;
            }
            self.drop_entry(Some(Source::Port(unit, held.id)), held.id);
            closed.push(
                held.port
                    .as_ref()
                    .map_or_else(|| "an unknown port".to_owned(), describe),
            );
        }
        closed
    }

    /// Gives every descriptor the place that its port has in the configuration now.
    pub(super) fn place_ports(&mut self, unit: UnitId, name: &UnitName, section: &SocketSection) {
        let held = self.held_ports(name);
        let place_of = |port: &Port| section.ports.iter().position(|wanted| wanted == port);
        let moved: Vec<(Held, usize)> = held
            .into_iter()
            .filter_map(|held| {
                let place = held.port.as_ref().and_then(place_of)?;
                (place.to_string() != held.place).then_some((held, place))
            })
            .collect();
        // All of them first: one's new place may be another's old one.
        let mut out = Vec::new();
        for (held, place) in moved {
            self.poll
                .forget(Source::Port(unit, held.id), self.store.fd(held.id));
            if let (Some(fd), Some(port)) = (self.store.remove(held.id), held.port) {
                out.push((place, port, fd));
            }
        }
        for (place, port, fd) in out {
            if let Err(error) = self.keep_port(name, place, &port, fd) {
                warn!("{name}: a port was lost: {error}");
            }
        }
    }

    /// PollLimitBurst=: a port that wakes us too often rests until its interval is over.
    pub(super) fn may_poll(&mut self, unit: UnitId, id: EntryId) -> bool {
        let Some(limit) = self.socket_section(unit).map(|section| section.poll_limit) else {
            return true;
        };
        let now = crate::clock::monotonic();
        let limiter = self.poll_limits.entry(id).or_default();
        if limiter.allow(limit, now) {
            return true;
        }
        let resume = limiter.next_window(limit);
        self.poll.forget(Source::Port(unit, id), self.store.fd(id));
        self.timers.set(crate::run::Alarm::ResumePort(unit), resume);
        false
    }

    /// The rest of a port is over, if its traffic is still waited for.
    pub(crate) fn resume_ports(&mut self, unit: UnitId) {
        if self.engine.is_listening(unit) {
            self.poll_sockets(unit, true);
        }
    }
}

/// SocketUser= and SocketGroup=. The user's own group is theirs unless another is named.
pub(super) fn owner_of_nodes(section: &SocketSection) -> Result<Owner, String> {
    let user = section.user.as_deref().map(crate::users::user).transpose()?;
    let group = section.group.as_deref().map(crate::users::group).transpose()?;
    Ok(Owner {
        uid: user.as_ref().map(|user| user.uid),
        gid: group.or(user.map(|user| user.gid)),
    })
}
