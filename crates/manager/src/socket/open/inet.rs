//! IPv4 and IPv6.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, bind, sockopt};
use softboot_sys::sockopt::{IntOption, bind_to_device, set_int};
use softboot_unit::{Port, SocketSection};

use super::options::optional;
use super::{create, finish};

/// Any address of this machine: IPv6, which takes IPv4 as well unless BindIPv6Only= says otherwise; IPv4 on a kernel
/// without IPv6.
pub(super) fn any(number: u16, port: &Port, settings: &SocketSection) -> Result<OwnedFd, Errno> {
    match open((Ipv6Addr::UNSPECIFIED, number).into(), port, settings) {
        Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL) => {
            open((Ipv4Addr::UNSPECIFIED, number).into(), port, settings)
        }
        other => other,
    }
}

/// The address with the number of its interface, given by name or number.
pub(super) fn at_interface(address: SocketAddr, interface: &str) -> Result<SocketAddr, Errno> {
    let IpAddr::V6(ip) = address.ip() else {
        return Err(Errno::AFNOSUPPORT);
    };
    let index = match interface.parse() {
        Ok(number) => number,
        // Names of interfaces have no slash, so this is no way out of the directory.
        Err(_) if interface.contains('/') => return Err(Errno::NODEV),
        Err(_) => std::fs::read_to_string(format!("/sys/class/net/{interface}/ifindex"))
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .ok_or(Errno::NODEV)?,
    };
    Ok(SocketAddrV6::new(ip, address.port(), 0, index).into())
}

pub(super) fn open(address: SocketAddr, port: &Port, settings: &SocketSection) -> Result<OwnedFd, Errno> {
    let ipv6 = address.is_ipv6();
    let family = if ipv6 {
        AddressFamily::INET6
    } else {
        AddressFamily::INET
    };
    let fd = create(family, port.kind, settings.options.protocol)?;
    if let (true, Some(only)) = (ipv6, settings.ipv6_only) {
        sockopt::set_ipv6_v6only(&fd, only)?;
    }
    if let Some(interface) = &settings.options.bind_to_device {
        bind_to_device(&fd, interface)?;
    }
    optional("ReusePort=", settings.reuse_port, || {
        sockopt::set_socket_reuseport(&fd, true)
    });
    optional("FreeBind=", settings.free_bind, || {
        if ipv6 {
            sockopt::set_ipv6_freebind(&fd, true)
        } else {
            sockopt::set_ip_freebind(&fd, true)
        }
    });
    optional("Transparent=", settings.options.transparent, || {
        let option = if ipv6 {
            IntOption::Ipv6Transparent
        } else {
            IntOption::IpTransparent
        };
        set_int(&fd, option, 1)
    });
    sockopt::set_socket_reuseaddr(&fd, true)?;
    bind(&fd, &address)?;
    finish(fd, port, settings)
}
