//! Unit files of a workload, the same for every manager.

use std::fmt::Write as _;

use super::{Listen, Service, Socket, Workload};

/// A unit file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitFile {
    /// Its file name.
    pub name: String,
    /// Its contents.
    pub text: String,
}

impl Workload {
    /// The unit files of services and sockets. Who installs them pulls the sockets in, and the services that no socket
    /// starts.
    pub fn units(&self) -> Vec<UnitFile> {
        let services = self.services.iter().map(|service| {
            let accepted = self
                .sockets
                .iter()
                .any(|socket| socket.accept && socket.service == service.name);
            file(service, accepted)
        });
        services.chain(self.sockets.iter().flat_map(files)).collect()
    }
}

fn file(service: &Service, accepted: bool) -> UnitFile {
    let mut text = format!("[Unit]\nDescription=Workload {}\n", service.name);
    if service.survives {
        // What a service needs to live through a soft-reboot (systemd-soft-reboot.service(8)).
        text.push_str("DefaultDependencies=no\nIgnoreOnIsolate=yes\nSurviveFinalKillSignal=yes\n");
    }
    // Never fails: it is a String.
    let _ = writeln!(text, "\n[Service]\nExecStart={}", service.exec);
    if accepted {
        text.push_str("StandardInput=socket\nStandardOutput=socket\n");
    }
    for (key, value) in &service.settings {
        let _ = writeln!(text, "{key}={value}");
    }
    let name = match service.name.strip_suffix(".service") {
        Some(stem) if accepted => format!("{stem}@.service"),
        _ => service.name.clone(),
    };
    UnitFile { name, text }
}

fn files(socket: &Socket) -> Vec<UnitFile> {
    let stem = socket.name.strip_suffix(".socket").unwrap_or(&socket.name);
    let numbered = socket.copies > 1;
    (0..socket.copies)
        .map(|number| {
            let name = if numbered {
                format!("{stem}-{number}.socket")
            } else {
                socket.name.clone()
            };
            let mut text = format!("[Unit]\nDescription=Workload {name}\n");
            if socket.kept {
                text.push_str("DefaultDependencies=no\n");
            }
            text.push_str("\n[Socket]\n");
            let _ = match &socket.listen {
                Listen::Stream(address) if numbered => writeln!(text, "ListenStream={address}-{number}"),
                Listen::Stream(address) => writeln!(text, "ListenStream={address}"),
                Listen::Datagram(address) => writeln!(text, "ListenDatagram={address}"),
            };
            if socket.accept {
                text.push_str("Accept=yes\n");
            } else {
                let _ = writeln!(text, "Service={}", socket.service);
            }
            if socket.kept {
                text.push_str("DeferTrigger=yes\n");
            }
            for (key, value) in &socket.settings {
                let _ = writeln!(text, "{key}={value}");
            }
            UnitFile { name, text }
        })
        .collect()
}
