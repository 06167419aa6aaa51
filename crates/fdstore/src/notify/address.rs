//! Where a manager listens: the value of `$NOTIFY_SOCKET` (semantics 3.1; sd_notify(3)).

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use rustix::net::SocketAddrUnix;
use softboot_sys::vsock::VsockType;

use super::notifier::NotifyError;

/// An address of one of the forms `/path`, `@abstract`, `vsock:CID:PORT`.
#[derive(Clone, Debug)]
pub(super) enum Address {
    Unix(SocketAddrUnix),
    /// The types to try, in this order.
    Vsock {
        cid: u32,
        port: u32,
        types: &'static [VsockType],
    },
}

impl Address {
    pub(super) fn parse(text: &OsStr) -> Result<Address, NotifyError> {
        let refused = || NotifyError::Address(OsString::from(text));
        match text.as_bytes().split_first() {
            Some((b'@', name)) if !name.is_empty() => {
                Ok(Address::Unix(SocketAddrUnix::new_abstract_name(name)?))
            }
            Some((b'/', _)) => Ok(Address::Unix(SocketAddrUnix::new(text.as_bytes())?)),
            _ => text.to_str().and_then(vsock).ok_or_else(refused),
        }
    }
}

fn vsock(text: &str) -> Option<Address> {
    let (scheme, rest) = text.split_once(':')?;
    let types: &[VsockType] = match scheme {
        // Messages want to stay whole; not every hypervisor offers that.
        "vsock" => &[VsockType::SeqPacket, VsockType::Stream],
        "vsock-stream" => &[VsockType::Stream],
        "vsock-seqpacket" => &[VsockType::SeqPacket],
        _ => return None,
    };
    let (cid, port) = rest.split_once(':')?;
    Some(Address::Vsock {
        cid: number(cid)?,
        port: number(port)?,
        types,
    })
}

fn number(text: &str) -> Option<u32> {
    // parse() would take a sign, too.
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Address, NotifyError> {
        Address::parse(OsStr::new(text))
    }

    #[test]
    fn the_forms_of_sd_notify_are_known() {
        assert!(matches!(parse("/run/x"), Ok(Address::Unix(_))));
        assert!(matches!(parse("@x"), Ok(Address::Unix(_))));
        assert!(matches!(
            parse("vsock:2:1234"),
            Ok(Address::Vsock { cid: 2, port: 1234, types }) if types.len() == 2
        ));
        assert!(matches!(
            parse("vsock-stream:4294967295:0"),
            Ok(Address::Vsock {
                cid: u32::MAX,
                port: 0,
                types: [VsockType::Stream]
            })
        ));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "@",
            "relative",
            "vsock",
            "vsock:",
            "vsock:1",
            "vsock:1:",
            "vsock::1",
            "vsock:+1:1",
            "vsock:1:4294967296",
            "vsock:1:2:3",
            "vsock-raw:1:2",
            "unix:/x",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
        assert!(parse(&format!("/{}", "x".repeat(108))).is_err());
    }
}
