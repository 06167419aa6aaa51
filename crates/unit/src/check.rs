//! Settings that contradict each other make a unit unusable (semantics 1.5, 4.2).

use crate::escape::escape_path;
use crate::model::{
    Address, DeferTrigger, EmergencyAction, ExitType, KindSection, MountSection, PortKind, RestartPolicy,
    ServiceSection, ServiceType, SocketSection, UnitSection,
};
use crate::name::UnitName;

/// The first contradiction, as a sentence.
pub(crate) fn contradiction(name: &UnitName, unit: &UnitSection, kind: &KindSection) -> Option<String> {
    match kind {
        KindSection::Mount(mount) => return mount_contradiction(name, mount),
        KindSection::Service(service) => service_contradiction(unit, service),
        KindSection::Socket(socket) => socket_contradiction(socket),
        _ => None,
    }
    .map(str::to_owned)
}

/// The unit's name is its path, and there is something to mount.
fn mount_contradiction(name: &UnitName, mount: &MountSection) -> Option<String> {
    let stem = escape_path(&mount.where_);
    if name.is_template() || name.is_instance() {
        return Some("a mount unit cannot come from a template".to_owned());
    }
    if stem != name.stem() {
        return Some(format!(
            "Where={} belongs in a unit named {stem}.mount, not {name}",
            mount.where_
        ));
    }
    mount
        .what
        .is_empty()
        .then(|| "the mount has no What= setting".to_owned())
}

fn service_contradiction(unit: &UnitSection, service: &ServiceSection) -> Option<&'static str> {
    let oneshot = service.service_type == ServiceType::Oneshot;
    let acts = unit.success_action != EmergencyAction::None;
    if service.exec_start.is_empty() {
        if service.exec_stop.is_empty() && !acts {
            return Some("the service has no ExecStart=, no ExecStop= and no SuccessAction=");
        }
        if !oneshot {
            return Some("a service without ExecStart= must have Type=oneshot");
        }
        if !service.remain_after_exit && !acts {
            return Some("a service without ExecStart= needs RemainAfterExit=yes or SuccessAction=");
        }
    }
    if service.exec_start.len() > 1 && !oneshot {
        return Some("only Type=oneshot can have more than one ExecStart=");
    }
    if oneshot && matches!(service.restart, RestartPolicy::Always | RestartPolicy::OnSuccess) {
        return Some("Type=oneshot excludes Restart=always and Restart=on-success");
    }
    if oneshot && service.exit_type == ExitType::Cgroup {
        return Some("Type=oneshot excludes ExitType=cgroup");
    }
    if service.service_type == ServiceType::Dbus && service.bus_name.is_none() {
        return Some("Type=dbus needs BusName=");
    }
    None
}

fn socket_contradiction(socket: &SocketSection) -> Option<&'static str> {
    if socket.ports.is_empty() {
        return Some("the socket has no Listen setting");
    }
    if socket.max_connections == 0 {
        return Some("MaxConnections= must be at least 1");
    }
    if socket.message_queue_max_messages.is_some() != socket.message_queue_message_size.is_some() {
        return Some("MessageQueueMaxMessages= and MessageQueueMessageSize= must be set together");
    }
    let nodes = socket
        .ports
        .iter()
        .filter(|port| {
            matches!(
                (port.kind, &port.address),
                (PortKind::Fifo, _) | (_, Address::Path(_))
            )
        })
        .filter(|port| !matches!(port.kind, PortKind::Special | PortKind::MessageQueue))
        .count();
    if !socket.symlinks.is_empty() && nodes != 1 {
        return Some("Symlinks= needs exactly one socket or FIFO in the file system to point to");
    }
    if !socket.accept {
        return None;
    }
    let can_accept = |kind| matches!(kind, PortKind::Stream | PortKind::SequentialPacket);
    if !socket.ports.iter().all(|port| can_accept(port.kind)) {
        return Some("Accept=yes needs ports that can accept: streams or sequential packets");
    }
    if socket.service.instance() != Some("") {
        return Some("Accept=yes excludes Service=: each connection gets an instance of its own");
    }
    if socket.defer_trigger != DeferTrigger::No {
        return Some("Accept=yes excludes DeferTrigger=");
    }
    None
}
