//! Accept=yes: one instance a connection (semantics 1.2).

use std::net::SocketAddr;

use softboot_unit::{JobMode, UnitKind, UnitName};

use crate::action::{Action, Level};
use crate::engine::Engine;
use crate::event::{FdToken, UnitId};
use crate::socket::SocketState;
use crate::state::{JobKind, SocketResult};

/// Who is at the other end of an accepted connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// IPv4 or IPv6.
    Inet {
        /// SO_COOKIE.
        cookie: u64,
        /// This end.
        local: SocketAddr,
        /// The other end.
        remote: SocketAddr,
    },
    /// AF_VSOCK: context and port of each end.
    Vsock {
        /// SO_COOKIE.
        cookie: u64,
        /// This end.
        local: (u32, u32),
        /// The other end.
        remote: (u32, u32),
    },
    /// AF_UNIX with credentials.
    Unix {
        /// SO_COOKIE.
        cookie: u64,
        /// The peer's process.
        pid: i32,
        /// Its inode number on pidfs, where the kernel has one.
        pidfd_id: Option<u64>,
        /// Its user.
        uid: u32,
    },
    /// Nothing is known.
    Unknown {
        /// SO_COOKIE.
        cookie: u64,
    },
}

/// Why a connection gets no instance. The manager closes it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AcceptRefusal {
    /// The unit is no Accept=yes socket.
    #[error("{0} does not accept connections (Accept=yes)")]
    NotAccepting(String),
    /// It does not listen now, or is about to stop.
    #[error("{0} is {1}, so it takes no connection")]
    NotListening(String, &'static str),
    /// No name can be made for the instance.
    #[error("no name for an instance of {0}: {1}")]
    Name(String, String),
}

impl Engine {
    /// The name of the instance that serves a new connection of `socket`. Changes nothing: the manager loads the
    /// instance and then sends [`crate::Event::SocketAccepted`].
    pub fn accept_instance(&self, socket: UnitId, peer: &Peer) -> Result<UnitName, AcceptRefusal> {
        let name = self.units[socket].name();
        let (Some(state), Some(section)) = (self.socket(socket), self.socket_section(socket)) else {
            return Err(AcceptRefusal::NotAccepting(name.to_string()));
        };
        if !section.accept {
            return Err(AcceptRefusal::NotAccepting(name.to_string()));
        }
        if state.state != SocketState::Listening || self.ending.is_some() {
            return Err(AcceptRefusal::NotListening(name.to_string(), state.state.sub()));
        }
        if self.has_job_of(socket, &[JobKind::Stop]) {
            return Err(AcceptRefusal::NotListening(name.to_string(), "about to stop"));
        }
        let refusal =
            |error: softboot_unit::NameError| AcceptRefusal::Name(name.to_string(), error.to_string());
        let template = match section.service.is_template() {
            true => section.service.clone(),
            false => UnitName::new(&format!("{}@.{}", name.stem(), UnitKind::Service)).map_err(refusal)?,
        };
        let text = instance_text(state.accepted, peer);
        template.with_instance(&text).map_err(refusal)
    }

    pub(crate) fn socket_accepted(
        &mut self,
        unit: UnitId,
        instance: &UnitName,
        connection: FdToken,
        source: String,
    ) {
        let refused = self.ending.is_some()
            || self.socket_state(unit) != SocketState::Listening
            || self.has_job_of(unit, &[JobKind::Stop])
            || !self.trigger_allowed(unit)
            || !self.has_room(unit, &source);
        if refused {
            self.act(Action::CloseConnection(connection));
            return;
        }
        let socket_name = self.units[unit].name().clone();
        let service = self.units.find(instance);
        let Some(service) = service.filter(|service| self.service(*service).is_some()) else {
            self.refuse_broken(unit, connection, &format!("{instance} is not there"));
            return;
        };
        if let Some(socket) = self.socket_mut(unit) {
            socket.accepted = socket.accepted.saturating_add(1);
            socket.connections = socket.connections.saturating_add(1);
            *socket.sources.entry(source.clone()).or_default() += 1;
        }
        if let Some(state) = self.service_mut(service) {
            state.connection = Some(connection);
            state.accepted_by = Some((socket_name, source));
            state.counted = true;
        }
        self.dirty.insert(unit);
        if let Err(error) = self.enqueue(JobKind::Start, service, JobMode::Replace, None) {
            self.release_connection(service);
            self.refuse_broken(unit, connection, &error.to_string());
        }
    }

    fn refuse_broken(&mut self, unit: UnitId, connection: FdToken, reason: &str) {
        self.log(
            Level::Error,
            Some(unit),
            format!("a connection cannot be served: {reason}"),
        );
        self.act(Action::CloseConnection(connection));
        self.socket_fails(unit, SocketResult::Resources);
    }

    /// MaxConnections= and MaxConnectionsPerSource=.
    fn has_room(&mut self, unit: UnitId, source: &str) -> bool {
        let Some(section) = self.socket_section(unit) else {
            return false;
        };
        let (most, most_per_source) = (section.max_connections, section.max_connections_per_source);
        let Some(socket) = self.socket_mut(unit) else {
            return false;
        };
        let of_source = socket.sources.get(source).copied().unwrap_or(0);
        if socket.connections < most && (most_per_source == 0 || of_source < most_per_source) {
            return true;
        }
        socket.refused = socket.refused.saturating_add(1);
        self.dirty.insert(unit);
        self.log(
            Level::Warning,
            Some(unit),
            format!("too many connections, one from {source} was refused"),
        );
        false
    }

    /// The socket that accepted the connection which this instance serves now.
    pub fn serves_for(&self, unit: UnitId) -> Option<&UnitName> {
        let service = self.service(unit).filter(|service| service.counted)?;
        service.accepted_by.as_ref().map(|(socket, _)| socket)
    }

    /// An instance is over: its connection goes, and its socket counts one less.
    pub(crate) fn release_connection(&mut self, unit: UnitId) {
        let Some(service) = self.service_mut(unit) else {
            return;
        };
        let connection = service.connection.take();
        let counted = std::mem::take(&mut service.counted);
        let accepted_by = service.accepted_by.clone();
        if let Some(connection) = connection {
            self.act(Action::CloseConnection(connection));
        }
        let Some((socket, source)) = accepted_by.filter(|_| counted) else {
            return;
        };
        let Some(socket) = self.units.find(&socket) else {
            return;
        };
        self.dirty.insert(socket);
        let Some(state) = self.socket_mut(socket) else {
            return;
        };
        state.connections = state.connections.saturating_sub(1);
        if let Some(count) = state.sources.get_mut(&source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                state.sources.remove(&source);
            }
        }
    }
}

/// The part after the `@`. Characters that a unit name cannot have become `\xNN`.
fn instance_text(number: u32, peer: &Peer) -> String {
    let text = match peer {
        Peer::Inet {
            cookie,
            local,
            remote,
        } => format!(
            "{number}-{cookie}-{}:{}-{}:{}",
            local.ip().to_canonical(),
            local.port(),
            remote.ip().to_canonical(),
            remote.port()
        ),
        Peer::Vsock {
            cookie,
            local: (local_cid, local_port),
            remote: (remote_cid, remote_port),
        } => format!("{number}-{cookie}-{local_cid}:{local_port}-{remote_cid}:{remote_port}"),
        Peer::Unix {
            cookie,
            pid,
            pidfd_id: Some(id),
            uid,
        } => format!("{number}-{cookie}-{pid}_{id}-{uid}"),
        Peer::Unix {
            cookie,
            pid,
            pidfd_id: None,
            uid,
        } => format!("{number}-{cookie}-{pid}-{uid}"),
        Peer::Unknown { cookie } => format!("{number}-{cookie}-unknown"),
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_' | '.');
    text.chars()
        .map(|c| {
            if allowed(c) {
                c.to_string()
            } else {
                format!("\\x{:02x}", u32::from(c))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instance_names_follow_the_table_of_semantics_1_2() {
        let peer = Peer::Inet {
            cookie: 7,
            local: "[::ffff:10.0.0.1]:80".parse().unwrap(),
            remote: "[fe80::1]:4711".parse().unwrap(),
        };
        assert_eq!(instance_text(3, &peer), "3-7-10.0.0.1:80-fe80::1:4711");
        let peer = Peer::Unix {
            cookie: 7,
            pid: 42,
            pidfd_id: Some(9),
            uid: 1000,
        };
        assert_eq!(instance_text(0, &peer), "0-7-42_9-1000");
        let peer = Peer::Vsock {
            cookie: 7,
            local: (1, 80),
            remote: (2, 4711),
        };
        assert_eq!(instance_text(5, &peer), "5-7-1:80-2:4711");
        assert_eq!(instance_text(1, &Peer::Unknown { cookie: 2 }), "1-2-unknown");
    }
}
