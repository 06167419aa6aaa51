//! What a client does in one attempt.

mod address;
mod client;
mod http;
mod stream;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use address::AddressError;
pub use client::Client;

/// Where a stream goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A port.
    Tcp(SocketAddr),
    /// A local socket.
    Unix(PathBuf),
}

/// An endpoint and the way to use it once. But for [`Held`](Endpoint::Held) and [`Udp`](Endpoint::Udp) every attempt
/// makes a new connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Sends a line over TCP and expects the same line back.
    Echo(SocketAddr),
    /// The same over a local socket.
    UnixEcho(PathBuf),
    /// Gets a page over HTTP and expects status 200 and a whole body.
    Http {
        /// Where.
        address: SocketAddr,
        /// Which page, with the leading slash.
        path: String,
    },
    /// Sends a numbered datagram and expects the same back.
    Udp(SocketAddr),
    /// Sends a line over a connection that stays, and expects the same line back. Once it is cut, the next attempt
    /// makes a new one.
    Held(Peer),
    /// Calls `org.varlink.service.GetInfo` on a local socket.
    Varlink(PathBuf),
    /// Starts a service for this connection alone (`Accept=yes`): sends a line, closes that direction, and expects an
    /// answer up to the end of the stream.
    Activation(Peer),
}

impl Endpoint {
    /// When an attempt is given up unless one says otherwise. A datagram may be lost without a word, and no other is
    /// sent meanwhile, so that one waits less.
    pub fn default_timeout(&self) -> Duration {
        match self {
            Endpoint::Udp(_) => Duration::from_millis(100),
            _ => Duration::from_secs(5),
        }
    }
}
