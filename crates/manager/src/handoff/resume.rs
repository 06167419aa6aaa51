//! The other side of the exec: taking over.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use fdstore::FdStore;
use rustix::event::epoll::EventFlags;
use softboot_engine::{Event, Now};
use softboot_reexec::{snapshot, unknown};
use softboot_sys::crash;
use softboot_sys::signals::SignalFd;
use softboot_unit::UnitName;
use tracing::{error, info, warn};

use super::brought::{Definitions, DefinitionsReader};
use super::commit::{DEFINITIONS, PREVIOUS, PREVIOUS_PROGRAM, SNAPSHOT, WRITER};
use super::fallback::MANIFEST;
use super::state::Snapshot;
use super::{Kind, Stopwatch};
use crate::clock;
use crate::journal::{Listed, Start, Tries};
use crate::load::{self, Sources};
use crate::owner::{self, Role};
use crate::process::Processes;
use crate::run::{Facts, Lost, Manager, Parts, Source, boot_units};
use crate::setup;

/// What came over.
pub(crate) struct Taken {
    pub(crate) store: FdStore,
    pub(crate) snapshot: Snapshot,
    pub(crate) definitions: Definitions,
    /// Of a soft-reboot: from what they were read here; `None`: the verifying child had read them.
    pub(crate) sources: Option<Sources>,
    pub(crate) quarantined: Vec<String>,
    /// How long it took, and goes on taking.
    pub(crate) stopwatch: Stopwatch,
}

/// Takes the descriptors and reads the state. Changes nothing outside this process.
pub(crate) fn take(inherited: BTreeMap<i32, OwnedFd>, mut stopwatch: Stopwatch) -> Result<Taken, Lost> {
    stopwatch.lap("starting");
    let manifest = std::env::var(MANIFEST)
        .ok()
        .and_then(|number| number.parse().ok());
    let Some(manifest) = manifest else {
        let reason = format!("{MANIFEST} does not name a descriptor");
        return Err(Lost::the_list(reason, inherited.into_values().collect()));
    };
    crate::fault::place("take-over");
    let reader = DefinitionsReader::start(&inherited);
    let taken = FdStore::inherit(inherited, manifest).map_err(|error| {
        Lost::the_list(
            error.reason.to_string(),
            error.descriptors.into_values().collect(),
        )
    })?;
    stopwatch.lap("descriptors");
    match read(&taken.store, reader, &mut stopwatch) {
        Ok((snapshot, definitions, sources)) => Ok(Taken {
            stopwatch,
            store: taken.store,
            snapshot,
            definitions,
            sources,
            quarantined: taken.quarantined.iter().map(ToString::to_string).collect(),
        }),
        Err(reason) => Err(Lost::the_state(reason, taken.store, taken.unclaimed)),
    }
}

fn read(
    store: &FdStore,
    reader: DefinitionsReader,
    stopwatch: &mut Stopwatch,
) -> Result<(Snapshot, Definitions, Option<Sources>), String> {
    let mut snapshot = read_snapshot(store)?;
    #[cfg(feature = "next-version")]
    if std::env::var_os("SOFTBOOT_ANSWER_FD").is_none() {
        super::next_version::take(&read_payload(store)?);
    }
    stopwatch.began_at(snapshot.manager.written, "writing and exec");
    stopwatch.lap("reading");
    let mut sources = None;
    let definitions = match snapshot.kind {
        Kind::Reexec => Definitions::Same {
            table: reader.table(store)?,
            newer: std::mem::take(&mut snapshot.definitions),
        },
        Kind::SoftReboot => Definitions::Next(match reader.planned(&next_units(&snapshot)) {
            Some(definitions) => definitions,
            None => {
                let (definitions, from) = load::closure_with_sources(&next_units(&snapshot));
                sources = Some(from);
                definitions
            }
        }),
    };
    stopwatch.lap("definitions");
    Ok((snapshot, definitions, sources))
}

pub(super) fn own_entry(store: &FdStore, name: &str) -> Result<fdstore::EntryId, String> {
    let fd_name = fdstore::FdName::new(name).map_err(|error| error.to_string())?;
    store
        .find(owner::MANAGER, &fd_name)
        .ok_or_else(|| format!("there is no {name} among the descriptors"))
}

fn read_snapshot(store: &FdStore) -> Result<Snapshot, String> {
    let entry = own_entry(store, SNAPSHOT)?;
    decode_snapshot(store.fd(entry).ok_or("the snapshot is gone")?)
}

#[cfg(feature = "next-version")]
fn read_payload(store: &FdStore) -> Result<serde_json::Value, String> {
    let fd = store
        .fd(own_entry(store, SNAPSHOT)?)
        .ok_or("the snapshot is gone")?;
    let envelope = snapshot::read(fd).map_err(|error| error.to_string())?;
    serde_json::from_str(envelope.payload.get()).map_err(|error| error.to_string())
}

/// The state in a sealed snapshot.
pub(crate) fn decode_snapshot(fd: impl AsFd) -> Result<Snapshot, String> {
    let read = snapshot::read_own(fd.as_fd(), WRITER).map_err(|error| error.to_string())?;
    let envelope = match read {
        Ok(snapshot) => return Ok(snapshot),
        Err(envelope) => envelope,
    };
    let failed = |error: serde_json::Error| {
        format!(
            "the snapshot of softbootd {} cannot be read: {error}",
            envelope.writer
        )
    };
    // As bytes, like all else that is decoded here: for texts the compiler would make all of the decoder once more.
    let text = envelope.payload.get().as_bytes();
    let mut snapshot: Snapshot = serde_json::from_slice(text).map_err(failed)?;
    if envelope.writer != WRITER {
        let original = serde_json::from_slice(text).map_err(failed)?;
        let known = serde_json::to_value(&snapshot).map_err(failed)?;
        snapshot.manager.carried = unknown::residue(&original, &known);
    }
    Ok(snapshot)
}

/// A new userspace reads its own unit files: for the boot, and for what lives on.
fn next_units(snapshot: &Snapshot) -> Vec<UnitName> {
    let mut names: Vec<UnitName> = boot_units(&crate::run::boot_facts());
    names.extend(snapshot.manager.units.iter().cloned());
    names
}

/// Why this program runs again although another one was to take over.
pub(crate) fn fell_back() -> Option<String> {
    let handoff = std::env::var_os(MANIFEST).is_some();
    let why = std::env::var(crash::VARIABLE).ok()?;
    (handoff && std::env::var_os(PREVIOUS).is_none()).then_some(why)
}

/// A journal begins with what was restored, and from what.
fn start(store: &FdStore, kind: Kind, definitions: &Definitions, now: Now) -> Result<Start, String> {
    let copy = |name: &str| -> Result<OwnedFd, String> {
        let fd = store.fd(own_entry(store, name)?);
        let fd = fd.ok_or_else(|| format!("the {name} is gone"))?;
        fd.try_clone_to_owned().map_err(|error| error.to_string())
    };
    Ok(Start::Snapshot {
        snapshot: copy(SNAPSHOT)?,
        definitions: copy(DEFINITIONS)?,
        now,
        units: (kind == Kind::SoftReboot)
            .then(|| definitions.next().iter().map(|one| one.name.clone()).collect()),
        listed: None,
    })
}

/// Takes over as PID 1. `tries`: how often this was tried.
pub(crate) fn resume(
    taken: Taken,
    facts: Facts,
    signals: SignalFd,
    tries: Option<&Tries>,
) -> Result<Manager, Lost> {
    let Taken {
        store,
        snapshot,
        definitions,
        sources,
        quarantined,
        mut stopwatch,
    } = taken;
    for reason in &quarantined {
        warn!("descriptor put aside: {reason}");
    }
    let Snapshot {
        kind,
        engine,
        manager: state,
        definitions: beside,
        ..
    } = snapshot;
    let newer = match &definitions {
        Definitions::Same { newer, .. } => newer,
        Definitions::Next(_) => &beside,
    };
    let newer = newer.iter().map(|definition| definition.name.clone()).collect();
    let fell_back = fell_back();
    let reexecs = state.reexecs.saturating_add(u32::from(fell_back.is_none()));
    let facts = match kind {
        Kind::Reexec => Facts {
            program: state.program,
            started: state.started,
            boot_finished: state.boot_finished,
            reexecs,
            service_nofile: state.service_nofile,
            ..facts
        },
        Kind::SoftReboot => Facts {
            program: state.program,
            service_nofile: state.service_nofile,
            ..facts
        },
    };
    let now = clock::now();
    let sockets = crate::journal::notify_socket(&store);
    let start = match (kind, &sources) {
        // What was read from the disk may be other now.
        (Kind::SoftReboot, Some(_)) => Ok(Start::Image),
        _ => start(&store, kind, &definitions, now),
    };
    let (notify, mut start) = match sockets.and_then(|notify| Ok((notify, start?))) {
        Ok(both) => both,
        Err(reason) => return Err(Lost::the_state(reason, store, Vec::new())),
    };
    let (engine, actions) = std::thread::scope(|scope| {
        if let Start::Snapshot { listed, .. } = &mut start {
            // Nobody is answered meanwhile. Without a thread the journal is begun with a list of its own.
            let thread = std::thread::Builder::new().name("manifest".to_owned());
            let _ = thread.spawn_scoped(scope, || *listed = Listed::of(&store));
        }
        definitions.restore(engine, now)
    });
    stopwatch.lap("units");
    let mut manager = Manager::assemble(Parts {
        engine,
        store,
        signals,
        notify,
        facts,
    })?;
    if let Some(tries) = tries.filter(|tries| tries.again()) {
        manager.recorder.crashed(tries, Vec::new());
    }
    manager.processes = Processes::restore(state.processes);
    manager.clients = state.clients;
    manager.logs = state.logs;
    manager.invocations = state.invocations;
    manager.environment = state.environment;
    manager.exit_code = state.exit_code;
    manager.put_off = state.put_off;
    manager.remotes = state.remotes;
    manager.start_tokens_at(state.next_token);
    manager.definitions_since = newer;
    if sources.is_some() {
        // What came over is not what was read.
        manager.all_definitions_changed();
    }
    manager.carried = state.carried;
    manager.cycles = state.cycles;
    stopwatch.lap("manager");
    crate::fault::place("taken-over");
    // In charge: from here on this program goes on by itself. What only the handoff needed is closed after that.
    manager.begin_journal_of_step(start, &actions);
    crash::done();
    stopwatch.lap("journal");
    for name in [SNAPSHOT, PREVIOUS_PROGRAM] {
        if let Some(entry) = manager.manager_entry(name) {
            manager.drop_entry(None, entry);
        }
    }
    let changed = manager.let_go_of_old_root();
    manager.obey_step(actions);
    crate::fault::place("in-charge");
    stopwatch.lap("actions");
    manager.catch_up();
    manager.give_back_old_signals();
    stopwatch.lap("catching up");
    let report = stopwatch.report(kind.word());
    info!("taking over took {} us", report.took_usec);
    manager.note_taken_over(report);
    if kind == Kind::Reexec {
        // A boot gives back at its own end.
        manager.give_back_soon();
    }
    if changed {
        manager.say_which_nodes_are_gone();
    }
    if kind == Kind::SoftReboot {
        info!("soft-reboot {} done", manager.engine.soft_reboots());
        setup::stage_os_release();
        manager.clients.soft_reboot_has_come();
        manager.find_waiting_clients();
        manager.request_boot();
    }
    match fell_back {
        None => manager.answer_reexec_waiters(),
        Some(why) => {
            error!("the next program did not get as far as being in charge ({why}); the one before goes on");
            manager.refuse_reexec_waiters(&why);
        }
    }
    Ok(manager)
}

impl Manager {
    /// Looks at what happened while nobody was in charge (design, "confirm").
    pub(crate) fn catch_up(&mut self) {
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
            if !self.engine.may_have_processes(unit) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_another_version_wrote_beside_is_carried_and_what_it_did_not_write_has_its_default() {
        let state = json!({
            "kind": "reexec",
            "engine": {"units": [{"name": "a.service", "mood": "good"}], "weather": [1]},
            "manager": {"next_token": 7, "guests": {"x": 1}},
        });
        let read = |writer: &str| decode_snapshot(snapshot::write(writer, &state).unwrap()).unwrap();
        let other = read("99.0.0");
        assert_eq!(other.manager.next_token, 7);
        assert_eq!(
            other.manager.carried,
            Some(json!({
                "engine": {"units": [{"name": "a.service", "mood": "good"}], "weather": [1]},
                "manager": {"guests": {"x": 1}},
            }))
        );
        // What this program writes, it knows.
        assert_eq!(read(WRITER).manager.carried, None);
    }
}
