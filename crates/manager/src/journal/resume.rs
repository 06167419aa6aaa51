//! The program after a crash.

use std::collections::BTreeMap;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use fdstore::FdStore;
use fdstore::notify::Receiver;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use softboot_control::api::ApiError;
use softboot_engine::{Action, Event, Now, ProcId, Spawn};
use softboot_reexec::journal::{self, Records};
use softboot_sys::crash;
use softboot_sys::signals::SignalFd;
use softboot_unit::{UnitName, Usec};
use tracing::{debug, error, info, warn};

use super::record::{Entry, Unfinished};
use super::replay::{Parts, Replayed, Trust, parts, replay};
use super::write::{Inert, Start, VARIABLE, arm_own};
use crate::client::{Client, Waiting};
use crate::handoff::Stopwatch;
use crate::owner::Role;
use crate::process::{Process, Processes};
use crate::run::{self, Facts, Manager};
use crate::{cgroup, clock, owner};

/// More crashes than this in [`CRASH_TIME`] lead to safe mode.
const CRASHES: usize = 5;
/// So many programs in a row may crash between their start and a journal of their own.
const ATTEMPTS: usize = 20;
const CRASH_TIME: Usec = Usec::from_secs(60);

/// The journal of the program before, to be read again if this one crashes before it has its own.
pub(crate) struct Again {
    log: OwnedFd,
    /// Without it another crash stops PID 1.
    _program: Option<OwnedFd>,
}

impl Again {
    /// From now on a crash leads to another try. `None` when this program does not come after a crash.
    pub(crate) fn arm(inherited: &mut BTreeMap<i32, OwnedFd>) -> Option<Again> {
        let number = std::env::var(VARIABLE).ok()?.parse().ok()?;
        inherited
            .values()
            .for_each(|fd| crash::note_descriptor(fd.as_fd()));
        let log = inherited.remove(&number)?;
        let _program = arm_own(number).ok();
        Some(Again { log, _program })
    }
}

/// What is left when nobody can go on from the journal.
pub(crate) struct Lost {
    /// Why.
    pub(crate) reason: String,
    /// Descriptors need no journal to be what they are, beside the list of them.
    pub(crate) store: Box<FdStore>,
}

impl Lost {
    /// No descriptor came over either.
    pub(crate) fn everything(reason: String) -> Lost {
        let store = Box::default();
        Lost { reason, store }
    }
}

/// Goes on where the program before crashed.
pub(crate) fn resume(
    mut inherited: BTreeMap<i32, OwnedFd>,
    again: Again,
    why: &str,
    facts: Facts,
    signals: SignalFd,
    mut stopwatch: Stopwatch,
) -> Result<Manager, Lost> {
    stopwatch.lap("starting");
    let records = journal::read(again.log.as_fd()).map_err(|error| Lost::everything(error.to_string()))?;
    let mut parts = read(&records, &again.log, why).map_err(Lost::everything)?;
    // The numbers in the journal stay open until there is a new one, in case of another crash.
    let (manifest, number) = duplicate(&mut inherited, parts.begin.manifest).map_err(Lost::everything)?;
    let held: BTreeMap<i32, OwnedFd> = parts
        .begin
        .base
        .numbers()
        .into_iter()
        .filter_map(|number| Some((number, inherited.remove(&number)?)))
        .collect();
    let (mut crashes, was_safe) = (parts.begin.crashes.clone(), parts.begin.safe_mode);
    let (changes, trust) = (std::mem::take(&mut parts.changes), trust(&parts));
    let replayed = trust.and_then(|trust| {
        let done = catch_unwind(AssertUnwindSafe(|| {
            replay(parts, trust, |number| take_held(&held, number))
        }));
        let done = done.unwrap_or_else(|_| Err("the journal leads to an internal error".to_owned()));
        done.and_then(|replayed| mark(&again.log, &Entry::Replayed).map(|()| (replayed, trust)))
    });
    stopwatch.lap("journal");
    let taken = FdStore::inherit_changed(inherited, number, changes)
        .map_err(|error| Lost::everything(error.to_string()))?;
    for aside in &taken.quarantined {
        match aside.fd {
            Some(_) => warn!("descriptor put aside: {aside}"),
            // It was being closed.
            None => debug!("descriptor gone: {aside}"),
        }
    }
    stopwatch.lap("descriptors");
    crate::fault::place("go-on");
    let store = taken.store;
    let (replayed, trust) = match replayed {
        Ok(replayed) => replayed,
        Err(reason) => {
            let store = Box::new(store);
            return Err(Lost { reason, store });
        }
    };
    let Replayed {
        engine,
        state,
        unfinished,
        lost_clients,
        verifier,
        steps,
        just_in_charge,
    } = replayed;
    let notify = notify_socket(&store).map_err(Lost::everything)?;
    let own = Facts {
        program: state.program,
        started: state.started,
        boot_finished: state.boot_finished,
        reexecs: state.reexecs,
        service_nofile: state.service_nofile,
        ..facts
    };
    let mut manager = Manager::assemble(run::Parts {
        engine,
        store,
        signals,
        notify,
        facts: own,
    })
    .map_err(Lost::everything)?;
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
    let now = clock::monotonic();
    crashes.retain(|crash| now.minus(*crash) < CRASH_TIME);
    crashes.push(now);
    manager.recorder.safe_mode = was_safe || crashes.len() > CRASHES;
    manager.recorder.crashes = crashes;
    error!("softbootd crashed ({why}) and goes on; {steps} steps of the engine were done again");
    if trust != Trust::All {
        error!("what it did last is lost: going on from it has crashed as well");
    }
    manager.go_on(unfinished, was_sent(why), lost_clients, verifier);
    if just_in_charge {
        manager.answer_reexec_waiters();
    }
    manager.answer_handoff_waiters();
    drop((again, manifest, held));
    stopwatch.lap("going on");
    let report = stopwatch.report("crash");
    info!("going on took {} us", report.took_usec);
    manager.note_taken_over(report);
    manager.give_back_soon();
    Ok(manager)
}

/// Takes the journal apart, and marks it before anything that may crash again.
fn read<'t>(records: &'t Records, log: &OwnedFd, why: &str) -> Result<Parts<'t>, String> {
    let mut parts = parts(records)?;
    if parts.in_vain > 0 && was_sent(why) {
        // Somebody sent the signal to the program before this one; that is nothing against the journal.
        mark(log, &Entry::Replayed)?;
        parts.in_vain -= 1;
    }
    mark(log, &Entry::Resumed)?;
    Ok(parts)
}

/// Whether the signal came from a process other than PID 1, as a kill(1) does.
fn was_sent(why: &str) -> bool {
    let sender = why.rsplit_once(" from process ").map(|(_, sender)| sender);
    sender.is_some_and(|sender| sender != "1")
}

fn trust(parts: &Parts<'_>) -> Result<Trust, String> {
    if parts.attempts >= ATTEMPTS {
        return Err(format!("{ATTEMPTS} programs before this one have tried in vain"));
    }
    match parts.in_vain {
        0 => Ok(Trust::All),
        1 => Ok(Trust::NotTheLastStep),
        2 => Ok(Trust::NotTheQueue),
        times => Err(format!("going on from the journal has crashed {times} times")),
    }
}

/// Puts a duplicate in the place of a descriptor, and gives the descriptor and the duplicate's number.
fn duplicate(inherited: &mut BTreeMap<i32, OwnedFd>, number: i32) -> Result<(OwnedFd, i32), String> {
    let fd = inherited
        .remove(&number)
        .ok_or_else(|| format!("descriptor {number}, the manifest, is not open"))?;
    let copy = fd.try_clone().map_err(|error| error.to_string())?;
    let at = copy.as_raw_fd();
    inherited.insert(at, copy);
    Ok((fd, at))
}

fn take_held(held: &BTreeMap<i32, OwnedFd>, number: i32) -> Result<OwnedFd, String> {
    let fd = held
        .get(&number)
        .ok_or_else(|| format!("descriptor {number} is not open"))?;
    fd.try_clone().map_err(|error| error.to_string())
}

fn mark(log: &OwnedFd, mark: &Entry<'_>) -> Result<(), String> {
    let line = serde_json::to_vec(&[mark]).map_err(|error| error.to_string())?;
    journal::append_to(log.as_fd(), &line).map_err(|error| format!("marking the journal: {error}"))
}

/// Its duplicate, for the receiver.
pub(crate) fn notify_socket(store: &FdStore) -> Result<Receiver, String> {
    let name = fdstore::FdName::new("notify").map_err(|error| error.to_string())?;
    let fd = store
        .find(owner::MANAGER, &name)
        .and_then(|entry| store.fd(entry));
    fd.and_then(|fd| fd.try_clone_to_owned().ok())
        .map(Receiver::from_fd)
        .ok_or_else(|| "the notification socket did not come over".to_owned())
}

impl Manager {
    fn go_on(
        &mut self,
        mut unfinished: Unfinished,
        sent: bool,
        lost_clients: Vec<(u64, Client)>,
        verifier: Option<i32>,
    ) {
        // A signal that somebody sent is nothing against the action.
        unfinished.attempts = unfinished.attempts.saturating_add(u32::from(!sent));
        let (doubtful, step) = (unfinished.attempts > 1, unfinished.step);
        self.objective = unfinished.objective;
        self.set_pending(unfinished.pending.clone());
        // From here on a crash finds what has been found out so far.
        self.begin_journal_with(Start::Image, &unfinished);
        // Nobody knows any more which are newer than what was written.
        self.all_definitions_changed();
        let Unfinished { todo, final_kill, .. } = unfinished;
        self.engine.collect_garbage();
        let armed = self.engine.armed(clock::now());
        for action in armed {
            self.obey(action);
        }
        for (id, client) in lost_clients {
            self.forget_client(id, &client);
        }
        if let Some(pid) = verifier.and_then(Pid::from_raw) {
            // Its answer has nobody to go to. It is a child that nobody has reaped, so the number is still its own.
            let _ = kill_process(pid, Signal::KILL);
        }
        self.finish_step(todo, doubtful, step);
        if let Some(spare) = final_kill {
            self.begin_final_kill(&spare);
        }
        crate::fault::place("gone-on");
        self.catch_up();
        let asked = |event: &Event| matches!(event, Event::Request { .. });
        let begun = self.engine.boot_requested() || self.pending_events().iter().any(asked);
        if !begun && self.objective.is_none() && self.final_kill.is_none() {
            // The program before was about to.
            self.clients.soft_reboot_has_come();
            self.request_default();
        }
        self.give_back_old_signals();
        if self.recorder.safe_mode {
            self.enter_safe_mode();
        }
    }

    /// The actions that the program before had still to do. It may have crashed in the middle of the first.
    fn finish_step(&mut self, todo: Vec<Action>, doubtful: bool, last_step: Option<Now>) {
        for (place, action) in todo.into_iter().enumerate() {
            let inert = Inert::from(&action);
            match action {
                Action::Spawn(spawn) if place == 0 => self.finish_spawn(&spawn, doubtful, last_step),
                other if place == 0 && doubtful => {
                    error!("softbootd crashes whenever it does this, so it is left out: {other:?}");
                }
                other => self.obey(other),
            }
            self.journal_acted(place.saturating_add(1), inert);
        }
        self.journal_done();
    }

    /// A process that was being started: it may be there, and nobody knows.
    fn finish_spawn(&mut self, spawn: &Spawn, doubtful: bool, last_step: Option<Now>) {
        if let Some(known) = self.processes.get(spawn.process) {
            let pid = known.pid;
            self.feed(Event::Spawned {
                process: spawn.process,
                pid,
            });
            return;
        }
        let Some(name) = self.engine.name(spawn.unit).cloned() else {
            return;
        };
        if let Some(pid) = last_step.and_then(|step| self.unknown_process(&name, step)) {
            match self.take_process(spawn.process, &name, pid) {
                Ok(()) => return info!("{name}: process {pid} was being started and is there"),
                Err(error) => warn!("{name}: process {pid} is there and cannot be taken over: {error}"),
            }
        }
        if doubtful {
            self.feed(Event::SpawnFailed {
                process: spawn.process,
                error: "softbootd crashes whenever it starts this".to_owned(),
                code: 203,
            });
            return;
        }
        self.spawn(spawn);
    }

    /// A child of ours in the unit's cgroup that came after the step began and that the table does not have. It may have
    /// ended already: nobody has reaped it, so it is there, but its cgroup does not list it any more.
    fn unknown_process(&self, name: &UnitName, step: Now) -> Option<i32> {
        let path = self.cgroups.path(&self.cgroup_of(name)?);
        // Clock ticks of a hundredth of a second (proc_pid_stat(5), starttime).
        let earliest = step.boottime.0 / 10_000;
        let is_unknown = |pid: &i32| {
            self.processes.find_pid(*pid).is_none()
                && crate::process::stat(*pid).is_some_and(|stat| stat.parent == 1 && stat.started >= earliest)
        };
        let is_here = |pid: &i32| {
            let group = cgroup::of_process(*pid);
            group.is_some_and(|group| cgroup::absolute(group.trim_end_matches(" (deleted)")) == path)
        };
        let alive: Vec<i32> = cgroup::processes(&path).into_iter().filter(is_unknown).collect();
        let mut unknown = match alive.is_empty() {
            false => alive,
            true => crate::process::all()
                .into_iter()
                .filter(is_unknown)
                .filter(is_here)
                .collect(),
        };
        let found = unknown.pop();
        found.filter(|_| unknown.is_empty())
    }

    fn take_process(&mut self, process: ProcId, unit: &UnitName, pid: i32) -> Result<(), String> {
        let number = Pid::from_raw(pid).ok_or("no process has this number")?;
        let pidfd = pidfd_open(number, PidfdFlags::empty()).map_err(|error| error.to_string())?;
        let pidfd = self.keep(&Role::Process.of(unit), &process.0.to_string(), pidfd)?;
        let known = Process {
            unit: unit.clone(),
            pid,
            alien: false,
            exec_pending: false,
            failed: false,
            pidfd,
            exec_status: None,
        };
        self.processes.insert(process, known);
        self.feed(Event::Spawned { process, pid });
        self.feed(Event::Executed { process });
        Ok(())
    }

    /// A client whose stream nobody knows the place of any more is closed: it asks again.
    fn forget_client(&mut self, id: u64, client: &Client) {
        self.clients.by_id.insert(id, client.clone());
        self.drop_client(id);
    }

    /// A handoff that was being prepared is not any more.
    fn answer_handoff_waiters(&mut self) {
        let waiting = self
            .clients
            .waiting_for(|waiting| matches!(waiting, Waiting::Verification { .. } | Waiting::Reexec));
        let reason = "softbootd crashed while it prepared the handoff, and went on; ask again".to_owned();
        for (client, _) in waiting {
            let message = "handoff refused".to_owned();
            let reasons = vec![reason.clone()];
            self.finish_error(client, &ApiError::HandoffRefused { reasons, message });
        }
    }

    fn enter_safe_mode(&mut self) {
        error!(
            "more than {CRASHES} crashes in {CRASH_TIME}: safe mode. What runs is watched over, and only jobs that \
             somebody asks for are run. daemon-reexec ends it."
        );
        self.feed(Event::SafeMode(true));
    }
}
