//! The descriptors that a main process is passed.

use std::os::fd::OwnedFd;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use softboot_engine::{FdToken, Spawn};
use softboot_unit::{ServiceSection, UnitName};

use crate::owner::Role;
use crate::run::Manager;

impl Manager {
    /// Sockets first, in the order of their names and ports, then the fd store, oldest first (semantics 1.1; the
    /// order of the store is ours: `docs/differences.md`).
    pub(super) fn passed_fds(
        &self,
        wish: &Spawn,
        unit: &UnitName,
        service: &ServiceSection,
    ) -> Vec<(String, OwnedFd)> {
        let mut passed = Vec::new();
        if let Some(token) = wish.connection {
            let name = wish
                .socket
                .as_ref()
                .and_then(|socket| self.socket_fd_name(socket));
            if let Some(fd) = self.connection(unit, token) {
                passed.push((name.unwrap_or_else(|| "connection".to_owned()), fd));
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
                for entry in self.ports(socket) {
                    if let Some(fd) = self.store.fd(entry).and_then(|fd| fd.try_clone_to_owned().ok()) {
                        passed.push((name.clone(), fd));
                    }
                }
            }
        }
        for (_, fd) in &passed {
            set_nonblocking(fd, service.non_blocking);
        }
        for entry in self.store.entries_of(&Role::Store.of(unit)) {
            if let Some(fd) = self
                .store
                .fd(entry.id())
                .and_then(|fd| fd.try_clone_to_owned().ok())
            {
                passed.push((entry.name().to_string(), fd));
            }
        }
        passed
    }

    pub(super) fn connection(&self, unit: &UnitName, token: FdToken) -> Option<OwnedFd> {
        let name = fdstore::FdName::new(&token.0.to_string()).ok()?;
        let entry = self.store.find(&Role::Connection.of(unit), &name)?;
        self.store.fd(entry)?.try_clone_to_owned().ok()
    }
}

fn set_nonblocking(fd: &OwnedFd, on: bool) {
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
