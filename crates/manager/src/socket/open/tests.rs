use super::*;
use rustix::net::sockopt;
use softboot_sys::sockopt::{IntOption, get_int};
use softboot_unit::{Timestamping, UnitName, Usec};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};

fn section() -> SocketSection {
    SocketSection::empty(&UnitName::new("a.socket").unwrap())
}

fn port(kind: PortKind, address: Address) -> Port {
    Port { kind, address }
}

fn open(port: &Port, settings: &SocketSection) -> Result<OwnedFd, String> {
    open_port(port, settings, Owner::default())
}

fn loopback(kind: PortKind) -> Port {
    port(kind, Address::Inet("127.0.0.1:0".parse().unwrap()))
}

#[test]
fn options_of_tcp_and_ip_are_set() {
    let mut settings = section();
    settings.no_delay = true;
    settings.keep_alive = true;
    settings.options.keep_alive_time = Some(Usec::from_secs(7));
    settings.options.keep_alive_interval = Some(Usec::from_millis(1));
    settings.options.keep_alive_probes = Some(3);
    settings.options.ip_ttl = Some(9);
    settings.options.tcp_congestion = Some("reno".to_owned());
    let fd = open(&loopback(PortKind::Stream), &settings).unwrap();
    assert!(sockopt::tcp_nodelay(&fd).unwrap());
    assert!(sockopt::socket_keepalive(&fd).unwrap());
    assert_eq!(sockopt::tcp_keepidle(&fd).unwrap().as_secs(), 7);
    assert_eq!(sockopt::tcp_keepintvl(&fd).unwrap().as_secs(), 1, "rounded up");
    assert_eq!(sockopt::tcp_keepcnt(&fd).unwrap(), 3);
    assert_eq!(sockopt::ip_ttl(&fd).unwrap(), 9);
    assert_eq!(sockopt::tcp_congestion(&fd).unwrap(), "reno");
    assert!(sockopt::socket_acceptconn(&fd).unwrap());
}

#[test]
fn what_means_nothing_for_a_socket_is_left_out() {
    let mut settings = section();
    settings.no_delay = true;
    settings.options.tcp_congestion = Some("reno".to_owned());
    settings.options.broadcast = true;
    let fd = open(&loopback(PortKind::Datagram), &settings).unwrap();
    assert!(sockopt::socket_broadcast(&fd).unwrap());
    assert!(!sockopt::socket_acceptconn(&fd).unwrap());
}

#[test]
fn an_interface_that_is_not_there_is_fatal() {
    let mut settings = section();
    settings.options.bind_to_device = Some("no-such0".to_owned());
    assert!(open(&loopback(PortKind::Stream), &settings).is_err());
    let at = Address::InetAt {
        address: "[fe80::1]:80".parse().unwrap(),
        interface: "no-such0".to_owned(),
    };
    assert!(
        open(&port(PortKind::Stream, at), &section())
            .unwrap_err()
            .contains("no-such0")
    );
}

#[test]
fn a_node_has_its_mode_its_parents_and_its_links() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deep/er/s");
    let link = directory.path().join("links/s");
    let mut settings = section();
    settings.socket_mode = 0o640;
    settings.ports = vec![port(
        PortKind::Stream,
        Address::Path(path.to_str().unwrap().to_owned()),
    )];
    settings.symlinks = vec![link.to_str().unwrap().to_owned()];
    let _fd = open(&settings.ports[0], &settings).unwrap();
    make_symlinks(&settings);
    let about = std::fs::metadata(&link).unwrap();
    assert!(about.file_type().is_socket());
    assert_eq!(about.permissions().mode() & 0o777, 0o640);
    // A second start finds the node and the link of the first.
    let _again = open(&settings.ports[0], &settings).unwrap();
    make_symlinks(&settings);
    remove_nodes(&settings);
    assert!(!path.exists() && std::fs::symlink_metadata(&link).is_err());
}

#[test]
fn a_fifo_that_is_not_as_it_would_be_made_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f").to_str().unwrap().to_owned();
    let fifo = port(PortKind::Fifo, Address::Path(path.clone()));
    let mut settings = section();
    settings.socket_mode = 0o600;
    let fd = open(&fifo, &settings).unwrap();
    assert!(std::fs::metadata(&path).unwrap().file_type().is_fifo());
    drop(fd);
    open(&fifo, &settings).unwrap();
    settings.socket_mode = 0o660;
    assert!(open(&fifo, &settings).is_err());
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "").unwrap();
    assert!(open(&fifo, &settings).is_err());
}

#[test]
fn nodes_belong_to_whom_the_unit_says() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let owner = Owner {
        uid: Some(65534),
        gid: Some(12),
    };
    for kind in [PortKind::Stream, PortKind::Fifo] {
        let path = directory.path().join(kind_word(kind));
        let port = port(kind, Address::Path(path.to_str().unwrap().to_owned()));
        open_port(&port, &section(), owner).unwrap();
        let about = std::fs::metadata(&path).unwrap();
        assert_eq!((about.uid(), about.gid()), (65534, 12));
        open_port(&port, &section(), owner).unwrap();
    }
}

#[test]
fn special_files_and_the_kernels_events_can_be_listened_to() {
    let null = port(PortKind::Special, Address::Path("/dev/null".to_owned()));
    open(&null, &section()).unwrap();
    let directory = port(PortKind::Special, Address::Path("/dev".to_owned()));
    assert!(open(&directory, &section()).is_err());
    let events = Address::Netlink { family: 15, group: 1 };
    let fd = open(&port(PortKind::Netlink, events), &section()).unwrap();
    assert_eq!(sockopt::socket_domain(&fd).unwrap(), AddressFamily::NETLINK);
}

/// A message queue with these settings, if the kernel has any.
fn queue(of: &str) -> Option<SocketSection> {
    let name = format!("/softboot-{of}-{}", std::process::id());
    let mut settings = section();
    settings.message_queue_max_messages = Some(3);
    settings.message_queue_message_size = Some(64);
    settings.ports = vec![port(PortKind::MessageQueue, Address::Path(name))];
    match open(&settings.ports[0], &settings) {
        Ok(_) => {
            remove_nodes(&settings);
            Some(settings)
        }
        Err(error) => {
            assert!(error.contains("not implemented"), "{error}");
            None
        }
    }
}

#[test]
fn a_message_queue_that_is_not_as_it_would_be_made_is_refused() {
    let Some(mut settings) = queue("mode") else { return };
    settings.socket_mode = 0o620;
    let about = rustix::fs::fstat(open(&settings.ports[0], &settings).unwrap()).unwrap();
    assert_eq!(about.st_mode & 0o7777, 0o620, "whatever the mask");
    open(&settings.ports[0], &settings).unwrap();
    settings.socket_mode = 0o666;
    assert!(open(&settings.ports[0], &settings).is_err());
    remove_nodes(&settings);
    open(&settings.ports[0], &settings).unwrap();
    remove_nodes(&settings);
}

#[test]
fn a_message_queue_belongs_to_whom_the_unit_says() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let Some(settings) = queue("owner") else { return };
    let owner = |uid, gid| Owner { uid, gid };
    let open = |owner| open_port(&settings.ports[0], &settings, owner);
    for (owner, expected) in [
        (owner(Some(65534), Some(12)), (65534, 12)),
        (owner(None, Some(12)), (0, 12)),
        (owner(Some(65534), None), (65534, 0)),
    ] {
        for _ in 0..2 {
            let about = rustix::fs::fstat(open(owner).unwrap()).unwrap();
            assert_eq!((about.st_uid, about.st_gid), expected);
        }
        assert!(open(Owner::default()).is_err(), "another's is not taken");
        remove_nodes(&settings);
    }
}

fn any_address(kind: PortKind) -> Port {
    port(kind, Address::Inet("[::]:0".parse().unwrap()))
}

fn abstract_name(kind: PortKind) -> Port {
    let name = format!("softboot-options-{}-{}", std::process::id(), kind_word(kind));
    port(kind, Address::Abstract(name))
}

/// Each option alone, on a port for which it means something, and without it.
#[test]
fn each_option_is_the_kernels_when_it_is_set_and_only_then() {
    type Set = fn(&mut SocketSection);
    let (udp, tcp) = (any_address(PortKind::Datagram), loopback(PortKind::Stream));
    let unix = abstract_name(PortKind::Datagram);
    let netlink = port(PortKind::Netlink, Address::Netlink { family: 15, group: 1 });
    let rows: [(&str, &Port, IntOption, Set, i32); 14] = [
        (
            "Priority=",
            &tcp,
            IntOption::Priority,
            |s| s.options.priority = Some(5),
            5,
        ),
        (
            "Mark=",
            &tcp,
            IntOption::Mark,
            |s| s.options.mark = Some(u32::MAX),
            -1,
        ),
        (
            "IPTOS=",
            &tcp,
            IntOption::IpTos,
            |s| s.options.ip_tos = Some(16),
            16,
        ),
        (
            "IPTTL=",
            &udp,
            IntOption::Ipv6UnicastHops,
            |s| s.options.ip_ttl = Some(9),
            9,
        ),
        (
            "Transparent=",
            &tcp,
            IntOption::IpTransparent,
            |s| s.options.transparent = true,
            1,
        ),
        (
            "Transparent=",
            &udp,
            IntOption::Ipv6Transparent,
            |s| s.options.transparent = true,
            1,
        ),
        (
            "PassPIDFD=",
            &unix,
            IntOption::PassPidfd,
            |s| s.options.pass_pidfd = true,
            1,
        ),
        (
            "PassSecurity=",
            &unix,
            IntOption::PassSec,
            |s| s.options.pass_security = true,
            1,
        ),
        (
            "AcceptFileDescriptors=",
            &unix,
            IntOption::PassRights,
            |s| s.options.accept_fds = false,
            0,
        ),
        (
            "PassPacketInfo=",
            &tcp,
            IntOption::IpPktinfo,
            |s| s.options.pass_packet_info = true,
            1,
        ),
        (
            "PassPacketInfo=",
            &udp,
            IntOption::Ipv6RecvPktinfo,
            |s| s.options.pass_packet_info = true,
            1,
        ),
        (
            "Timestamping=us",
            &udp,
            IntOption::Timestamp,
            |s| s.options.timestamping = Timestamping::Us,
            1,
        ),
        (
            "Timestamping=ns",
            &udp,
            IntOption::TimestampNs,
            |s| s.options.timestamping = Timestamping::Ns,
            1,
        ),
        (
            "DeferAcceptSec=",
            &tcp,
            IntOption::TcpDeferAccept,
            |s| s.options.defer_accept = Usec::from_secs(3),
            3,
        ),
    ];
    for (name, port, option, set, wanted) in rows {
        let needs_root = matches!(
            option,
            IntOption::Mark | IntOption::IpTransparent | IntOption::Ipv6Transparent
        );
        if needs_root && !rustix::process::geteuid().is_root() {
            continue;
        }
        let found = |settings: &SocketSection| {
            let fd = open(port, settings).unwrap();
            // An older kernel does not know every one.
            get_int(&fd, option).ok()
        };
        let mut settings = section();
        let without = found(&settings);
        set(&mut settings);
        assert_ne!(without, Some(wanted), "{name} by default");
        if let Some(value) = found(&settings) {
            assert_eq!(value, wanted, "{name}");
        }
    }
    let mut settings = section();
    for wanted in [0, 1] {
        settings.options.pass_packet_info = wanted == 1;
        let fd = open(&netlink, &settings).unwrap();
        assert_eq!(get_int(&fd, IntOption::NetlinkPktinfo), Ok(wanted));
    }
}

#[test]
fn options_of_sockets_and_addresses_are_set() {
    let mut settings = section();
    settings.reuse_port = true;
    settings.free_bind = true;
    settings.pass_credentials = true;
    settings.receive_buffer = Some(300_000);
    settings.send_buffer = Some(200_000);
    let plain = section();
    for port in [loopback(PortKind::Stream), any_address(PortKind::Datagram)] {
        let (with, without) = (open(&port, &settings).unwrap(), open(&port, &plain).unwrap());
        assert!(sockopt::socket_reuseport(&with).unwrap() && !sockopt::socket_reuseport(&without).unwrap());
        // The kernel doubles what is asked for (socket(7)), and may have a limit for others than root.
        let grown = |of: fn(&OwnedFd) -> usize| (of(&with), of(&without));
        let (large, usual) = grown(|fd| sockopt::socket_recv_buffer_size(fd).unwrap());
        assert!(large == 600_000 || large != usual, "{large} {usual}");
        let (large, usual) = grown(|fd| sockopt::socket_send_buffer_size(fd).unwrap());
        assert!(large == 400_000 || large != usual, "{large} {usual}");
    }
    let fd = open(&loopback(PortKind::Stream), &settings).unwrap();
    assert!(sockopt::ip_freebind(&fd).unwrap());
    let fd = open(&any_address(PortKind::Stream), &settings).unwrap();
    assert!(sockopt::ipv6_freebind(&fd).unwrap());
    let fd = open(&abstract_name(PortKind::Stream), &settings).unwrap();
    assert!(sockopt::socket_passcred(&fd).unwrap());
}

#[test]
fn ipv6_takes_ipv4_as_well_or_not() {
    for only in [Some(true), Some(false)] {
        let mut settings = section();
        settings.ipv6_only = only;
        let fd = open(&any_address(PortKind::Stream), &settings).unwrap();
        assert_eq!(sockopt::ipv6_v6only(&fd).ok(), only);
    }
}

#[test]
fn a_protocol_can_be_chosen() {
    let mut settings = section();
    for (protocol, kind, number) in [
        (SocketProtocol::Mptcp, PortKind::Stream, 262),
        (SocketProtocol::Sctp, PortKind::Stream, 132),
        (SocketProtocol::UdpLite, PortKind::Datagram, 136),
    ] {
        settings.options.protocol = Some(protocol);
        match open(&loopback(kind), &settings) {
            Ok(fd) => {
                let found = sockopt::socket_protocol(&fd).unwrap();
                assert_eq!(found.map(|protocol| protocol.as_raw().get()), Some(number));
            }
            // A kernel without it.
            Err(error) => assert!(error.contains("not supported"), "{error}"),
        }
    }
}
