//! The other side of the exec: taking over.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use fdstore::FdStore;
use fdstore::notify::Receiver;
use rustix::event::epoll::EventFlags;
use softboot_engine::{Engine, Event, Resume};
use softboot_reexec::snapshot;
use softboot_sys::signals::SignalFd;
use softboot_unit::{Definition, UnitName};
use tracing::{info, warn};

use super::Kind;
use super::commit::{DEFINITIONS, SNAPSHOT};
use super::state::Snapshot;
use crate::owner::{self, Role};
use crate::process::Processes;
use crate::run::{Facts, Manager, Parts, Source, boot_units};
use crate::{clock, load};

/// The definitions of a very large manager; what is longer is not ours.
const DEFINITIONS_MAX: u64 = 1 << 30;

/// What came over.
pub(crate) struct Taken {
    pub(crate) store: FdStore,
    pub(crate) snapshot: Snapshot,
    pub(crate) definitions: Vec<Definition>,
    pub(crate) quarantined: Vec<String>,
}

/// Takes the descriptors and reads the state. Changes nothing outside this process.
pub(crate) fn take(inherited: BTreeMap<i32, OwnedFd>) -> Result<Taken, String> {
    let manifest = std::env::var("FDSTORE_HANDOFF")
        .ok()
        .and_then(|number| number.parse().ok())
        .ok_or("FDSTORE_HANDOFF does not name a descriptor")?;
    let taken = FdStore::inherit(inherited, manifest).map_err(|error| error.to_string())?;
    let store = taken.store;
    let quarantined = taken.quarantined.iter().map(ToString::to_string).collect();
    let snapshot = read_snapshot(&store)?;
    let definitions = match snapshot.kind {
        Kind::Reexec => read_definitions(&store)?,
        Kind::SoftReboot => next_definitions(&snapshot),
    };
    Ok(Taken {
        store,
        snapshot,
        definitions,
        quarantined,
    })
}

fn own_entry(store: &FdStore, name: &str) -> Result<fdstore::EntryId, String> {
    let fd_name = fdstore::FdName::new(name).map_err(|error| error.to_string())?;
    store
        .find(owner::MANAGER, &fd_name)
        .ok_or_else(|| format!("there is no {name} among the descriptors"))
}

fn read_snapshot(store: &FdStore) -> Result<Snapshot, String> {
    let entry = own_entry(store, SNAPSHOT)?;
    let fd = store.fd(entry).ok_or("the snapshot is gone")?;
    let envelope = snapshot::read(fd).map_err(|error| error.to_string())?;
    serde_json::from_value(envelope.payload).map_err(|error| {
        format!(
            "the snapshot of softbootd {} cannot be read: {error}",
            envelope.writer
        )
    })
}

fn read_definitions(store: &FdStore) -> Result<Vec<Definition>, String> {
    let entry = own_entry(store, DEFINITIONS)?;
    let fd = store.fd(entry).ok_or("the definitions are gone")?;
    let bytes = fdstore::memfd::read_sealed(fd, DEFINITIONS_MAX).map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes).map_err(|error| format!("unit definitions: {error}"))
}

/// A new userspace reads its own unit files: for the boot, and for what lives on.
fn next_definitions(snapshot: &Snapshot) -> Vec<Definition> {
    let mut names: Vec<UnitName> = boot_units(&crate::run::boot_facts());
    names.extend(snapshot.manager.units.iter().cloned());
    load::closure(&names, &|_| false)
}

/// Takes over as PID 1.
pub(crate) fn resume(taken: Taken, facts: Facts, signals: SignalFd) -> Result<Manager, String> {
    let Taken {
        mut store,
        snapshot,
        definitions,
        quarantined,
    } = taken;
    for reason in &quarantined {
        warn!("descriptor put aside: {reason}");
    }
    let Snapshot {
        kind,
        engine,
        manager: state,
    } = snapshot;
    if let Ok(entry) = own_entry(&store, SNAPSHOT) {
        drop(store.remove(entry));
    }
    let notify = own_entry(&store, "notify").ok().and_then(|entry| store.fd(entry));
    let notify = notify
        .and_then(|fd| fd.try_clone_to_owned().ok())
        .map(Receiver::from_fd)
        .ok_or("the notification socket did not come over")?;
    let (how, facts) = match kind {
        Kind::Reexec => {
            let own = Facts {
                program: state.program,
                started: state.started,
                boot_finished: state.boot_finished,
                reexecs: state.reexecs.saturating_add(1),
                service_nofile: state.service_nofile,
                ..facts
            };
            (Resume::Reexec, own)
        }
        Kind::SoftReboot => {
            let own = Facts {
                program: state.program,
                service_nofile: state.service_nofile,
                ..facts
            };
            (Resume::SoftReboot, own)
        }
    };
    let (engine, actions) = Engine::restore(engine, definitions, clock::now(), how);
    let mut manager = Manager::assemble(Parts {
        engine,
        store,
        signals,
        notify,
        facts,
    })?;
    manager.processes = Processes::restore(state.processes);
    manager.clients = state.clients;
    manager.logs = state.logs;
    manager.invocations = state.invocations;
    manager.remotes = state.remotes.into_iter().collect();
    manager.start_tokens_at(state.next_token);
    manager.let_go_of_old_root();
    for action in actions {
        manager.obey(action);
    }
    manager.catch_up();
    if kind == Kind::SoftReboot {
        info!("soft-reboot {} done", manager.engine.soft_reboots());
        manager.request_default();
    }
    manager.answer_reexec_waiters();
    Ok(manager)
}

impl Manager {
    /// Looks at what happened while nobody was in charge (design, "confirm").
    fn catch_up(&mut self) {
        self.watch_logs();
        self.watch_clients();
        let processes: Vec<_> = self
            .processes
            .iter()
            .map(|(id, process)| (id, process.pidfd, process.exec_status, process.alien))
            .collect();
        for (process, pidfd, exec_status, alien) in processes {
            if let Some(entry) = exec_status {
                self.watch_entry(Source::ExecStatus(process), entry, EventFlags::IN);
            }
            if alien {
                self.watch_entry(Source::Alien(process), pidfd, EventFlags::IN);
            }
        }
        let stored: Vec<_> = self
            .store
            .entries()
            .filter(|entry| entry.poll() && matches!(owner::parse(entry.owner()), Some((Role::Store, _))))
            .map(fdstore::Entry::id)
            .collect();
        for entry in stored {
            self.watch_entry(Source::Stored(entry), entry, EventFlags::empty());
        }
        // The kernel does not repeat SIGCHLD for what died around the exec.
        self.reap_all();
        self.watch_cgroups_of_units();
    }

    /// Every unit's group is watched again; one that emptied meanwhile is reported.
    fn watch_cgroups_of_units(&mut self) {
        let units: Vec<_> = self.engine.ids().collect();
        for unit in units {
            let Some(name) = self.engine.name(unit).cloned() else {
                continue;
            };
            if self
                .engine
                .status(unit)
                .is_none_or(|status| status.active.is_inactive_ish())
            {
                continue;
            }
            let Some(relative) = self.cgroup_of(&name) else {
                continue;
            };
            let path = self.cgroups.path(&relative);
            if self.cgroups.watch(&path).is_err() || !crate::cgroup::is_populated(&path) {
                self.feed(Event::CgroupEmpty { unit });
            }
        }
    }
}
