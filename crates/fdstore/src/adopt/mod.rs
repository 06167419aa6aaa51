//! From a stored descriptor to a type of the standard library: only after a look at what it is.
//!
//! What a descriptor was called says nothing of what it is. A `TcpListener` made from an accepted connection, or from
//! somebody's unix socket, fails later and elsewhere; here it fails at once, with the reason, and stays where it was.

use std::fs::File;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

use rustix::net::sockopt;

use crate::identity::{Access, FdKind, Identity};
use crate::name::FdName;
use crate::store::{EntryId, FdStore};

const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
const SOCK_STREAM: u32 = 1;
const SOCK_DGRAM: u32 = 2;
const IPPROTO_TCP: u32 = 6;
const IPPROTO_UDP: u32 = 17;
/// Multipath TCP: the same calls, other packets (linux/in.h).
const IPPROTO_MPTCP: u32 = 262;

mod sealed {
    pub trait Sealed {}
}

/// A type that a stored descriptor can become. Sealed: the list is below, [`OwnedFd`] takes anything.
///
/// File status flags such as O_NONBLOCK belong to the open file description and come over unchanged; set what the
/// program needs with `set_nonblocking`.
pub trait Adopt: Sized + From<OwnedFd> + sealed::Sealed {
    /// What it has to be, for messages.
    #[doc(hidden)]
    const WHAT: &'static str;

    /// Says what is in the way.
    #[doc(hidden)]
    fn check(identity: &Identity, fd: BorrowedFd<'_>) -> Result<(), String>;
}

/// Why a descriptor was not handed out. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdoptError {
    /// There is no such entry.
    #[error("there is no descriptor named {name:?}")]
    Missing {
        /// The name that was asked for.
        name: String,
    },
    /// It is something else. It stays in the store.
    #[error("{name:?} is no {expected}: {reason}")]
    Mismatch {
        /// The name that was asked for.
        name: String,
        /// What was asked for.
        expected: &'static str,
        /// What is different.
        reason: String,
    },
    /// It could not be duplicated.
    #[error("{name:?} cannot be duplicated: {reason}")]
    Duplicate {
        /// The name that was asked for.
        name: String,
        /// What the system says.
        reason: String,
    },
}

/// Whether `fd` can become a `T`; the reason if not.
pub(crate) fn suits<T: Adopt>(name: &str, fd: BorrowedFd<'_>) -> Result<(), AdoptError> {
    // Looked at now, not when it was stored: a socket may have begun to listen since.
    Identity::of(fd)
        .map_err(|error| format!("it cannot be looked at: {error}"))
        .and_then(|identity| match identity.access() {
            Access::Path if T::WHAT != <OwnedFd as Adopt>::WHAT => {
                Err("it was opened with O_PATH".to_owned())
            }
            _ => T::check(&identity, fd),
        })
        .map_err(|reason| AdoptError::Mismatch {
            name: name.to_owned(),
            expected: T::WHAT,
            reason,
        })
}

impl FdStore {
    /// Takes the oldest descriptor of this owner and name out of the store, as a `T`. What is not a `T` stays in.
    ///
    /// ```
    /// use std::net::TcpListener;
    /// # use fdstore::{FdName, FdStore, InsertOptions};
    /// let mut store = FdStore::new();
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// store.insert("me", &FdName::new("http")?, listener.into(), InsertOptions::default())?;
    /// assert!(store.take::<std::net::UdpSocket>("me", "http").is_err());
    /// let listener: TcpListener = store.take("me", "http")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn take<T: Adopt>(&mut self, owner: &str, name: &str) -> Result<T, AdoptError> {
        let (id, fd) = self.named(owner, name)?;
        suits::<T>(name, fd)?;
        self.remove(id).map(T::from).ok_or_else(|| missing(name))
    }

    /// A duplicate of the oldest descriptor of this owner and name, as a `T`. The store keeps its own: for a listener
    /// that is in use now and goes to the next program later.
    pub fn share<T: Adopt>(&self, owner: &str, name: &str) -> Result<T, AdoptError> {
        let (_, fd) = self.named(owner, name)?;
        suits::<T>(name, fd)?;
        match fd.try_clone_to_owned() {
            Ok(copy) => Ok(T::from(copy)),
            Err(error) => Err(AdoptError::Duplicate {
                name: name.to_owned(),
                reason: error.to_string(),
            }),
        }
    }

    fn named(&self, owner: &str, name: &str) -> Result<(EntryId, BorrowedFd<'_>), AdoptError> {
        FdName::new(name)
            .ok()
            .and_then(|name| self.find(owner, &name))
            .and_then(|id| Some((id, self.fd(id)?)))
            .ok_or_else(|| missing(name))
    }
}

pub(crate) fn missing(name: &str) -> AdoptError {
    AdoptError::Missing {
        name: name.to_owned(),
    }
}

/// Checks family, type, listening state and protocol.
fn socket(
    identity: &Identity,
    fd: BorrowedFd<'_>,
    families: &[u16],
    wanted: u32,
    listens: bool,
    protocols: &[u32],
) -> Result<(), String> {
    let is = || format!("it is a {}", identity.kind());
    let FdKind::Socket {
        domain,
        socket_type,
        listening,
    } = identity.kind()
    else {
        return Err(is());
    };
    if !families.contains(domain) || *socket_type != wanted {
        return Err(is());
    }
    if *listening != listens {
        return Err(match listens {
            true => "it does not listen".to_owned(),
            false => "it listens".to_owned(),
        });
    }
    if protocols.is_empty() {
        return Ok(());
    }
    // SCTP and others are streams, too.
    match sockopt::socket_protocol(fd) {
        Ok(Some(protocol)) if protocols.contains(&protocol.as_raw().get()) => Ok(()),
        Ok(protocol) => Err(format!("its protocol is {protocol:?}")),
        Err(error) => Err(format!("its protocol is not known: {error}")),
    }
}

const INET: &[u16] = &[AF_INET, AF_INET6];
const TCP: &[u32] = &[IPPROTO_TCP, IPPROTO_MPTCP];

macro_rules! socket_type {
    ($type:ty, $what:literal, $families:expr, $kind:expr, $listens:expr, $protocols:expr) => {
        impl sealed::Sealed for $type {}
        impl Adopt for $type {
            const WHAT: &'static str = $what;
            fn check(identity: &Identity, fd: BorrowedFd<'_>) -> Result<(), String> {
                socket(identity, fd, $families, $kind, $listens, $protocols)
            }
        }
    };
}

socket_type!(TcpListener, "listening TCP socket", INET, SOCK_STREAM, true, TCP);
socket_type!(TcpStream, "TCP connection", INET, SOCK_STREAM, false, TCP);
socket_type!(UdpSocket, "UDP socket", INET, SOCK_DGRAM, false, &[IPPROTO_UDP]);
socket_type!(
    UnixListener,
    "listening unix stream socket",
    &[AF_UNIX],
    SOCK_STREAM,
    true,
    &[]
);
socket_type!(
    UnixStream,
    "unix stream connection",
    &[AF_UNIX],
    SOCK_STREAM,
    false,
    &[]
);
socket_type!(
    UnixDatagram,
    "unix datagram socket",
    &[AF_UNIX],
    SOCK_DGRAM,
    false,
    &[]
);

impl sealed::Sealed for File {}
impl Adopt for File {
    const WHAT: &'static str = "file or memfd";
    fn check(identity: &Identity, _: BorrowedFd<'_>) -> Result<(), String> {
        match identity.kind() {
            FdKind::File | FdKind::Memfd => Ok(()),
            other => Err(format!("it is a {other}")),
        }
    }
}

impl sealed::Sealed for OwnedFd {}
impl Adopt for OwnedFd {
    const WHAT: &'static str = "descriptor";
    fn check(_: &Identity, _: BorrowedFd<'_>) -> Result<(), String> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
