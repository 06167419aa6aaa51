//! After the replay: what was not done is done, and this program is in charge.

use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use softboot_control::api::ApiError;
use softboot_engine::{Action, Event, Now, ProcId, Spawn};
use softboot_reexec::journal::Journal;
use softboot_unit::UnitName;
use tracing::{error, info, warn};

use super::record::Unfinished;
use super::tries::{CRASH_TIME, CRASHES};
use super::write::{Inert, Start};
use crate::client::{Client, Waiting};
use crate::owner::Role;
use crate::process::Process;
use crate::run::Manager;
use crate::{cgroup, clock};

/// Where the program before has crashed.
pub(super) struct Crashed {
    pub(super) unfinished: Unfinished,
    /// Actions of the last step that were done.
    pub(super) acted: usize,
    /// Somebody has sent the signal.
    pub(super) sent: bool,
    pub(super) lost_clients: Vec<(u64, Client)>,
    pub(super) verifier: Option<i32>,
    /// Its journal and how much that is about, in bytes, if all of it was believed.
    pub(super) journal: Option<(Journal, u64)>,
}

impl Manager {
    pub(super) fn go_on(&mut self, crashed: Crashed) {
        let Crashed {
            mut unfinished,
            mut acted,
            sent,
            lost_clients,
            verifier,
            journal,
        } = crashed;
        // A signal that somebody sent is nothing against the action.
        unfinished.attempts = unfinished.attempts.saturating_add(u32::from(!sent));
        let (doubtful, step) = (unfinished.attempts > 1, unfinished.step);
        self.objective = unfinished.objective;
        self.set_pending(unfinished.pending.clone());
        // From here on a crash finds what has been found out so far. A copy of everything would take as long as all the rest.
        let goes_on = journal.map(|(journal, bytes)| self.go_on_writing(journal, bytes, unfinished.attempts));
        if !matches!(goes_on, Some(Ok(()))) {
            acted = 0;
            self.begin_journal_with(Start::Image, &unfinished);
        }
        // Nobody knows any more which are newer than what was written.
        self.all_definitions_changed();
        if self.recorder.anew && self.facts.boot_finished.is_none() {
            self.look_for_unclaimed();
        }
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
            // Another crash must not kill whoever has the number then.
            self.journal_verifier(None);
        }
        self.finish_step(todo, acted, doubtful, step);
        if let Some(spare) = final_kill {
            self.begin_final_kill(&spare);
        }
        crate::fault::place("gone-on");
        self.catch_up();
        let begun = self.boot_is_asked_for();
        let anew_in_safe_mode = self.recorder.anew && self.recorder.safe_mode();
        if !begun && !anew_in_safe_mode && self.objective.is_none() && self.final_kill.is_none() {
            // The program before was about to.
            self.clients.soft_reboot_has_come();
            self.request_default();
        }
        self.give_back_old_signals();
        if self.recorder.safe_mode() {
            self.enter_safe_mode();
        }
    }

    /// Of this userspace. One that was given up is booted again.
    fn boot_is_asked_for(&self) -> bool {
        let pending = self.pending_events();
        let given_up = |event: &Event| matches!(event, Event::ObjectiveAborted { .. });
        let given_up = pending.iter().rposition(given_up);
        let asked = |event: &Event| matches!(event, Event::Request { .. });
        let asked = pending.iter().skip(given_up.unwrap_or(0)).any(asked);
        asked || (given_up.is_none() && self.engine.boot_requested())
    }

    /// The actions that the program before had still to do. It may have crashed in the middle of the first.
    fn finish_step(&mut self, todo: Vec<Action>, acted: usize, doubtful: bool, last_step: Option<Now>) {
        for (place, action) in todo.into_iter().enumerate() {
            let inert = Inert::from(&action);
            match action {
                Action::Spawn(spawn) if place == 0 => self.finish_spawn(&spawn, doubtful, last_step),
                other if place == 0 && doubtful => {
                    error!("softbootd crashes whenever it does this, so it is left out: {other:?}");
                }
                other => self.obey(other),
            }
            self.journal_acted(acted.saturating_add(place).saturating_add(1), inert);
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

    pub(crate) fn take_process(&mut self, process: ProcId, unit: &UnitName, pid: i32) -> Result<(), String> {
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
    pub(super) fn answer_handoff_waiters(&mut self) {
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

    pub(crate) fn enter_safe_mode(&mut self) {
        error!(
            "more than {CRASHES} crashes in {CRASH_TIME}: safe mode. What runs is watched over, and only jobs that \
             somebody asks for are run. daemon-reexec ends it."
        );
        self.feed(Event::SafeMode(true));
    }
}
