//! The program after a crash: from what it inherits to a manager.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

use fdstore::notify::Receiver;
use fdstore::{Change, FdStore, Inherited};
use softboot_reexec::journal::{self, Journal};
use softboot_sys::signals::SignalFd;
use tracing::{debug, error, info, warn};

use super::again::Again;
use super::go_on::Crashed;
use super::replay::{self, Replayed};
use super::tries::{Trust, was_sent};
use crate::handoff::Stopwatch;
use crate::owner;
use crate::process::Processes;
use crate::run::{self, Facts, Lost, Manager};

/// What the journal says.
struct Brought {
    /// Where the manifest is, among what is inherited.
    manifest: i32,
    /// How the fd store differs from it.
    changes: Vec<Change>,
    replayed: Result<Replayed, String>,
    /// To go on writing, if all of it was believed.
    journal: Option<(Journal, u64)>,
}

/// Goes on where the program before crashed.
pub(crate) fn resume(
    mut inherited: BTreeMap<i32, OwnedFd>,
    mut again: Again,
    facts: Facts,
    signals: SignalFd,
    mut stopwatch: Stopwatch,
) -> Result<Manager, Lost> {
    crate::fault::place("starting");
    stopwatch.lap("starting");
    let brought = match bring(&mut inherited, &mut again) {
        Ok(brought) => brought,
        Err(reason) => {
            let lost = Lost::the_list(reason, inherited.into_values().collect());
            return Err(lost.with(again.into_parts()));
        }
    };
    stopwatch.lap("journal");
    let taken = match FdStore::inherit_changed(inherited, brought.manifest, brought.changes) {
        Ok(taken) => taken,
        Err(error) => {
            let descriptors = error.descriptors.into_values().collect();
            let lost = Lost::the_list(error.reason.to_string(), descriptors);
            return Err(lost.with(again.into_parts()));
        }
    };
    for aside in &taken.quarantined {
        match aside.fd {
            Some(_) => warn!("descriptor put aside: {aside}"),
            // It was being closed.
            None => debug!("descriptor gone: {aside}"),
        }
    }
    stopwatch.lap("descriptors");
    crate::fault::place("go-on");
    match brought.replayed {
        Ok(replayed) => manager(replayed, brought.journal, taken, again, facts, signals, stopwatch),
        Err(reason) => Err(Lost::the_state(reason, taken.store, taken.unclaimed).with(again.into_parts())),
    }
}

/// Reads the journal, as far as it is believed, and does again what it says.
fn bring(inherited: &mut BTreeMap<i32, OwnedFd>, again: &mut Again) -> Result<Brought, String> {
    let trust = again.tries.trust();
    if matches!(trust, Trust::Nothing | Trust::GiveUp) {
        return Err(again.tries.reason());
    }
    let records = journal::read(again.log()).map_err(|error| error.to_string())?;
    if trust == Trust::Manifest {
        let begin = replay::begin(&records)?;
        return Ok(Brought {
            manifest: again.keep_manifest(inherited, begin.manifest)?,
            changes: Vec::new(),
            replayed: Err(again.tries.reason()),
            journal: None,
        });
    }
    let mut parts = replay::parts(&records)?;
    let manifest = again.keep_manifest(inherited, parts.begin.manifest)?;
    again.keep(inherited, parts.begin.base.numbers());
    let changes = std::mem::take(&mut parts.changes);
    let replayed = match trust {
        Trust::Descriptors => Err(again.tries.reason()),
        trust => {
            let done = catch_unwind(AssertUnwindSafe(|| {
                replay::replay(parts, trust, |number| again.kept(number))
            }));
            done.unwrap_or_else(|_| Err("the journal leads to an internal error".to_owned()))
        }
    };
    if replayed.is_ok()
        && let Err(error) = again.replayed()
    {
        warn!("another crash would count against what the journal says: {error}");
    }
    // Or its end would be read once more.
    let journal = match trust {
        Trust::All => {
            let log = again.log().try_clone_to_owned();
            let journal = log.and_then(|log| Journal::go_on(log, &records));
            journal.ok().zip(again.base_bytes().ok())
        }
        _ => None,
    };
    Ok(Brought {
        manifest,
        changes,
        replayed,
        journal,
    })
}

fn manager(
    replayed: Replayed,
    journal: Option<(Journal, u64)>,
    mut taken: Inherited,
    again: Again,
    facts: Facts,
    signals: SignalFd,
    mut stopwatch: Stopwatch,
) -> Result<Manager, Lost> {
    let Replayed {
        engine,
        state,
        unfinished,
        lost_clients,
        verifier,
        steps,
        acted,
        anew,
        just_in_charge,
    } = replayed;
    let own = Facts {
        program: state.program,
        started: state.started,
        boot_finished: state.boot_finished,
        reexecs: state.reexecs,
        service_nofile: state.service_nofile,
        ..facts
    };
    let notify = match notify_socket(&taken.store) {
        Ok(notify) => notify,
        Err(reason) => {
            return Err(Lost::the_state(reason, taken.store, taken.unclaimed).with(again.into_parts()));
        }
    };
    // What is put in from here on the journal does not say yet.
    taken.store.record_changes();
    let assembled = Manager::assemble(run::Parts {
        engine,
        store: taken.store,
        signals,
        notify,
        facts: own,
    });
    let mut manager = match assembled {
        Ok(manager) => manager,
        Err(mut lost) => {
            lost.left_open.extend(taken.unclaimed);
            return Err(lost.with(again.into_parts()));
        }
    };
    if manager.facts.boot_finished.is_none() {
        // Among them may be what this boot was given and nobody has claimed yet.
        manager.adoptable = taken.unclaimed;
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
    manager.carried = state.carried;
    manager.cycles = state.cycles;
    stopwatch.lap("manager");
    let why = &again.why;
    error!("softbootd crashed ({why}) and goes on; {steps} steps of the engine were done again");
    if again.tries.trust() != Trust::All {
        error!("what it did last is lost: going on from it has crashed as well");
    }
    let sent = was_sent(why);
    let (tries, held) = again.into_parts();
    manager.recorder.crashed(&tries, held);
    manager.recorder.anew = anew;
    manager.go_on(Crashed {
        unfinished,
        acted,
        sent,
        lost_clients,
        verifier,
        journal,
    });
    if just_in_charge {
        manager.answer_reexec_waiters();
    }
    manager.answer_handoff_waiters();
    stopwatch.lap("going on");
    let report = stopwatch.report("crash");
    info!("going on took {} us", report.took_usec);
    manager.note_taken_over(report);
    manager.give_back_soon();
    Ok(manager)
}

/// Its duplicate, for the receiver.
pub(crate) fn notify_socket(store: &FdStore) -> Result<Receiver, String> {
    let name = fdstore::FdName::new(owner::NOTIFY).map_err(|error| error.to_string())?;
    let fd = store
        .find(owner::MANAGER, &name)
        .and_then(|entry| store.fd(entry));
    fd.and_then(|fd| fd.try_clone_to_owned().ok())
        .map(Receiver::from_fd)
        .ok_or_else(|| "the notification socket did not come over".to_owned())
}
