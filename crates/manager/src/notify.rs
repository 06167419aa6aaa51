//! The notification socket: who sent what, and what it means for the store and the engine (semantics 3).

use std::os::fd::OwnedFd;

use fdstore::notify::{Datagram, Message};
use fdstore::{FdName, InsertOptions, Inserted};
use rustix::event::epoll::EventFlags;
use softboot_engine::{Event, Notification, Sender, UnitId};
use softboot_sys::pidfd;
use softboot_unit::{KindSection, NotifyAccess, ServiceType, UnitName, Usec};
use tracing::{debug, warn};

use crate::cgroup;
use crate::owner::Role;
use crate::process::Proof;
use crate::run::{Manager, Source};

/// Messages taken before something else gets a turn; the socket stays readable for the rest.
const BATCH: usize = 64;

impl Manager {
    /// Takes what waits on the notification socket, up to a bound.
    pub(crate) fn receive_notifications(&mut self) {
        for _ in 0..BATCH {
            match self.notify.recv() {
                Ok(Some(Ok(datagram))) => self.notified(datagram),
                Ok(Some(Err(rejected))) => {
                    debug!("notification rejected: {rejected}");
                    self.close_elsewhere(rejected.fds);
                }
                Ok(None) => return,
                Err(error) => {
                    warn!("cannot read the notification socket: {error}");
                    return;
                }
            }
        }
    }

    fn notified(&mut self, mut datagram: Datagram) {
        let fds = std::mem::take(&mut datagram.fds);
        let left = self.notified_with(&datagram, fds);
        self.close_elsewhere(left);
    }

    /// Does what a message says; the descriptors that nobody claimed.
    fn notified_with(&mut self, datagram: &Datagram, fds: Vec<OwnedFd>) -> Vec<OwnedFd> {
        let Datagram {
            message, credentials, ..
        } = datagram;
        if message.is_barrier() {
            // Closing the descriptor is the answer (semantics 3.3).
            return fds;
        }
        let Some((unit, name, sender)) = self.sender(credentials.pid) else {
            debug!("notification of process {} belongs to no unit", credentials.pid);
            return fds;
        };
        let Some(access) = self.notify_access(unit) else {
            return fds;
        };
        let allowed = match access {
            NotifyAccess::None => false,
            NotifyAccess::Main => sender == Sender::Main,
            NotifyAccess::Exec => sender != Sender::Other,
            NotifyAccess::All => true,
        };
        if !allowed {
            self.unit_log_line(
                &name,
                &format!(
                    "notification of process {} refused: NotifyAccess={access:?} allows fewer senders",
                    credentials.pid
                ),
            );
            return fds;
        }
        let mut fds = fds;
        self.main_pid_message(unit, &name, message, credentials.uid, &mut fds);
        let left = self.store_message(unit, &name, message, fds);
        if let Some(mut event) = notification(message) {
            event.dies_of_reload = event.ready && self.would_die_of_reload(unit);
            self.feed(Event::Notify {
                unit,
                sender,
                message: event,
            });
        }
        left
    }

    /// The unit a process belongs to: a process it asked for, else the owner of its cgroup.
    fn sender(&self, pid: i32) -> Option<(UnitId, UnitName, Sender)> {
        if let Some(process) = self.processes.find_pid(pid) {
            let unit = self.engine.unit_of_process(process)?;
            let main = self
                .engine
                .processes()
                .into_iter()
                .any(|(id, _, main)| id == process && main);
            let name = self.engine.name(unit)?.clone();
            return Some((unit, name, if main { Sender::Main } else { Sender::Control }));
        }
        let name = cgroup::unit_of_path(&cgroup::of_process(pid)?)?;
        Some((self.engine.unit(&name)?, name, Sender::Other))
    }

    /// What the engine says now: the unit's setting, or what NOTIFYACCESS= made of it in this run.
    fn notify_access(&self, unit: UnitId) -> Option<NotifyAccess> {
        self.engine.notify_access(unit)
    }

    /// MAINPIDFD=1 and MAINPID=: the new main process must be in the unit's cgroup, or be named by root (semantics 3.4).
    fn main_pid_message(
        &mut self,
        unit: UnitId,
        name: &UnitName,
        message: &Message,
        uid: u32,
        fds: &mut Vec<OwnedFd>,
    ) {
        let given = message.main_pidfd().then(|| fds.pop()).flatten();
        let (pid, proof) = match given {
            Some(pidfd) if fds.is_empty() => match pidfd::pid(&pidfd) {
                Some(pid) => (pid, Proof::Pidfd(pidfd)),
                None => return self.unit_log_line(name, "MAINPIDFD=1 refused: its process has ended"),
            },
            other => {
                // Several descriptors: none of them can be meant.
                fds.extend(other);
                let Some(pid) = message.main_pid() else { return };
                (pid, message.main_pidfd_id().map_or(Proof::None, Proof::Id))
            }
        };
        if self.processes.find_pid(pid).is_some() && self.is_main(pid) {
            return;
        }
        if let Err(reason) = self.adopt_main(unit, name, pid, uid == 0, &proof) {
            self.unit_log_line(name, &format!("MAINPID={pid} refused: {reason}"));
        }
    }

    /// A service that says it can be reloaded by a signal must not die of it (semantics 3.4).
    fn would_die_of_reload(&self, unit: UnitId) -> bool {
        const SIGKILL: i32 = 9;
        const SIGSTOP: i32 = 19;
        let Some(KindSection::Service(service)) = self.engine.definition(unit).map(|unit| &unit.kind) else {
            return false;
        };
        let signal = service.reload_signal;
        let status = self.engine.status(unit);
        let starting = status.as_ref().is_some_and(|status| status.sub == "start");
        let main = status.and_then(|status| status.main_pid);
        if service.service_type != ServiceType::NotifyReload
            || !starting
            || matches!(signal, SIGKILL | SIGSTOP)
        {
            return false;
        }
        main.and_then(|pid| std::fs::read_to_string(format!("/proc/{pid}/status")).ok())
            .is_some_and(|status| !reacts_to(&status, signal))
    }

    /// FDSTORE=1 and FDSTOREREMOVE=1. Gives back the descriptors that are not stored.
    fn store_message(
        &mut self,
        unit: UnitId,
        name: &UnitName,
        message: &Message,
        fds: Vec<OwnedFd>,
    ) -> Vec<OwnedFd> {
        let mut left = Vec::new();
        let owner = Role::Store.of(name);
        if message.fd_store_remove() {
            let Some(Ok(fd_name)) = message.fd_name() else {
                return fds;
            };
            left = fds;
            let ids: Vec<_> = self
                .store
                .entries_of(&owner)
                .filter(|entry| *entry.name() == fd_name)
                .map(fdstore::Entry::id)
                .collect();
            for id in ids {
                self.drop_entry(Some(Source::Stored(id)), id);
            }
        } else if message.fd_store() {
            let fd_name = match message.fd_name() {
                Some(Ok(fd_name)) => fd_name,
                Some(Err(error)) => {
                    self.unit_log_line(
                        name,
                        &format!("FDNAME= is not valid, stored as \"stored\": {error}"),
                    );
                    FdName::stored()
                }
                None => FdName::stored(),
            };
            for fd in fds {
                left.extend(self.store_one(name, &owner, &fd_name, fd, message.fd_poll()));
            }
        } else {
            return fds;
        }
        self.tell_store_count(unit, name);
        left
    }

    fn store_one(
        &mut self,
        name: &UnitName,
        owner: &str,
        fd_name: &FdName,
        fd: OwnedFd,
        poll: bool,
    ) -> Option<OwnedFd> {
        let limit = self.service_of(name).map_or(0, |service| service.fd_store_max);
        let options = InsertOptions {
            poll,
            deduplicate: true,
            owner_limit: Some(usize::try_from(limit).unwrap_or(usize::MAX)),
            ..InsertOptions::default()
        };
        match self.store.insert(owner, fd_name, fd, options) {
            Ok(Inserted::New(id)) => {
                if poll {
                    self.watch_entry(Source::Stored(id), id, EventFlags::empty());
                }
                None
            }
            Ok(Inserted::Duplicate(_, fd)) => Some(fd),
            Err(error) => {
                self.unit_log_line(name, &format!("descriptor not stored: {}", error.rule));
                Some(error.fd)
            }
        }
    }

    /// A stored descriptor hung up: it is of no use any more (semantics 3.5).
    pub(crate) fn stored_hung_up(&mut self, id: fdstore::EntryId) {
        let Some((crate::owner::Role::Store, name)) = self
            .store
            .entry(id)
            .and_then(|entry| crate::owner::parse(entry.owner()))
        else {
            return;
        };
        self.drop_entry(Some(Source::Stored(id)), id);
        if let Some(unit) = self.engine.unit(&name) {
            self.tell_store_count(unit, &name);
        }
    }

    /// The engine learns of descriptors that services have stored before it began.
    pub(crate) fn tell_stored(&mut self) {
        let owners = self.store.owners().filter_map(crate::owner::parse);
        let units: Vec<UnitName> = owners
            .filter(|(role, _)| *role == Role::Store)
            .map(|(_, unit)| unit)
            .collect();
        if units.is_empty() {
            return;
        }
        self.load_units(&units);
        self.drain();
        for name in units {
            if let Some(unit) = self.engine.unit(&name) {
                self.tell_store_count(unit, &name);
            }
        }
    }

    pub(crate) fn tell_store_count(&mut self, unit: UnitId, name: &UnitName) {
        let count = u32::try_from(self.store.count(&Role::Store.of(name))).unwrap_or(u32::MAX);
        self.feed(Event::FdStoreCount { unit, count });
    }

    /// The service section of a unit.
    pub(crate) fn service_of(&self, name: &UnitName) -> Option<&softboot_unit::ServiceSection> {
        match &self.engine.definition(self.engine.unit(name)?)?.kind {
            KindSection::Service(section) => Some(section),
            _ => None,
        }
    }
}

/// The part the engine acts on; `None` when there is nothing in it for the engine.
fn notification(message: &Message) -> Option<Notification> {
    let notification = Notification {
        ready: message.ready(),
        reloading: message.reloading(),
        stopping: message.stopping(),
        monotonic: message.monotonic_usec().map(Usec),
        status: message.status().map(str::to_owned),
        errno: message.errno(),
        error_name: message.error_name().map(str::to_owned),
        dies_of_reload: false,
        access: message.notify_access().and_then(access),
        extend_timeout: message.extend_timeout_usec().map(Usec),
        watchdog: message.watchdog(),
        watchdog_trigger: message.watchdog_trigger(),
        watchdog_interval: message.watchdog_usec().map(Usec),
        restart_reset: message.restart_reset(),
    };
    (notification != Notification::default()).then_some(notification)
}

/// Whether a process catches or blocks a signal: SigCgt and SigBlk of proc_pid_status(5).
fn reacts_to(status: &str, signal: i32) -> bool {
    let bit = u32::try_from(signal.saturating_sub(1))
        .ok()
        .and_then(|bit| 1_u64.checked_shl(bit));
    ["SigCgt:", "SigBlk:"].iter().any(|key| {
        let mask = status
            .lines()
            .find_map(|line| line.strip_prefix(key))
            .and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
        mask.zip(bit).is_some_and(|(mask, bit)| mask & bit != 0)
    })
}

fn access(word: &str) -> Option<NotifyAccess> {
    match word {
        "none" => Some(NotifyAccess::None),
        "main" => Some(NotifyAccess::Main),
        "exec" => Some(NotifyAccess::Exec),
        "all" => Some(NotifyAccess::All),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_of_signals_begin_with_the_first() {
        let status =
            "Name:\tx\nSigBlk:\t0000000000000200\nSigIgn:\t0000000000000002\nSigCgt:\t0000000000000001\n";
        assert!(reacts_to(status, 1), "SIGHUP is caught");
        assert!(reacts_to(status, 10), "SIGUSR1 is blocked");
        assert!(!reacts_to(status, 2), "what is ignored is not reacted to");
        assert!(!reacts_to(status, 15) && !reacts_to(status, 0) && !reacts_to("", 1));
    }
}
