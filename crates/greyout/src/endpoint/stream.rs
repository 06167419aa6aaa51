//! A connection on which no step takes longer than it may.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::retry_on_intr;
use rustix::net::sockopt::{Timeout, set_socket_timeout, set_tcp_nodelay};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketAddrUnix, SocketFlags, SocketType, connect, recv,
    send, shutdown, socket_with,
};

use super::Peer;
use crate::clock;

/// A connected stream.
#[derive(Debug)]
pub(super) struct Stream {
    fd: OwnedFd,
    timeout: Duration,
    deadline: u64,
}

impl Stream {
    /// Connects. A full backlog makes connect(2) wait, on a local socket too; SO_SNDTIMEO ends that.
    pub(super) fn connect(peer: &Peer, timeout: Duration) -> io::Result<Stream> {
        let family = match peer {
            Peer::Tcp(address) if address.is_ipv6() => AddressFamily::INET6,
            Peer::Tcp(_) => AddressFamily::INET,
            Peer::Unix(_) => AddressFamily::UNIX,
        };
        let fd = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        set_socket_timeout(&fd, Timeout::Send, Some(timeout))?;
        set_socket_timeout(&fd, Timeout::Recv, Some(timeout))?;
        let mut stream = Stream {
            fd,
            timeout,
            deadline: 0,
        };
        stream.restart();
        // A signal is not the endpoint's doing. On Linux a second connect(2) waits for what the first one began.
        match peer {
            Peer::Tcp(address) => {
                set_tcp_nodelay(&stream.fd, true)?;
                retry_on_intr(|| connect(&stream.fd, address))?;
            }
            Peer::Unix(path) => {
                let address = SocketAddrUnix::new(path)?;
                retry_on_intr(|| connect(&stream.fd, &address))?;
            }
        }
        Ok(stream)
    }

    /// Gives the next exchange its own time.
    pub(super) fn restart(&mut self) {
        self.deadline = clock::now().saturating_add(clock::span(self.timeout));
    }

    /// Says that nothing more is sent.
    pub(super) fn end_sending(&self) -> io::Result<()> {
        Ok(shutdown(&self.fd, Shutdown::Write)?)
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // A server that sends a byte now and then would satisfy SO_RCVTIMEO for ever.
        if clock::now() >= self.deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let (length, _) = retry_on_intr(|| recv(&self.fd, &mut *buffer, RecvFlags::empty()))?;
        Ok(length)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(retry_on_intr(|| send(&self.fd, bytes, SendFlags::NOSIGNAL))?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
