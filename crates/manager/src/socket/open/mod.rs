//! Opening one port (semantics 1.3, 1.4).

mod inet;
mod mask;
mod nodes;
mod options;
mod others;

use std::os::fd::OwnedFd;

pub(crate) use mask::with_mode;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, Protocol, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with,
};
use softboot_sys::vsock::{self, VsockType};
use softboot_unit::{Address, Port, PortKind, SocketProtocol, SocketSection};

pub(crate) use nodes::{Owner, make_symlinks, remove_nodes};

/// Opens, binds and listens. The error names the address.
pub(crate) fn open_port(port: &Port, settings: &SocketSection, owner: Owner) -> Result<OwnedFd, String> {
    let failed = |error: Errno| format!("{}: {error}", describe(port));
    match (&port.kind, &port.address) {
        (PortKind::Fifo, Address::Path(path)) => nodes::fifo(path, settings, owner).map_err(failed),
        (PortKind::Special, Address::Path(path)) => others::special(path, settings.writable).map_err(failed),
        (PortKind::MessageQueue, Address::Path(name)) => {
            others::message_queue(name, settings, owner).map_err(failed)
        }
        (PortKind::Netlink, Address::Netlink { family, group }) => others::netlink(*family, *group)
            .and_then(|fd| finish(fd, port, settings))
            .map_err(failed),
        (PortKind::Fifo | PortKind::Special | PortKind::MessageQueue | PortKind::Netlink, _)
        | (_, Address::Netlink { .. }) => Err(format!(
            "{}: this kind of port has no such address",
            describe(port)
        )),
        (_, Address::Path(path)) => nodes::unix(port, path, settings, owner).map_err(failed),
        (_, Address::Abstract(name)) => {
            let address = SocketAddrUnix::new_abstract_name(name.as_bytes()).map_err(failed)?;
            let fd = create(AddressFamily::UNIX, port.kind, None).map_err(failed)?;
            bind(&fd, &address).map_err(failed)?;
            finish(fd, port, settings).map_err(failed)
        }
        (_, Address::Vsock { cid, port: number }) => {
            let kind = match port.kind {
                PortKind::Datagram => VsockType::Datagram,
                PortKind::SequentialPacket => VsockType::SeqPacket,
                _ => VsockType::Stream,
            };
            let fd = vsock::bound(*cid, *number, kind).map_err(failed)?;
            finish(fd, port, settings).map_err(failed)
        }
        (_, Address::Inet(address)) => inet::open(*address, port, settings).map_err(failed),
        (_, Address::InetAt { address, interface }) => {
            let address = inet::at_interface(*address, interface).map_err(failed)?;
            inet::open(address, port, settings).map_err(failed)
        }
        (_, Address::AnyInet(number)) => inet::any(*number, port, settings).map_err(failed),
    }
}

/// The address as people write it.
pub(crate) fn describe(port: &Port) -> String {
    match &port.address {
        Address::Path(path) => path.clone(),
        Address::Abstract(name) => format!("@{name}"),
        Address::Inet(address) => address.to_string(),
        Address::AnyInet(number) => format!("[::]:{number}"),
        Address::InetAt { address, interface } => format!("{address}%{interface}"),
        Address::Vsock { cid: Some(cid), port } => format!("vsock:{cid}:{port}"),
        Address::Vsock { cid: None, port } => format!("vsock::{port}"),
        Address::Netlink { family, group } => format!("netlink {family} {group}"),
    }
}

/// The word for the port's kind.
pub(crate) fn kind_word(kind: PortKind) -> &'static str {
    match kind {
        PortKind::Stream => "stream",
        PortKind::Datagram => "datagram",
        PortKind::SequentialPacket => "seqpacket",
        PortKind::Fifo => "fifo",
        PortKind::Special => "special",
        PortKind::Netlink => "netlink",
        PortKind::MessageQueue => "mqueue",
    }
}

fn create(family: AddressFamily, kind: PortKind, protocol: Option<SocketProtocol>) -> Result<OwnedFd, Errno> {
    let kind = match kind {
        PortKind::Stream => SocketType::STREAM,
        PortKind::Datagram => SocketType::DGRAM,
        PortKind::SequentialPacket => SocketType::SEQPACKET,
        PortKind::Fifo | PortKind::Special | PortKind::Netlink | PortKind::MessageQueue => {
            return Err(Errno::NOTSUP);
        }
    };
    // Numbers of netinet/in.h.
    let protocol = protocol.map(|protocol| match protocol {
        SocketProtocol::UdpLite => 136,
        SocketProtocol::Sctp => 132,
        SocketProtocol::Mptcp => 262,
    });
    let protocol = protocol
        .and_then(std::num::NonZeroU32::new)
        .map(Protocol::from_raw);
    socket_with(
        family,
        kind,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        protocol,
    )
}

/// listen(2) and the options whose failure is only logged (semantics 1.4, steps 6 and 8).
fn finish(fd: OwnedFd, port: &Port, settings: &SocketSection) -> Result<OwnedFd, Errno> {
    if matches!(port.kind, PortKind::Stream | PortKind::SequentialPacket) {
        // The kernel clamps to somaxconn.
        listen(&fd, i32::try_from(settings.backlog).unwrap_or(i32::MAX))?;
    }
    options::apply(&fd, port, settings);
    Ok(fd)
}

#[cfg(test)]
mod tests;
