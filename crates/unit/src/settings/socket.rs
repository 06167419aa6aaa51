//! `[Socket]`.

use super::unit::{from_word, zero_is_never};
use super::{Applied, Outcome, RawSocket};
use crate::model::{DeferTrigger, Port, PortKind};
use crate::name::{UnitKind, UnitName};
use crate::value::{address, boolean, fifo_path, integer, octal, size, time};

pub(super) fn apply(raw: &mut RawSocket, key: &str, value: &str) -> Outcome {
    let kind = match key {
        "ListenStream" => Some(PortKind::Stream),
        "ListenDatagram" => Some(PortKind::Datagram),
        "ListenSequentialPacket" => Some(PortKind::SequentialPacket),
        "ListenFIFO" => Some(PortKind::Fifo),
        _ => None,
    };
    if let Some(kind) = kind {
        return listen(raw, kind, value);
    }
    let socket = &mut raw.section;
    match key {
        "Accept" => socket.accept = boolean(value)?,
        "Service" => {
            raw.service = match UnitName::new(value) {
                Ok(name) if name.kind() == UnitKind::Service => Some(name),
                _ => return Err(format!("{value:?} is no service unit")),
            }
        }
        "FileDescriptorName" => {
            let valid = value.len() <= 255 && value.bytes().all(|b| (32..127).contains(&b) && b != b':');
            if !valid {
                return Err(format!(
                    "{value:?} is no descriptor name: printable ASCII without ':'"
                ));
            }
            socket.fd_name = (!value.is_empty()).then(|| value.to_owned());
        }
        "Backlog" => socket.backlog = integer(value)?,
        "BindIPv6Only" => {
            socket.ipv6_only = match value {
                "default" => None,
                "both" => Some(false),
                "ipv6-only" => Some(true),
                _ => return Err(format!("{value:?} is none of default, both, ipv6-only")),
            }
        }
        "ReusePort" => socket.reuse_port = boolean(value)?,
        "FreeBind" => socket.free_bind = boolean(value)?,
        "NoDelay" => socket.no_delay = boolean(value)?,
        "KeepAlive" => socket.keep_alive = boolean(value)?,
        "PassCredentials" => socket.pass_credentials = boolean(value)?,
        "ReceiveBuffer" => socket.receive_buffer = size(value)?,
        "SendBuffer" => socket.send_buffer = size(value)?,
        "SocketMode" => socket.socket_mode = octal(value)?,
        "DirectoryMode" => socket.directory_mode = octal(value)?,
        "RemoveOnStop" => socket.remove_on_stop = boolean(value)?,
        "FlushPending" => socket.flush_pending = boolean(value)?,
        "MaxConnections" => socket.max_connections = integer(value)?,
        "MaxConnectionsPerSource" => socket.max_connections_per_source = integer(value)?,
        "TriggerLimitIntervalSec" => raw.trigger_interval = Some(time(value)?),
        "TriggerLimitBurst" => raw.trigger_burst = Some(integer(value)?),
        "PollLimitIntervalSec" => raw.poll_interval = Some(time(value)?),
        "PollLimitBurst" => raw.poll_burst = Some(integer(value)?),
        "TimeoutSec" => socket.timeout = zero_is_never(time(value)?),
        "DeferTrigger" => {
            socket.defer_trigger = match boolean(value) {
                Ok(true) => DeferTrigger::Yes,
                Ok(false) => DeferTrigger::No,
                Err(_) => from_word(value, "choice; expected no, yes or patient")?,
            }
        }
        "DeferTriggerMaxSec" => socket.defer_trigger_max = zero_is_never(time(value)?),
        "Slice" => {
            socket.slice = match UnitName::new(value) {
                Ok(name) if name.kind() == UnitKind::Slice => name,
                _ => return Err(format!("{value:?} is no slice unit")),
            }
        }
        _ => return Ok(Applied::Unknown),
    }
    Ok(Applied::Done)
}

fn listen(raw: &mut RawSocket, kind: PortKind, value: &str) -> Outcome {
    if value.is_empty() {
        // An empty value of any Listen resets all ports of every kind (semantics 1.3).
        raw.section.ports.clear();
        return Ok(Applied::Done);
    }
    let address = if kind == PortKind::Fifo {
        fifo_path(value)?
    } else {
        address(value)?
    };
    let inet = matches!(
        address,
        crate::model::Address::Inet(_) | crate::model::Address::AnyInet(_)
    );
    if kind == PortKind::SequentialPacket && inet {
        return Err("sequential packets need an AF_UNIX path or @name".to_owned());
    }
    raw.section.ports.push(Port { kind, address });
    Ok(Applied::Done)
}
