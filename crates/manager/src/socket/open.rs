//! Opening one port (semantics 1.4).

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with, sockopt,
};
use softboot_unit::{Address, Port, PortKind, SocketSection};
use tracing::warn;

/// Opens, binds and listens. The error names the address.
pub(crate) fn open_port(port: &Port, settings: &SocketSection) -> Result<OwnedFd, String> {
    let failed = |error: Errno| format!("{}: {error}", describe(port));
    match (&port.kind, &port.address) {
        (PortKind::Fifo, Address::Path(path)) => open_fifo(path, settings).map_err(failed),
        (PortKind::Special | PortKind::Netlink | PortKind::MessageQueue, _) => Err(format!(
            "{}: this kind of port is not supported yet",
            describe(port)
        )),
        (PortKind::Fifo, _) => Err(format!("{}: a FIFO needs a path", describe(port))),
        (_, Address::Path(path)) => open_unix_path(port, path, settings).map_err(failed),
        (_, Address::Abstract(name)) => {
            let address = SocketAddrUnix::new_abstract_name(name.as_bytes()).map_err(failed)?;
            let fd = create(AddressFamily::UNIX, port.kind).map_err(failed)?;
            bind(&fd, &address).map_err(failed)?;
            finish(fd, port, settings).map_err(failed)
        }
        (_, Address::Inet(address)) => open_inet(*address, port, settings).map_err(failed),
        (_, Address::AnyInet(number)) => {
            let any6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, *number));
            match open_inet(any6, port, settings) {
                // A kernel without IPv6.
                Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL) => {
                    open_inet(SocketAddr::from((Ipv4Addr::UNSPECIFIED, *number)), port, settings)
                        .map_err(failed)
                }
                other => other.map_err(failed),
            }
        }
        _ => Err(format!(
            "{}: this kind of address is not supported yet",
            describe(port)
        )),
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

fn create(family: AddressFamily, kind: PortKind) -> Result<OwnedFd, Errno> {
    let kind = match kind {
        PortKind::Stream | PortKind::Fifo => SocketType::STREAM,
        PortKind::Special | PortKind::Netlink | PortKind::MessageQueue => return Err(Errno::NOTSUP),
        PortKind::Datagram => SocketType::DGRAM,
        PortKind::SequentialPacket => SocketType::SEQPACKET,
    };
    socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)
}

fn open_inet(address: SocketAddr, port: &Port, settings: &SocketSection) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv6() {
        AddressFamily::INET6
    } else {
        AddressFamily::INET
    };
    let fd = create(family, port.kind)?;
    if let (true, Some(only)) = (address.is_ipv6(), settings.ipv6_only) {
        sockopt::set_ipv6_v6only(&fd, only)?;
    }
    optional("ReusePort=", settings.reuse_port, || {
        sockopt::set_socket_reuseport(&fd, true)
    });
    optional("FreeBind=", settings.free_bind, || {
        if address.is_ipv6() {
            sockopt::set_ipv6_freebind(&fd, true)
        } else {
            sockopt::set_ip_freebind(&fd, true)
        }
    });
    sockopt::set_socket_reuseaddr(&fd, true)?;
    bind(&fd, &address)?;
    finish(fd, port, settings)
}

fn open_unix_path(port: &Port, path: &str, settings: &SocketSection) -> Result<OwnedFd, Errno> {
    let address = SocketAddrUnix::new(path)?;
    make_parents(path, settings.directory_mode)?;
    let fd = create(AddressFamily::UNIX, port.kind)?;
    let old = rustix::process::umask(Mode::from_raw_mode(!settings.socket_mode & 0o777));
    let mut bound = bind(&fd, &address);
    if bound == Err(Errno::ADDRINUSE) {
        // The node of a run that is over. Whoever serves it still keeps what is connected.
        let _ = rustix::fs::unlink(path);
        bound = bind(&fd, &address);
    }
    rustix::process::umask(old);
    bound?;
    let fd = finish(fd, port, settings)?;
    // For those that watch the directory (semantics 1.4, step 7).
    let _ = rustix::fs::utimensat(CWD, path, &now(), rustix::fs::AtFlags::empty());
    Ok(fd)
}

fn now() -> rustix::fs::Timestamps {
    let now = rustix::fs::Timespec {
        tv_sec: 0,
        tv_nsec: rustix::fs::UTIME_NOW,
    };
    rustix::fs::Timestamps {
        last_access: now,
        last_modification: now,
    }
}

fn open_fifo(path: &str, settings: &SocketSection) -> Result<OwnedFd, Errno> {
    make_parents(path, settings.directory_mode)?;
    let old = rustix::process::umask(Mode::from_raw_mode(!settings.socket_mode & 0o777));
    let made = rustix::fs::mknodat(
        CWD,
        path,
        rustix::fs::FileType::Fifo,
        Mode::from_raw_mode(settings.socket_mode),
        0,
    );
    rustix::process::umask(old);
    match made {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error),
    }
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::open(path, flags, Mode::empty())?;
    let kind = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode);
    if kind == rustix::fs::FileType::Fifo {
        Ok(fd)
    } else {
        Err(Errno::EXIST)
    }
}

fn make_parents(path: &str, mode: u32) -> Result<(), Errno> {
    let Some(parent) = Path::new(path).parent() else {
        return Ok(());
    };
    let mut missing: Vec<&Path> = parent
        .ancestors()
        .take_while(|directory| !directory.exists())
        .collect();
    missing.reverse();
    for directory in missing {
        match rustix::fs::mkdir(directory, Mode::from_raw_mode(mode)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// listen(2) and the options whose failure is only logged (semantics 1.4, steps 6 and 8).
fn finish(fd: OwnedFd, port: &Port, settings: &SocketSection) -> Result<OwnedFd, Errno> {
    if matches!(port.kind, PortKind::Stream | PortKind::SequentialPacket) {
        // The kernel clamps to somaxconn.
        listen(&fd, i32::try_from(settings.backlog).unwrap_or(i32::MAX))?;
    }
    let tcp = port.kind == PortKind::Stream && matches!(port.address, Address::Inet(_) | Address::AnyInet(_));
    optional("KeepAlive=", settings.keep_alive && tcp, || {
        sockopt::set_socket_keepalive(&fd, true)
    });
    optional("NoDelay=", settings.no_delay && tcp, || {
        sockopt::set_tcp_nodelay(&fd, true)
    });
    optional("PassCredentials=", settings.pass_credentials, || {
        sockopt::set_socket_passcred(&fd, true)
    });
    if let Some(size) = settings
        .receive_buffer
        .and_then(|size| usize::try_from(size).ok())
    {
        optional("ReceiveBuffer=", true, || {
            sockopt::set_socket_recv_buffer_size_force(&fd, size)
                .or_else(|_| sockopt::set_socket_recv_buffer_size(&fd, size))
        });
    }
    if let Some(size) = settings.send_buffer.and_then(|size| usize::try_from(size).ok()) {
        optional("SendBuffer=", true, || {
            sockopt::set_socket_send_buffer_size_force(&fd, size)
                .or_else(|_| sockopt::set_socket_send_buffer_size(&fd, size))
        });
    }
    Ok(fd)
}

fn optional(name: &str, wanted: bool, set: impl FnOnce() -> Result<(), Errno>) {
    if wanted && let Err(error) = set() {
        warn!("socket option {name} has no effect: {error}");
    }
}
