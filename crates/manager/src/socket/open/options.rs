//! Options whose failure is only logged (semantics 1.5).

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, sockopt};
use softboot_sys::sockopt::{IntOption, set_congestion, set_int};
use softboot_unit::{Port, PortKind, SocketSection, Timestamping, Usec};
use tracing::warn;

/// Everything that is set, as far as it means something for this socket.
pub(super) fn apply(fd: &OwnedFd, port: &Port, settings: &SocketSection) {
    let family = sockopt::socket_domain(fd).unwrap_or(AddressFamily::UNSPEC);
    let inet = matches!(family, AddressFamily::INET | AddressFamily::INET6);
    if inet && port.kind == PortKind::Stream {
        tcp(fd, settings);
    }
    if inet {
        ip(fd, family, settings);
    }
    let options = &settings.options;
    let int = |name, wanted, option, value| optional(name, wanted, || set_int(fd, option, value));
    optional("Broadcast=", options.broadcast, || {
        sockopt::set_socket_broadcast(fd, true)
    });
    optional("PassCredentials=", settings.pass_credentials, || {
        sockopt::set_socket_passcred(fd, true)
    });
    int("PassPIDFD=", options.pass_pidfd, IntOption::PassPidfd, 1);
    int("PassSecurity=", options.pass_security, IntOption::PassSec, 1);
    int(
        "AcceptFileDescriptors=",
        !options.accept_fds,
        IntOption::PassRights,
        0,
    );
    let netlink = family == AddressFamily::NETLINK;
    int(
        "PassPacketInfo=",
        options.pass_packet_info && netlink,
        IntOption::NetlinkPktinfo,
        1,
    );
    match options.timestamping {
        Timestamping::Off => {}
        Timestamping::Us => int("Timestamping=", true, IntOption::Timestamp, 1),
        Timestamping::Ns => int("Timestamping=", true, IntOption::TimestampNs, 1),
    }
    if let Some(priority) = options.priority {
        int("Priority=", true, IntOption::Priority, priority);
    }
    if let Some(mark) = options.mark {
        int(
            "Mark=",
            true,
            IntOption::Mark,
            i32::from_ne_bytes(mark.to_ne_bytes()),
        );
    }
    buffers(fd, settings);
}

fn tcp(fd: &OwnedFd, settings: &SocketSection) {
    let options = &settings.options;
    optional("KeepAlive=", settings.keep_alive, || {
        sockopt::set_socket_keepalive(fd, true)
    });
    optional("NoDelay=", settings.no_delay, || {
        sockopt::set_tcp_nodelay(fd, true)
    });
    let seconds = [
        (
            "KeepAliveTimeSec=",
            options.keep_alive_time,
            IntOption::TcpKeepIdle,
        ),
        (
            "KeepAliveIntervalSec=",
            options.keep_alive_interval,
            IntOption::TcpKeepInterval,
        ),
        (
            "DeferAcceptSec=",
            Some(options.defer_accept).filter(|limit| *limit != Usec::ZERO),
            IntOption::TcpDeferAccept,
        ),
    ];
    for (name, span, option) in seconds {
        if let Some(span) = span {
            optional(name, true, || set_int(fd, option, whole_seconds(span)));
        }
    }
    if let Some(probes) = options.keep_alive_probes {
        let probes = i32::try_from(probes).unwrap_or(i32::MAX);
        optional("KeepAliveProbes=", true, || {
            set_int(fd, IntOption::TcpKeepCount, probes)
        });
    }
    if let Some(algorithm) = &options.tcp_congestion {
        optional("TCPCongestion=", true, || set_congestion(fd, algorithm));
    }
}

fn ip(fd: &OwnedFd, family: AddressFamily, settings: &SocketSection) {
    let options = &settings.options;
    let ipv6 = family == AddressFamily::INET6;
    if let Some(tos) = options.ip_tos {
        optional("IPTOS=", true, || set_int(fd, IntOption::IpTos, i32::from(tos)));
    }
    if let Some(ttl) = options.ip_ttl {
        // A dual-stack socket has both.
        let four = set_int(fd, IntOption::IpTtl, i32::from(ttl));
        let six = if ipv6 {
            set_int(fd, IntOption::Ipv6UnicastHops, i32::from(ttl))
        } else {
            Ok(())
        };
        optional("IPTTL=", true, || four.and(six));
    }
    if options.pass_packet_info {
        optional("PassPacketInfo=", true, || {
            set_int(fd, IntOption::IpPktinfo, 1)?;
            if ipv6 {
                set_int(fd, IntOption::Ipv6RecvPktinfo, 1)?;
            }
            Ok(())
        });
    }
}

fn buffers(fd: &OwnedFd, settings: &SocketSection) {
    let size = |value: Option<u64>| value.and_then(|size| usize::try_from(size).ok());
    if let Some(size) = size(settings.receive_buffer) {
        optional("ReceiveBuffer=", true, || {
            sockopt::set_socket_recv_buffer_size_force(fd, size)
                .or_else(|_| sockopt::set_socket_recv_buffer_size(fd, size))
        });
    }
    if let Some(size) = size(settings.send_buffer) {
        optional("SendBuffer=", true, || {
            sockopt::set_socket_send_buffer_size_force(fd, size)
                .or_else(|_| sockopt::set_socket_send_buffer_size(fd, size))
        });
    }
}

/// The kernel counts these in seconds; less than one is one.
fn whole_seconds(span: Usec) -> i32 {
    i32::try_from(span.0.div_ceil(1_000_000)).unwrap_or(i32::MAX)
}

pub(super) fn optional(name: &str, wanted: bool, set: impl FnOnce() -> Result<(), Errno>) {
    if wanted && let Err(error) = set() {
        warn!("socket option {name} has no effect: {error}");
    }
}
