//! One connection under test.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use serde::Serialize;
use softboot_programs::error::{Context, Error};

/// The bytes count up to this, a prime, so that a lost or doubled block of any usual size shows.
const MODULUS: u64 = 251;
/// The time between attempts to connect.
const RECONNECT_USEC: u64 = 200_000;

/// What was seen on a connection so far.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Status {
    /// Established now.
    pub(crate) connected: bool,
    /// How often it was established.
    pub(crate) connects: u64,
    /// How often it was lost.
    pub(crate) drops: u64,
    /// Bytes sent, over all connects.
    pub(crate) sent: u64,
    /// Bytes that came back, over all connects.
    pub(crate) received: u64,
    /// Bytes that came back with another value than the one that was due.
    pub(crate) corrupt: u64,
    /// The longest time without a byte while one was due.
    pub(crate) largest_gap_usec: u64,
    /// Why it was lost the last time.
    pub(crate) last_error: Option<String>,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Status {
            sent,
            received,
            corrupt,
            drops,
            largest_gap_usec,
            ..
        } = self;
        write!(
            f,
            "sent {sent} received {received} corrupt {corrupt} drops {drops} gap {largest_gap_usec}us"
        )
    }
}

impl Status {
    fn note_gap(&mut self, usec: u64) {
        self.largest_gap_usec = self.largest_gap_usec.max(usec);
    }
}

/// A connection, made again when it was lost.
#[derive(Debug)]
pub(crate) struct Link {
    target: Option<SocketAddr>,
    stream: Option<TcpStream>,
    /// The other end, if it is our own.
    own_peer: Option<TcpStream>,
    /// Bytes sent and received on this connection: the value that is due is their number.
    sent: u64,
    received: u64,
    /// When the last byte came, or the first one was sent.
    last_usec: u64,
    next_connect_usec: u64,
    pub(crate) status: Status,
}

impl Link {
    /// A connection to `target`, made at the first tick at which someone listens there.
    pub(crate) fn to(target: SocketAddr) -> Link {
        Link {
            target: Some(target),
            stream: None,
            own_peer: None,
            sent: 0,
            received: 0,
            last_usec: 0,
            next_connect_usec: 0,
            status: Status::default(),
        }
    }

    /// A connection over loopback whose other end is our own; once lost it stays lost.
    pub(crate) fn with_own_peer() -> Result<Link, Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).doing("listening on loopback")?;
        let address = listener.local_addr().doing("asking for the own port")?;
        let mut link = Link::to(address);
        link.establish(TcpStream::connect(address).doing("connecting to the own port")?)
            .doing("setting up the own connection")?;
        let (peer, _) = listener.accept().doing("accepting the own connection")?;
        peer.set_nonblocking(true)
            .doing("setting up the own connection")?;
        peer.set_nodelay(true).doing("setting up the own connection")?;
        link.own_peer = Some(peer);
        link.target = None;
        Ok(link)
    }

    fn establish(&mut self, stream: TcpStream) -> std::io::Result<()> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        (self.sent, self.received) = (0, 0);
        self.stream = Some(stream);
        self.status.connected = true;
        self.status.connects += 1;
        Ok(())
    }

    /// Sends the next byte, and checks what has come back.
    pub(crate) fn tick(&mut self, now: u64) {
        if self.stream.is_none() {
            self.connect(now);
        }
        if let Err(error) = self.exchange(now) {
            self.stream = None;
            self.status.connected = false;
            self.status.drops += 1;
            self.status.last_error = Some(error.to_string());
            self.next_connect_usec = now + RECONNECT_USEC;
        }
    }

    fn connect(&mut self, now: u64) {
        let Some(target) = self.target.filter(|_| now >= self.next_connect_usec) else {
            return;
        };
        self.next_connect_usec = now + RECONNECT_USEC;
        // Loopback answers at once; the limit only keeps a full backlog from stopping the other connection's ticks.
        let stream = TcpStream::connect_timeout(&target, Duration::from_millis(50));
        if let Err(error) = stream.and_then(|stream| self.establish(stream)) {
            self.status.last_error = Some(error.to_string());
        }
    }

    fn exchange(&mut self, now: u64) -> std::io::Result<()> {
        let Some(stream) = &mut self.stream else {
            return Ok(());
        };
        if self.sent == self.received {
            self.last_usec = now;
        }
        match stream.write(&[value(self.sent)]) {
            Ok(length) => {
                self.sent += length as u64;
                self.status.sent += length as u64;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if let Some(peer) = &mut self.own_peer {
            send_back(peer)?;
        }
        let mut buffer = [0; 4096];
        loop {
            let length = match stream.read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            for &byte in buffer.iter().take(length) {
                self.status.corrupt += u64::from(byte != value(self.received));
                self.received += 1;
            }
            self.status.received += length as u64;
            self.status.note_gap(now - self.last_usec.min(now));
            self.last_usec = now;
        }
        self.status.note_gap(now - self.last_usec.min(now));
        Ok(())
    }
}

fn send_back(peer: &mut TcpStream) -> std::io::Result<()> {
    let mut buffer = [0; 256];
    match peer.read(&mut buffer) {
        Ok(length) => peer.write_all(buffer.get(..length).unwrap_or_default()),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error),
    }
}

/// The byte that is due after `count` bytes.
fn value(count: u64) -> u8 {
    u8::try_from(count % MODULUS).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_connection_exchanges_every_byte() {
        let mut link = Link::with_own_peer().unwrap();
        for tick in 0..1_000 {
            link.tick(tick);
        }
        assert_eq!(
            (link.status.sent, link.status.corrupt, link.status.drops),
            (1_000, 0, 0)
        );
        assert!(link.status.received >= 900, "{}", link.status);
    }

    #[test]
    fn a_missing_byte_shows_as_corruption() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut link = Link::to(listener.local_addr().unwrap());
        link.tick(0);
        let (mut peer, _) = listener.accept().unwrap();
        peer.write_all(&[0, 1, 3]).unwrap();
        while link.status.received < 3 {
            link.tick(1);
        }
        assert_eq!(link.status.corrupt, 1);
    }

    #[test]
    fn a_lost_connection_is_a_drop_and_is_made_again() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut link = Link::to(listener.local_addr().unwrap());
        link.tick(0);
        drop(listener.accept().unwrap());
        while link.status.drops == 0 {
            link.tick(1);
        }
        link.tick(1 + RECONNECT_USEC);
        assert_eq!(
            (link.status.connects, link.status.drops, link.status.connected),
            (2, 1, true)
        );
    }
}
