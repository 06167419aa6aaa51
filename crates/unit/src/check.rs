//! Settings that contradict each other make a unit unusable (semantics 1.5, 4.2).

use crate::model::{
    DeferTrigger, EmergencyAction, KindSection, PortKind, RestartPolicy, ServiceSection, ServiceType,
    SocketSection, UnitSection,
};

/// The first contradiction, as a sentence.
pub(crate) fn contradiction(unit: &UnitSection, kind: &KindSection) -> Option<String> {
    match kind {
        KindSection::Service(service) => service_contradiction(unit, service),
        KindSection::Socket(socket) => socket_contradiction(socket),
        _ => None,
    }
    .map(str::to_owned)
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
