//! Socket options that rustix does not know: plain integers and short texts.

use std::os::fd::{AsFd, AsRawFd as _};

use rustix::io::Errno;

use crate::recv::{Credentials, SO_PASSPIDFD};

/// An option whose value is an int. Reference: socket(7), ip(7), ipv6(7), tcp(7), packet(7), netlink(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the kernel's own")]
pub enum IntOption {
    Mark,
    Priority,
    Timestamp,
    TimestampNs,
    PassSec,
    PassPidfd,
    /// SO_PASSRIGHTS, since Linux 6.16.
    PassRights,
    IpTos,
    IpTtl,
    Ipv6UnicastHops,
    IpTransparent,
    Ipv6Transparent,
    IpPktinfo,
    Ipv6RecvPktinfo,
    NetlinkPktinfo,
    TcpKeepIdle,
    TcpKeepInterval,
    TcpKeepCount,
    TcpDeferAccept,
}

impl IntOption {
    fn place(self) -> (libc::c_int, libc::c_int) {
        // Too new for the library's constants (asm-generic/socket.h).
        const SO_PASSRIGHTS: libc::c_int = 83;
        use libc as l;
        match self {
            IntOption::Mark => (l::SOL_SOCKET, l::SO_MARK),
            IntOption::Priority => (l::SOL_SOCKET, l::SO_PRIORITY),
            IntOption::Timestamp => (l::SOL_SOCKET, l::SO_TIMESTAMP),
            IntOption::TimestampNs => (l::SOL_SOCKET, l::SO_TIMESTAMPNS),
            IntOption::PassSec => (l::SOL_SOCKET, l::SO_PASSSEC),
            IntOption::PassPidfd => (l::SOL_SOCKET, SO_PASSPIDFD),
            IntOption::PassRights => (l::SOL_SOCKET, SO_PASSRIGHTS),
            IntOption::IpTos => (l::IPPROTO_IP, l::IP_TOS),
            IntOption::IpTtl => (l::IPPROTO_IP, l::IP_TTL),
            IntOption::Ipv6UnicastHops => (l::IPPROTO_IPV6, l::IPV6_UNICAST_HOPS),
            IntOption::IpTransparent => (l::IPPROTO_IP, l::IP_TRANSPARENT),
            IntOption::Ipv6Transparent => (l::IPPROTO_IPV6, l::IPV6_TRANSPARENT),
            IntOption::IpPktinfo => (l::IPPROTO_IP, l::IP_PKTINFO),
            IntOption::Ipv6RecvPktinfo => (l::IPPROTO_IPV6, l::IPV6_RECVPKTINFO),
            IntOption::NetlinkPktinfo => (l::SOL_NETLINK, l::NETLINK_PKTINFO),
            IntOption::TcpKeepIdle => (l::IPPROTO_TCP, l::TCP_KEEPIDLE),
            IntOption::TcpKeepInterval => (l::IPPROTO_TCP, l::TCP_KEEPINTVL),
            IntOption::TcpKeepCount => (l::IPPROTO_TCP, l::TCP_KEEPCNT),
            IntOption::TcpDeferAccept => (l::IPPROTO_TCP, l::TCP_DEFER_ACCEPT),
        }
    }
}

/// asm-generic/socket.h, since Linux 6.5.
const SO_PEERPIDFD: libc::c_int = 77;

/// Sets an integer option.
pub fn set_int(socket: impl AsFd, option: IntOption, value: i32) -> Result<(), Errno> {
    let (level, name) = option.place();
    set_bytes(&socket, level, name, &value.to_ne_bytes())
}

/// Reads an integer option.
pub fn get_int(socket: impl AsFd, option: IntOption) -> Result<i32, Errno> {
    let (level, name) = option.place();
    let mut value: libc::c_int = 0;
    let mut length = libc::socklen_t::try_from(size_of::<libc::c_int>()).map_err(|_| Errno::INVAL)?;
    // SAFETY: the kernel writes at most `length` bytes, the size of `value`, and any bytes are a valid int.
    let found = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            name,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    match found {
        0 => Ok(value),
        _ => Err(crate::exec::last_errno()),
    }
}

/// Binds the socket to an interface (SO_BINDTODEVICE).
pub fn bind_to_device(socket: impl AsFd, interface: &str) -> Result<(), Errno> {
    set_bytes(
        &socket,
        libc::SOL_SOCKET,
        libc::SO_BINDTODEVICE,
        interface.as_bytes(),
    )
}

/// Chooses the algorithm of congestion control (TCP_CONGESTION).
pub fn set_congestion(socket: impl AsFd, algorithm: &str) -> Result<(), Errno> {
    set_bytes(
        &socket,
        libc::IPPROTO_TCP,
        libc::TCP_CONGESTION,
        algorithm.as_bytes(),
    )
}

fn set_bytes(socket: &impl AsFd, level: libc::c_int, name: libc::c_int, value: &[u8]) -> Result<(), Errno> {
    let length = libc::socklen_t::try_from(value.len()).map_err(|_| Errno::INVAL)?;
    // SAFETY: the kernel reads `length` bytes of `value`, which lives that long.
    let set = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            name,
            value.as_ptr().cast(),
            length,
        )
    };
    match set {
        0 => Ok(()),
        _ => Err(crate::exec::last_errno()),
    }
}

/// The id of the process at the other end of a connected AF_UNIX socket ([`crate::pidfd::id`]); `None` where the
/// kernel cannot tell.
pub fn peer_pidfd_id(socket: impl AsFd) -> Option<u64> {
    use std::os::fd::{FromRawFd as _, OwnedFd};
    let mut fd: libc::c_int = -1;
    let mut length = libc::socklen_t::try_from(size_of::<libc::c_int>()).ok()?;
    // SAFETY: the kernel writes at most `length` bytes, the size of `fd`.
    let found = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            SO_PEERPIDFD,
            (&raw mut fd).cast(),
            &raw mut length,
        )
    };
    if found != 0 || fd < 0 {
        return None;
    }
    // SAFETY: the kernel has just made this descriptor for us.
    let pidfd = unsafe { OwnedFd::from_raw_fd(fd) };
    crate::pidfd::id(&pidfd)
}

/// Who is at the other end of a connected AF_UNIX socket: SO_PEERCRED.
///
/// rustix has it, too, but no room for process 0: a peer in no namespace below ours comes out as an error without a
/// reason, and would be turned away.
///
/// References: socket(7), unix(7).
pub fn peer_credentials(socket: impl AsFd) -> Result<Credentials, Errno> {
    let mut found = libc::ucred {
        pid: 0,
        uid: libc::uid_t::MAX,
        gid: libc::gid_t::MAX,
    };
    let mut length = libc::socklen_t::try_from(size_of::<libc::ucred>()).map_err(|_| Errno::INVAL)?;
    // SAFETY: the kernel writes at most `length` bytes, the size of `found`, and any bytes are a valid ucred.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut found).cast(),
            &raw mut length,
        )
    };
    match result {
        0 => Ok(Credentials {
            pid: found.pid,
            uid: found.uid,
            gid: found.gid,
        }),
        _ => Err(crate::exec::last_errno()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, UdpSocket};
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    use std::process::Command;

    #[test]
    fn options_take_effect() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        set_int(&socket, IntOption::IpTtl, 7).unwrap();
        assert_eq!(socket.ttl().unwrap(), 7);
        set_int(&socket, IntOption::IpTos, 16).unwrap();
        assert_eq!(rustix::net::sockopt::ip_tos(&socket), Ok(16));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        set_int(&listener, IntOption::TcpKeepCount, 5).unwrap();
        assert_eq!(get_int(&listener, IntOption::TcpKeepCount), Ok(5));
        let file = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(get_int(&file, IntOption::IpTtl), Err(Errno::NOTSOCK));
        set_int(&listener, IntOption::TcpDeferAccept, 3).unwrap();
        set_congestion(&listener, "reno").unwrap();
        assert_eq!(set_congestion(&listener, "no-such"), Err(Errno::NOENT));
        assert_eq!(bind_to_device(&listener, "no-such0"), Err(Errno::NODEV));
    }

    #[test]
    fn the_peer_of_a_pair_is_this_process() {
        let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let pid = rustix::process::getpid();
        let own = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap();
        // Older kernels have no SO_PEERPIDFD, or no pidfs.
        if let Some(id) = peer_pidfd_id(&one) {
            assert_eq!(Some(id), crate::pidfd::id(&own));
        }
    }

    #[test]
    fn a_peer_has_its_credentials() {
        let (one, _other) = UnixStream::pair().unwrap();
        let peer = peer_credentials(&one).unwrap();
        assert_eq!(u32::try_from(peer.pid).unwrap(), std::process::id());
        assert_eq!(peer.uid, rustix::process::getuid().as_raw());
        let file = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(peer_credentials(file), Err(Errno::NOTSOCK));
    }

    #[test]
    fn a_peer_in_no_namespace_below_ours_is_process_0_and_no_error() {
        const INSIDE: &str = "SOFTBOOT_SYS_PEER_OUTSIDE";
        if std::env::var_os(INSIDE).is_some() {
            assert_eq!(peer_credentials(std::io::stdin()).unwrap().pid, 0);
            println!("peer looked at");
            return;
        }
        let (one, _other) = UnixStream::pair().unwrap();
        let output = Command::new("unshare")
            .args(["--user", "--map-root-user", "--pid", "--fork", "--"])
            .arg(std::env::current_exe().unwrap())
            .args([
                "--nocapture",
                "a_peer_in_no_namespace_below_ours_is_process_0_and_no_error",
            ])
            .env(INSIDE, "1")
            .stdin(OwnedFd::from(one))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let refused = String::from_utf8_lossy(&output.stderr).into_owned();
        if refused.contains("unshare failed") || refused.contains("Operation not permitted") {
            eprintln!("not tested: {refused}");
            return;
        }
        assert!(
            output.status.success() && said.contains("peer looked at"),
            "{said}\n{refused}"
        );
    }
}
