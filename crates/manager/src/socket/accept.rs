//! Accept=yes: PID 1 accepts, an instance serves (semantics 1.2).

use std::net::SocketAddr;
use std::os::fd::{AsFd as _, OwnedFd};

use fdstore::EntryId;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, accept_with, getpeername, getsockname, sockopt};
use softboot_engine::{Event, FdToken, Peer, UnitId};
use softboot_unit::{UnitName, Usec};
use tracing::{info, warn};

use crate::environment::Remote;
use crate::owner::Role;
use crate::run::{Alarm, Manager};

/// How long a port rests when PID 1 or the system is out of descriptors. The connection waits in the backlog.
const REST: Usec = Usec::from_millis(100);

impl Manager {
    /// Accepts one connection; more of them keep the port readable.
    pub(crate) fn accept_connection(&mut self, unit: UnitId, port: EntryId) {
        let Some(listener) = self.store.fd(port) else {
            return;
        };
        let accepted = accept_with(listener.as_fd(), SocketFlags::CLOEXEC | SocketFlags::NONBLOCK);
        match accepted {
            Ok(connection) => self.hand_to_instance(unit, connection),
            // The peer went away again, or nothing is there: accept(2), "Error handling".
            Err(
                Errno::AGAIN
                | Errno::INTR
                | Errno::CONNABORTED
                | Errno::NETDOWN
                | Errno::PROTO
                | Errno::NOPROTOOPT
                | Errno::HOSTDOWN
                | Errno::NONET
                | Errno::HOSTUNREACH
                | Errno::OPNOTSUPP
                | Errno::NETUNREACH
                | Errno::PERM,
            ) => {}
            Err(error @ (Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)) => {
                warn!("cannot accept a connection now, it waits: {error}");
                self.poll_sockets(unit, false);
                self.timers
                    .set(Alarm::ResumePort(unit), crate::clock::monotonic().plus(REST));
            }
            Err(error) => {
                self.poll_sockets(unit, false);
                self.feed(Event::SocketBroken {
                    unit,
                    error: format!("accept: {error}"),
                });
            }
        }
    }

    fn hand_to_instance(&mut self, unit: UnitId, connection: OwnedFd) {
        let Ok((peer, remote, source)) = describe_peer(&connection) else {
            // ENOTCONN: the peer is gone already (semantics 1.2).
            return;
        };
        let instance = match self.engine.accept_instance(unit, &peer) {
            Ok(instance) => instance,
            Err(reason) => {
                info!("connection refused: {reason}");
                return;
            }
        };
        self.load_units(std::slice::from_ref(&instance));
        let token = FdToken(self.next_token());
        if let Err(error) = self.keep(&Role::Connection.of(&instance), &token.0.to_string(), connection) {
            warn!("cannot keep a connection for {instance}: {error}");
            return;
        }
        self.remotes.insert(token, remote);
        self.feed(Event::SocketAccepted {
            unit,
            instance,
            connection: token,
            source,
        });
    }

    /// Closes a connection that no instance gets.
    pub(crate) fn close_connection(&mut self, token: FdToken) {
        self.remotes.remove(&token);
        let name = token.0.to_string();
        let found = self
            .store
            .entries()
            .find(|entry| entry.name().as_str() == name && entry.owner().starts_with("connection:"))
            .map(fdstore::Entry::id);
        if let Some(id) = found {
            self.drop_entry(None, id);
        }
    }

    /// Closes whatever connection an instance had.
    pub(crate) fn close_connections_of(&mut self, unit: &UnitName) {
        let entries: Vec<(EntryId, Option<u64>)> = self
            .store
            .entries_of(&Role::Connection.of(unit))
            .map(|entry| (entry.id(), entry.name().as_str().parse().ok()))
            .collect();
        for (id, token) in entries {
            if let Some(token) = token {
                self.remotes.remove(&FdToken(token));
            }
            self.drop_entry(None, id);
        }
    }
}

/// Who is connected: for the instance's name, its environment, and the limit per source.
fn describe_peer(connection: &OwnedFd) -> Result<(Peer, Remote, String), Errno> {
    let cookie = sockopt::socket_cookie(connection).unwrap_or(0);
    let mut remote = Remote {
        cookie: Some(cookie),
        ..Remote::default()
    };
    let family = sockopt::socket_domain(connection)?;
    if family == AddressFamily::UNIX {
        let Ok(credentials) = softboot_sys::sockopt::peer_credentials(connection) else {
            return Ok((Peer::Unknown { cookie }, remote, "unknown".to_owned()));
        };
        let (pid, uid) = (credentials.pid, credentials.uid);
        remote.address = unix_peer_name(connection);
        let peer = Peer::Unix {
            cookie,
            pid,
            pidfd_id: softboot_sys::sockopt::peer_pidfd_id(connection),
            uid,
        };
        return Ok((peer, remote, format!("uid {uid}")));
    }
    if family == AddressFamily::VSOCK {
        let [local, peer] = softboot_sys::vsock::ends(connection.as_fd())?;
        remote.address = Some(peer.0.to_string());
        remote.port = u16::try_from(peer.1).ok();
        let source = format!("cid {}", peer.0);
        let peer = Peer::Vsock {
            cookie,
            local,
            remote: peer,
        };
        return Ok((peer, remote, source));
    }
    let local = SocketAddr::try_from(getsockname(connection)?).map_err(|_| Errno::AFNOSUPPORT);
    let peer = getpeername(connection)?.ok_or(Errno::NOTCONN)?;
    let peer = SocketAddr::try_from(peer).map_err(|_| Errno::AFNOSUPPORT);
    let (Ok(local), Ok(peer)) = (local, peer) else {
        return Ok((Peer::Unknown { cookie }, remote, "unknown".to_owned()));
    };
    // IPv4 over a dual-stack socket is shown as IPv4 (semantics 1.1).
    let (local, peer) = (unmapped(local), unmapped(peer));
    remote.address = Some(peer.ip().to_string());
    remote.port = Some(peer.port());
    Ok((
        Peer::Inet {
            cookie,
            local,
            remote: peer,
        },
        remote,
        peer.ip().to_string(),
    ))
}

fn unmapped(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn unix_peer_name(connection: &OwnedFd) -> Option<String> {
    let address = getpeername(connection).ok()??;
    let unix = rustix::net::SocketAddrUnix::try_from(address).ok()?;
    if let Some(path) = unix.path() {
        return path.to_str().ok().map(str::to_owned);
    }
    let name = unix.abstract_name()?;
    Some(format!("@{}", String::from_utf8_lossy(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tcp_peer_is_described_by_its_address() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        let (peer, remote, source) = describe_peer(&OwnedFd::from(server)).unwrap();
        assert_eq!(source, "127.0.0.1");
        assert_eq!(remote.port, Some(client.local_addr().unwrap().port()));
        assert!(remote.cookie.is_some_and(|cookie| cookie != 0));
        assert!(matches!(peer, Peer::Inet { remote, .. } if remote == client.local_addr().unwrap()));
    }

    #[test]
    fn a_unix_peer_is_counted_by_its_user() {
        let (one, _two) = std::os::unix::net::UnixStream::pair().unwrap();
        let (peer, _, source) = describe_peer(&OwnedFd::from(one)).unwrap();
        let uid = rustix::process::getuid().as_raw();
        assert_eq!(source, format!("uid {uid}"));
        assert!(matches!(peer, Peer::Unix { uid: found, .. } if found == uid));
    }
}
