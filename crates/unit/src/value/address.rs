//! Addresses of sockets (semantics 1.3).

use std::net::SocketAddr;

use crate::model::Address;
use crate::syntax::shown;

/// sun_path has 108 bytes with its NUL (unix(7)).
const MAX_UNIX: usize = 107;

/// A path, `@name`, a port, or an address with a port.
pub(crate) fn address(text: &str) -> Result<Address, String> {
    if text.starts_with('/') {
        let path = text
            .strip_prefix("/var/run/")
            .map_or_else(|| text.to_owned(), |rest| format!("/run/{rest}"));
        return if path.len() <= MAX_UNIX {
            Ok(Address::Path(path))
        } else {
            Err(format!(
                "a socket's path has at most {MAX_UNIX} bytes, this one has {}",
                path.len()
            ))
        };
    }
    if let Some(name) = text.strip_prefix('@') {
        return match name.len() {
            0 => Err("there is no name after @".to_owned()),
            length if length <= MAX_UNIX => Ok(Address::Abstract(name.to_owned())),
            length => Err(format!(
                "an abstract socket's name has at most {MAX_UNIX} bytes, this one has {length}"
            )),
        };
    }
    if let Some(rest) = ["vsock:", "vsock-stream:", "vsock-dgram:", "vsock-seqpacket:"]
        .into_iter()
        .find_map(|prefix| text.strip_prefix(prefix))
    {
        return vsock(rest).ok_or_else(|| format!("{} is no vsock:PORT or vsock:CID:PORT", shown(text)));
    }
    if let Some((bare, interface)) = text.rsplit_once('%') {
        return match bare.parse::<SocketAddr>() {
            Ok(address) if address.is_ipv6() && address.port() != 0 && is_interface(interface) => {
                Ok(Address::InetAt {
                    address,
                    interface: interface.to_owned(),
                })
            }
            _ => Err(format!("{} is no [v6]:PORT%INTERFACE", shown(text))),
        };
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return match text.parse::<u16>() {
            Ok(port) if port != 0 => Ok(Address::AnyInet(port)),
            _ => Err(format!("{} is no port from 1 to 65535", shown(text))),
        };
    }
    match text.parse::<SocketAddr>() {
        Ok(address) if address.port() != 0 => Ok(Address::Inet(address)),
        Ok(_) => Err(format!("{}: port 0 cannot be listened on", shown(text))),
        Err(_) => Err(format!(
            "{} is no address; expected a path, @name, a port, 1.2.3.4:PORT or [v6]:PORT",
            shown(text)
        )),
    }
}

/// `PORT` or `CID:PORT`; no context is any.
fn vsock(text: &str) -> Option<Address> {
    let (cid, port) = text.split_once(':').unwrap_or(("", text));
    let cid = match cid {
        "" => None,
        number => Some(number.parse().ok()?),
    };
    Some(Address::Vsock {
        cid,
        port: port.parse().ok()?,
    })
}

fn is_interface(text: &str) -> bool {
    (1..16).contains(&text.len()) && !text.contains(['/', ' '])
}

/// The path of a FIFO.
pub(crate) fn fifo_path(text: &str) -> Result<Address, String> {
    if text.starts_with('/') {
        Ok(Address::Path(text.to_owned()))
    } else {
        Err(format!("{} is no absolute path", shown(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_semantics_1_3() {
        assert_eq!(address("/var/run/x"), Ok(Address::Path("/run/x".to_owned())));
        assert_eq!(address("@x"), Ok(Address::Abstract("x".to_owned())));
        assert_eq!(address("80"), Ok(Address::AnyInet(80)));
        assert_eq!(
            address("127.0.0.1:80"),
            Ok(Address::Inet("127.0.0.1:80".parse().unwrap()))
        );
        assert_eq!(
            address("[::1]:80"),
            Ok(Address::Inet("[::1]:80".parse().unwrap()))
        );
        let vsock = |cid| Ok(Address::Vsock { cid, port: 22 });
        assert_eq!(address("vsock:22"), vsock(None));
        assert_eq!(address("vsock::22"), vsock(None));
        assert_eq!(address("vsock-stream:3:22"), vsock(Some(3)));
        assert!(matches!(
            address("[fe80::1]:22%eth0"),
            Ok(Address::InetAt { interface, .. }) if interface == "eth0"
        ));
        let long = format!("/{}", "x".repeat(107));
        for bad in [
            "0",
            "65536",
            "127.0.0.1:0",
            "@",
            "host:80",
            "",
            "vsock:",
            "vsock:x:1",
            "1.2.3.4:5%eth0",
            "[::1]:0%lo",
            &long,
        ] {
            assert!(address(bad).is_err(), "{bad:?}");
        }
    }
}
