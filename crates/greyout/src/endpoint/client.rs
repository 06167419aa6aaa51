//! A client: makes attempts against one endpoint, and keeps what stays between them.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use super::stream::Stream;
use super::{Endpoint, Peer, http};
use crate::attempt::Outcome;

const LINE: &[u8] = b"softboot greyout probe\n";
const GET_INFO: &[u8] = b"{\"method\":\"org.varlink.service.GetInfo\",\"parameters\":{}}\0";
/// No reply that is looked at is longer.
const LONGEST: u64 = 16 << 20;

/// A client of one endpoint.
#[derive(Debug)]
pub struct Client {
    endpoint: Endpoint,
    timeout: Duration,
    held: Option<Stream>,
    /// A connection was held before, and was lost.
    lost: bool,
    reconnected: bool,
    udp: Option<UdpSocket>,
    number: u64,
}

impl Client {
    /// A client that gives each step of an attempt so much time.
    pub fn new(endpoint: Endpoint, timeout: Duration) -> Client {
        Client {
            endpoint,
            timeout,
            held: None,
            lost: false,
            reconnected: false,
            udp: None,
            number: 0,
        }
    }

    /// One attempt.
    pub fn attempt(&mut self) -> Outcome {
        self.reconnected = false;
        self.exchange().unwrap_or_else(|error| Outcome::of_error(&error))
    }

    /// Whether the last attempt got its reply over a new connection in the place of one that was held and lost.
    pub fn reconnected(&self) -> bool {
        self.reconnected
    }

    fn exchange(&mut self) -> io::Result<Outcome> {
        match &self.endpoint {
            Endpoint::Echo(address) => echo(&mut self.connect(&Peer::Tcp(*address))?),
            Endpoint::UnixEcho(path) => echo(&mut self.connect(&Peer::Unix(path.clone()))?),
            Endpoint::Http { address, path } => {
                let mut stream = self.connect(&Peer::Tcp(*address))?;
                let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\r\n");
                stream.write_all(request.as_bytes())?;
                let mut reply = Vec::new();
                stream.take(LONGEST).read_to_end(&mut reply)?;
                Ok(http::judge(&reply))
            }
            Endpoint::Varlink(path) => get_info(self.connect(&Peer::Unix(path.clone()))?),
            Endpoint::Activation(peer) => activation(self.connect(peer)?),
            Endpoint::Held(peer) => {
                let peer = peer.clone();
                self.heartbeat(&peer)
            }
            Endpoint::Udp(address) => {
                let address = *address;
                self.ping(address)
            }
        }
    }

    fn connect(&self, peer: &Peer) -> io::Result<Stream> {
        Stream::connect(peer, self.timeout)
    }

    fn heartbeat(&mut self, peer: &Peer) -> io::Result<Outcome> {
        let mut stream = match self.held.take() {
            Some(mut stream) => {
                stream.restart();
                stream
            }
            None => self.connect(peer)?,
        };
        // Whatever goes wrong, this connection has been given up by then: a late reply would be taken for the next.
        let lost = std::mem::replace(&mut self.lost, true);
        let outcome = echo(&mut stream)?;
        if outcome == Outcome::Good {
            self.held = Some(stream);
            self.reconnected = lost;
            self.lost = false;
        }
        Ok(outcome)
    }

    fn ping(&mut self, address: SocketAddr) -> io::Result<Outcome> {
        self.number = self.number.wrapping_add(1);
        let ping = self.number.to_be_bytes();
        let udp = match self.udp.take() {
            Some(udp) => udp,
            None => bound(address, self.timeout)?,
        };
        let deadline = crate::clock::now().saturating_add(crate::clock::span(self.timeout));
        let exchange = || {
            udp.send(&ping)?;
            let mut reply = [0; 64];
            // What an earlier ping is answered late does not answer this one.
            loop {
                match udp.recv(&mut reply) {
                    Ok(length) if reply.get(..length) == Some(&ping) => return Ok(Outcome::Good),
                    Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                    _ => {}
                }
                if crate::clock::now() >= deadline {
                    return Ok(Outcome::TimedOut);
                }
            }
        };
        let result = exchange();
        self.udp = Some(udp);
        result
    }
}

fn bound(address: SocketAddr, timeout: Duration) -> io::Result<UdpSocket> {
    let any: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let udp = UdpSocket::bind((any, 0))?;
    // Connected, so that ICMP's "nobody there" comes as ECONNREFUSED (udp(7)).
    udp.connect(address)?;
    udp.set_read_timeout(Some(timeout))?;
    Ok(udp)
}

fn echo(stream: &mut Stream) -> io::Result<Outcome> {
    stream.write_all(LINE)?;
    let mut reply = [0; LINE.len()];
    let mut length = 0;
    while let Some(space) = reply.get_mut(length..).filter(|space| !space.is_empty()) {
        match stream.read(space)? {
            0 if length == 0 => return Ok(Outcome::Eof),
            0 => return Ok(Outcome::ShortReply),
            more => length += more,
        }
    }
    Ok(if reply == *LINE {
        Outcome::Good
    } else {
        Outcome::Wrong
    })
}

fn activation(mut stream: Stream) -> io::Result<Outcome> {
    stream.write_all(LINE)?;
    stream.end_sending()?;
    let mut reply = Vec::new();
    stream.take(LONGEST).read_to_end(&mut reply)?;
    // A service that does not echo may answer what it likes; less than the line is cut short for one that does.
    Ok(match reply.as_slice() {
        [] => Outcome::Eof,
        part if part.len() < LINE.len() && LINE.starts_with(part) => Outcome::ShortReply,
        _ => Outcome::Good,
    })
}

fn get_info(mut stream: Stream) -> io::Result<Outcome> {
    stream.write_all(GET_INFO)?;
    let mut reply = Vec::new();
    let mut buffer = [0; 4096];
    while !reply.contains(&0) {
        match stream.read(&mut buffer)? {
            0 if reply.is_empty() => return Ok(Outcome::Eof),
            0 => return Ok(Outcome::ShortReply),
            more => reply.extend_from_slice(buffer.get(..more).unwrap_or_default()),
        }
        if reply.len() as u64 > LONGEST {
            return Ok(Outcome::Wrong);
        }
    }
    let message = reply.split(|&byte| byte == 0).next().unwrap_or_default();
    let message: serde_json::Value = serde_json::from_slice(message).unwrap_or_default();
    let right = message.get("error").is_none() && message.pointer("/parameters/interfaces").is_some();
    Ok(if right { Outcome::Good } else { Outcome::Wrong })
}

#[cfg(test)]
mod tests;
