//! The descriptors that a main process is passed.

use std::os::fd::{BorrowedFd, OwnedFd};

use fdstore::EntryId;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use softboot_engine::{FdToken, Spawn, UnitId};
use softboot_unit::{ServiceSection, UnitName};

use crate::owner::Role;
use crate::run::Manager;

impl Manager {
    /// Sockets first, in the order of their names and ports, then the fd store, oldest first (semantics 1.1; the
    /// order of the store is ours: `docs/differences.md`). No duplicates are made: there may be thousands.
    pub(super) fn passed_fds(
        &self,
        wish: &Spawn,
        unit: &UnitName,
        service: &ServiceSection,
    ) -> Vec<(String, EntryId)> {
        let mut passed: Vec<(String, EntryId)> = Vec::new();
        if let Some(token) = wish.connection {
            let name = wish
                .socket
                .as_ref()
                .and_then(|socket| self.socket_fd_name(socket));
            if let Some(entry) = self.connection_entry(unit, token) {
                passed.push((name.unwrap_or_else(|| "connection".to_owned()), entry));
            }
        } else {
            // A socket's own commands get its own ports (PassFileDescriptorsToExec=).
            let own = self.socket_section(wish.unit).is_some().then_some(wish.unit);
            let others = self.engine.sockets_of(wish.unit);
            for socket in own.into_iter().chain(others) {
                let Some(socket) = self.engine.name(socket) else {
                    continue;
                };
                let name = self.socket_fd_name(socket).unwrap_or_else(|| socket.to_string());
                passed.extend(self.ports(socket).into_iter().map(|entry| (name.clone(), entry)));
            }
        }
        for (_, entry) in &passed {
            if let Some(fd) = self.store.fd(*entry) {
                set_nonblocking(fd, service.non_blocking);
            }
        }
        let owner = Role::Store.of(unit);
        let stored = self.store.entries_of(&owner);
        passed.extend(stored.map(|entry| (entry.name().to_string(), entry.id())));
        passed
    }

    pub(super) fn connection(&self, unit: &UnitName, token: FdToken) -> Option<OwnedFd> {
        let entry = self.connection_entry(unit, token)?;
        self.store.fd(entry)?.try_clone_to_owned().ok()
    }

    /// StandardInput=socket without Accept=yes is the unit's only port (systemd.exec(5)).
    pub(super) fn only_port(&self, unit: UnitId) -> Option<OwnedFd> {
        let sockets = self.engine.sockets_of(unit);
        let names = sockets.into_iter().filter_map(|socket| self.engine.name(socket));
        let mut ports = names.flat_map(|name| self.ports(name));
        let entry = ports.next().filter(|_| ports.next().is_none())?;
        self.store.fd(entry)?.try_clone_to_owned().ok()
    }

    fn connection_entry(&self, unit: &UnitName, token: FdToken) -> Option<EntryId> {
        let name = fdstore::FdName::new(&token.0.to_string()).ok()?;
        self.store.find(&Role::Connection.of(unit), &name)
    }
}

fn set_nonblocking(fd: BorrowedFd<'_>, on: bool) {
    let Ok(flags) = fcntl_getfl(fd) else { return };
    let wanted = if on {
        flags | OFlags::NONBLOCK
    } else {
        flags - OFlags::NONBLOCK
    };
    if wanted != flags {
        let _ = fcntl_setfl(fd, wanted);
    }
}
