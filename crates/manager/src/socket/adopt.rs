//! Sockets that were open when PID 1 began: a container manager's, or an initrd's (semantics 1.13).
//!
//! Until the boot is complete a port that is opened takes one of these, if it is what would be opened. What is left
//! then is nobody's and is closed.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{FileType, OFlags, fcntl_getfl, fcntl_setfl, fstat, stat};
use rustix::net::{SocketAddrUnix, SocketType, getsockname, sockopt};
use softboot_unit::{Address, Port, PortKind};

use crate::run::Manager;

impl Manager {
    /// Takes a descriptor that is this port already.
    pub(super) fn adopt_port(&mut self, port: &Port) -> Option<OwnedFd> {
        let place = self.adoptable.iter().position(|fd| is_port(fd, port))?;
        let fd = self.adoptable.swap_remove(place);
        // As if it had been opened here.
        let flags = fcntl_getfl(&fd).ok()?;
        fcntl_setfl(&fd, flags | OFlags::NONBLOCK).ok()?;
        Some(fd)
    }

    /// The boot is complete: nobody will ask for what is left.
    pub(crate) fn close_adoptable(&mut self) {
        let left = std::mem::take(&mut self.adoptable);
        if !left.is_empty() {
            self.close_elsewhere(left);
        }
    }
}

fn is_port(fd: impl AsFd, port: &Port) -> bool {
    let fd = fd.as_fd();
    if port.kind == PortKind::Fifo {
        return is_fifo(fd, port);
    }
    let wanted = match port.kind {
        PortKind::Stream => SocketType::STREAM,
        PortKind::Datagram => SocketType::DGRAM,
        PortKind::SequentialPacket => SocketType::SEQPACKET,
        PortKind::Fifo | PortKind::Special | PortKind::Netlink | PortKind::MessageQueue => return false,
    };
    let listens = wanted == SocketType::DGRAM || sockopt::socket_acceptconn(fd) == Ok(true);
    sockopt::socket_type(fd) == Ok(wanted) && listens && has_address(fd, &port.address)
}

fn has_address(fd: impl AsFd, address: &Address) -> bool {
    let Ok(name) = getsockname(fd) else { return false };
    if let Ok(unix) = SocketAddrUnix::try_from(name.clone()) {
        return match address {
            Address::Path(path) => unix.path().is_some_and(|bound| bound.to_str() == Ok(path)),
            Address::Abstract(wanted) => unix.abstract_name() == Some(wanted.as_bytes()),
            _ => false,
        };
    }
    let Ok(bound) = SocketAddr::try_from(name) else {
        return false;
    };
    match address {
        Address::Inet(wanted) => bound == *wanted,
        Address::AnyInet(number) => {
            bound.port() == *number
                && match bound.ip() {
                    IpAddr::V6(ip) => ip == Ipv6Addr::UNSPECIFIED,
                    IpAddr::V4(ip) => ip.is_unspecified(),
                }
        }
        _ => false,
    }
}

/// The FIFO that is at the path.
fn is_fifo(fd: impl AsFd, port: &Port) -> bool {
    let Address::Path(path) = &port.address else {
        return false;
    };
    let (Ok(open), Ok(there)) = (fstat(fd), stat(path.as_str())) else {
        return false;
    };
    FileType::from_raw_mode(open.st_mode) == FileType::Fifo
        && (open.st_dev, open.st_ino) == (there.st_dev, there.st_ino)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, UdpSocket};
    use std::os::unix::net::UnixListener;

    fn port(kind: PortKind, address: Address) -> Port {
        Port { kind, address }
    }

    #[test]
    fn a_socket_is_a_port_by_type_address_and_whether_it_listens() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = Address::Inet(tcp.local_addr().unwrap());
        assert!(is_port(&tcp, &port(PortKind::Stream, own.clone())));
        assert!(!is_port(&tcp, &port(PortKind::Datagram, own)));
        let other = Address::Inet("127.0.0.1:1".parse().unwrap());
        assert!(!is_port(&tcp, &port(PortKind::Stream, other)));

        let udp = UdpSocket::bind("[::]:0").unwrap();
        let number = udp.local_addr().unwrap().port();
        assert!(is_port(&udp, &port(PortKind::Datagram, Address::AnyInet(number))));

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let unix = UnixListener::bind(&path).unwrap();
        let own = Address::Path(path.to_str().unwrap().to_owned());
        assert!(is_port(&unix, &port(PortKind::Stream, own.clone())));
        let client = std::os::unix::net::UnixStream::connect(&path).unwrap();
        let (served, _) = unix.accept().unwrap();
        assert!(
            !is_port(&served, &port(PortKind::Stream, own)),
            "connected, not listening"
        );
        drop(client);
    }

    #[test]
    fn a_fifo_is_the_one_at_the_path() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        let make = || {
            rustix::fs::mknodat(
                rustix::fs::CWD,
                &path,
                FileType::Fifo,
                rustix::fs::Mode::from_raw_mode(0o600),
                0,
            )
            .unwrap();
        };
        make();
        let fd = rustix::fs::open(&path, OFlags::RDWR, rustix::fs::Mode::empty()).unwrap();
        let fifo = port(PortKind::Fifo, Address::Path(path.to_str().unwrap().to_owned()));
        assert!(is_port(&fd, &fifo));
        std::fs::rename(&path, directory.path().join("old")).unwrap();
        make();
        assert!(!is_port(&fd, &fifo), "another one has its place");
    }
}
