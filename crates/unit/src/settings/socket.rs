//! `[Socket]`.

use super::service::{exec_commands, kill, slice_name};
use super::unit::{from_word, zero_is_never};
use super::{Applied, Fault, Outcome, RawSocket, exec, socket_options};
use crate::model::{Address, DeferTrigger, Port, PortKind};
use crate::name::{UnitKind, UnitName};
use crate::syntax::shown;
use crate::value::{
    address, boolean, fifo_path, integer, message_queue, netlink, octal, simple_path, size, split_words, time,
};

pub(super) fn apply(raw: &mut RawSocket, key: &str, value: &str) -> Outcome {
    let kind = match key {
        "ListenStream" => Some(PortKind::Stream),
        "ListenDatagram" => Some(PortKind::Datagram),
        "ListenSequentialPacket" => Some(PortKind::SequentialPacket),
        "ListenFIFO" => Some(PortKind::Fifo),
        "ListenSpecial" => Some(PortKind::Special),
        "ListenNetlink" => Some(PortKind::Netlink),
        "ListenMessageQueue" => Some(PortKind::MessageQueue),
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
                _ => return Err(Fault::at(value, format!("{value:?} is no service unit"))),
            }
        }
        "FileDescriptorName" => {
            let valid = value.len() <= 255 && value.bytes().all(|b| (32..127).contains(&b) && b != b':');
            if !valid {
                return Err(Fault::at(
                    value,
                    format!("{value:?} is no descriptor name: printable ASCII without ':'"),
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
                _ => return Err(format!("{value:?} is none of default, both, ipv6-only").into()),
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
        "Slice" => socket.slice = slice_name(value)?,
        "SocketUser" => socket.user = some(value),
        "SocketGroup" => socket.group = some(value),
        "Symlinks" if value.is_empty() => socket.symlinks.clear(),
        "Symlinks" => {
            for word in split_words(value)? {
                let path = simple_path(&word)
                    .ok_or_else(|| Fault::at(&word, format!("{} is no absolute path", shown(&word))))?;
                socket.symlinks.push(path);
            }
        }
        "PassFileDescriptorsToExec" => socket.pass_fds_to_exec = boolean(value)?,
        "Writable" => socket.writable = boolean(value)?,
        "MessageQueueMaxMessages" => socket.message_queue_max_messages = Some(at_least_one(value)?),
        "MessageQueueMessageSize" => socket.message_queue_message_size = Some(at_least_one(value)?),
        "ListenUSBFunction" if value.is_empty() => socket.ports.clear(),
        "ListenUSBFunction" => return Err(Fault::refused("USB functions are not supported")),
        "ExecStartPre" => return exec_commands(&mut socket.exec_start_pre, value),
        "ExecStartPost" => return exec_commands(&mut socket.exec_start_post, value),
        "ExecStopPre" => return exec_commands(&mut socket.exec_stop_pre, value),
        "ExecStopPost" => return exec_commands(&mut socket.exec_stop_post, value),
        _ => {
            return match socket_options::apply(&mut socket.options, key, value)? {
                Applied::Unknown => match kill(&mut socket.kill, key, value) {
                    Some(outcome) => outcome,
                    None => exec::apply(&mut socket.exec, key, value),
                },
                applied => Ok(applied),
            };
        }
    }
    Ok(Applied::Done)
}

fn listen(raw: &mut RawSocket, kind: PortKind, value: &str) -> Outcome {
    if value.is_empty() {
        // An empty value of any Listen resets all ports of every kind (semantics 1.3).
        raw.section.ports.clear();
        return Ok(Applied::Done);
    }
    let address = match kind {
        PortKind::Fifo | PortKind::Special => fifo_path(value)?,
        PortKind::Netlink => netlink(value)?,
        PortKind::MessageQueue => message_queue(value)?,
        PortKind::Stream | PortKind::Datagram | PortKind::SequentialPacket => address(value)?,
    };
    let local = matches!(
        address,
        Address::Path(_) | Address::Abstract(_) | Address::Vsock { .. }
    );
    if kind == PortKind::SequentialPacket && !local {
        return Err("sequential packets need an AF_UNIX path, @name or vsock:".into());
    }
    // `vsock-dgram:` and the like say the type themselves, and exclude another directive.
    let typed = [
        ("vsock-stream:", PortKind::Stream),
        ("vsock-dgram:", PortKind::Datagram),
        ("vsock-seqpacket:", PortKind::SequentialPacket),
    ];
    let kind = typed
        .into_iter()
        .find(|(prefix, _)| value.starts_with(prefix))
        .map_or(kind, |(_, typed)| typed);
    raw.section.ports.push(Port { kind, address });
    Ok(Applied::Done)
}

fn some(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| value.to_owned())
}

fn at_least_one(value: &str) -> Result<u32, Fault> {
    match integer(value)? {
        0 => Err(Fault::at(value, "expected at least 1")),
        number => Ok(number),
    }
}
