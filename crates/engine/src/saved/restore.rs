//! Reading, and what each kind of exec changes.
//!
//! | | re-exec | soft-reboot |
//! |---|---|---|
//! | jobs | go on, same ids, same deadlines | dropped, who waits is told `canceled` |
//! | services with processes | as they were | as they were (they are the survivors) |
//! | other services | as they were | inactive, failed or pinned |
//! | sockets | as they were | as they were; `running` without its service: listening |
//! | targets, slices | as they were | inactive, but for slices of units that are up |
//! | end under way | goes on | over |

use std::collections::{BTreeSet, HashMap};

use softboot_unit::{Definition, KindSection, LoadState, UnitKind, UnitName};

use super::{SavedEngine, SavedJob, SavedUnit, Table};
use crate::action::Action;
use crate::control::Control;
use crate::engine::{Engine, RetryFlag};
use crate::event::{Now, TimerId, TimerKind, UnitId};
use crate::jobs::Job;
use crate::service::{Service, ServiceState};
use crate::socket::SocketState;
use crate::state::{JobKind, JobResult};
use crate::units::{Machine, not_found};

/// What kind of exec lies between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// The same userspace, a new program.
    Reexec,
    /// A new userspace.
    SoftReboot,
}

impl Engine {
    /// The engine that [`Engine::save`] saw, with the actions that make the manager follow it.
    pub fn restore(
        saved: SavedEngine,
        definitions: Vec<Definition>,
        now: Now,
        how: Resume,
    ) -> (Engine, Vec<Action>) {
        let mut engine = Engine::new();
        engine.now = now;
        let moved = engine.load_saved(&saved.units, definitions, how);
        engine.fill(saved, &moved, how)
    }

    /// The same for a re-exec, with a table of those definitions that were written beside, and the newer ones.
    pub fn restore_beside(
        saved: SavedEngine,
        table: Table,
        newer: Vec<Definition>,
        now: Now,
    ) -> (Engine, Vec<Action>) {
        match table.fit(&saved.units, newer) {
            Ok(units) => {
                let mut engine = Engine::new();
                engine.now = now;
                engine.units = units;
                engine.fill(saved, &[], Resume::Reexec)
            }
            Err(definitions) => Engine::restore(saved, definitions, now, Resume::Reexec),
        }
    }

    /// Everything but the definitions, and what becomes of it.
    fn fill(mut self, saved: SavedEngine, moved: &[UnitName], how: Resume) -> (Engine, Vec<Action>) {
        let engine = &mut self;
        let SavedEngine {
            units,
            jobs,
            processes,
            deferred,
            staying,
            fresh,
            ..
        } = saved;
        engine.next_process = saved.next_process.max(1);
        engine.jobs.continue_after(saved.last_job);
        engine.soft_reboots = saved.soft_reboots;
        for unit in units {
            engine.restore_unit(unit);
        }
        for (id, name) in processes {
            if let Some(unit) = engine.units.find(&name) {
                engine.processes.insert(id, unit);
            }
        }
        engine.deferred = deferred
            .iter()
            .filter_map(|name| engine.units.find(name))
            .collect();
        match how {
            Resume::Reexec => {
                engine.retry = saved.retry;
                engine.staying = staying
                    .iter()
                    .filter_map(|name| engine.units.find(name))
                    .collect();
                engine.fresh = fresh.iter().filter_map(|name| engine.units.find(name)).collect();
                engine.ending = saved.ending;
                engine.boot_requested = saved.boot_requested;
                engine.boot_finished = saved.boot_finished;
                engine.ctrl_alt_del = saved.ctrl_alt_del;
                for job in jobs {
                    engine.restore_job(job);
                }
            }
            Resume::SoftReboot => {
                engine.soft_reboots = engine.soft_reboots.saturating_add(1);
                // A conflict of the old userspace is over, so what was deferred may try.
                engine.retry = RetryFlag::Yes;
                for request in jobs.into_iter().flat_map(|job| job.requests) {
                    engine.act(Action::RequestDone {
                        request,
                        outcome: Ok(JobResult::Canceled),
                    });
                }
                engine.end_userspace();
                engine.begin_userspace();
                engine.reconcile(moved);
            }
        }
        engine.rearm(None);
        let actions = engine.take_actions();
        (self, actions)
    }

    /// Puts units into the table in their old order, then the new ones. Returns sockets whose ports are others now.
    fn load_saved(
        &mut self,
        saved: &[SavedUnit],
        definitions: Vec<Definition>,
        how: Resume,
    ) -> Vec<UnitName> {
        let order: Vec<UnitName> = definitions
            .iter()
            .map(|definition| definition.name.clone())
            .collect();
        let aliases: BTreeSet<UnitName> = definitions
            .iter()
            .flat_map(|d| d.aliases.iter().cloned())
            .collect();
        let mut places: HashMap<UnitName, usize> = order.iter().cloned().zip(0..).collect();
        let mut definitions: Vec<Option<Definition>> = definitions.into_iter().map(Some).collect();
        let mut take = |name: &UnitName| definitions.get_mut(places.remove(name)?)?.take();
        let (mut list, mut moved) = (Vec::new(), Vec::new());
        for unit in saved {
            let found = take(&unit.name);
            if let (Some(found), Some(old)) = (&found, &unit.definition)
                && found.load == LoadState::Loaded
                && has_other_ports(old, found)
            {
                moved.push(unit.name.clone());
            }
            let old = unit
                .definition
                .as_ref()
                .map(|definition| definition.as_ref().clone());
            let definition = match (found, old) {
                (Some(found), Some(old)) if found.load != LoadState::Loaded => keep_settings(found, old),
                (Some(found), _) => found,
                // Its old name is another name of a unit now.
                (None, _) if aliases.contains(&unit.name) => continue,
                (None, Some(old)) if how == Resume::SoftReboot => keep_settings(not_found(&unit.name), old),
                (None, Some(old)) => old,
                // A new root that does not know an idle unit: nothing of it remains.
                (None, None) if how == Resume::SoftReboot => continue,
                (None, None) => not_found(&unit.name),
            };
            list.push(definition);
        }
        list.extend(order.iter().filter_map(take));
        self.units.load(list);
        moved
    }

    /// An open socket that the next userspace configures with other ports: what it no longer has is closed, what is new is
    /// opened.
    pub(super) fn reconcile(&mut self, moved: &[UnitName]) {
        for name in moved {
            let unit = self.units.find(name);
            if let Some(unit) = unit.filter(|unit| self.socket_state(*unit).has_ports()) {
                self.act(Action::ReconcileSockets { unit });
            }
        }
    }

    fn restore_unit(&mut self, saved: SavedUnit) {
        let Some(id) = self.units.find(&saved.name) else {
            return;
        };
        let unit = &mut self.units[id];
        unit.start_limit = saved.start_limit;
        unit.automatic_limit = saved.automatic_limit;
        unit.changed_realtime = saved.changed_realtime;
        unit.changed_monotonic = saved.changed_monotonic;
        unit.checking = saved.checking;
        match (&mut unit.machine, saved.service, saved.socket, saved.mount) {
            (Machine::Service(service), Some(old), _, _) => *service = (*old).into(),
            (Machine::Socket(socket), _, Some(old), _) => *socket = old,
            (Machine::Mount(mount), _, _, Some(old)) => *mount = old,
            (Machine::Plain { on }, None, None, None) => *on = saved.on,
            _ => {}
        }
    }

    fn restore_job(&mut self, saved: SavedJob) {
        let Some(unit) = self.units.find(&saved.unit) else {
            return;
        };
        let job = Job {
            unit,
            kind: saved.kind,
            running: saved.running,
            irreversible: saved.irreversible,
            ignore_order: saved.ignore_order,
            no_late_merge: saved.no_late_merge,
            requests: saved.requests,
            begin: saved.begin,
            deadline: saved.deadline,
            cursor: 0,
        };
        self.jobs.insert(saved.id, job);
        if saved.urgent {
            self.jobs.hurry(saved.id);
        }
        if !saved.running {
            self.jobs.queue(saved.id);
        }
        let slots = &mut self.units[unit];
        if saved.kind == JobKind::Nop {
            slots.nop = Some(saved.id);
        } else {
            slots.job = Some(saved.id);
        }
    }

    /// The old userspace is over: what has no process or descriptor is as if never started (semantics trap 25).
    pub(super) fn end_userspace(&mut self) {
        let ids: Vec<UnitId> = self.units.ids().collect();
        for id in ids {
            let unit = &mut self.units[id];
            unit.checking = None;
            // Starts of the old userspace do not count in this one, or soft-reboots in quick succession would keep
            // services down (a difference from semantics 7.8).
            unit.start_limit.reset();
            unit.automatic_limit.reset();
            match &mut unit.machine {
                Machine::Plain { on } => *on = false,
                // One that never did anything has no state of its own.
                Machine::Service(service) if !service.is_usual() => end_without_process(service),
                Machine::Service(_) => {}
                Machine::Mount(mount) => mount.begin_userspace(),
                Machine::Socket(_) => {}
            }
        }
    }

    /// What lives on is part of the new one.
    pub(super) fn begin_userspace(&mut self) {
        let ids: Vec<UnitId> = self.units.ids().collect();
        for id in &ids {
            self.resume_socket(*id);
        }
        for id in ids {
            if !self.units[id].active().is_inactive_ish() {
                self.keep_slice(id);
            }
        }
    }

    fn resume_socket(&mut self, id: UnitId) {
        let Some(section) = self.socket_section(id) else {
            return;
        };
        let served = self
            .units
            .find(&section.service)
            .is_some_and(|service| self.units[service].is_up());
        let Some(socket) = self.socket_mut(id) else { return };
        match socket.state {
            SocketState::Running if !served => socket.state = SocketState::Listening,
            SocketState::Listening
            | SocketState::Running
            | SocketState::Deferred
            | SocketState::Dead
            | SocketState::Failed => {}
            // The manager does not answer any more to what it was asked before, and its commands are gone.
            _ => {
                socket.state = SocketState::Dead;
                socket.deadline = None;
                socket.control = Control::default();
                self.act(Action::CloseSockets { unit: id });
            }
        }
    }

    /// A unit that is up is in a slice that is up, and so are the slices above.
    fn keep_slice(&mut self, id: UnitId) {
        let slice = match &self.units[id].definition.kind {
            KindSection::Service(section) => section.slice.clone(),
            KindSection::Socket(section) => section.slice.clone(),
            KindSection::Mount(section) => section.slice.clone(),
            _ => return,
        };
        let mut next = Some(slice);
        while let Some(name) = next.take() {
            if let Some(unit) = self.units.find(&name)
                && let Machine::Plain { on } = &mut self.units[unit].machine
            {
                *on = true;
            }
            next = parent_slice(&name);
        }
    }

    /// The manager has no timers and watches no ports yet.
    /// `sockets` are those that the manager may not be watching, if it watches any.
    pub(super) fn rearm(&mut self, sockets: Option<&BTreeSet<UnitId>>) {
        let ids: Vec<UnitId> = self.units.ids().collect();
        for unit in ids {
            if self.waits_for_main(unit) {
                self.act(Action::FindMain { unit });
            }
            let (mut state, mut watchdog) = (None, None);
            match &self.units[unit].machine {
                Machine::Service(service) => {
                    (state, watchdog) = (service.state_deadline, service.watchdog_deadline);
                    if service.idles {
                        self.idle.insert(unit);
                    }
                }
                Machine::Socket(socket) => {
                    state = socket.deadline;
                    // At the end, too: whoever is readable then is told to rest.
                    let watched = sockets.is_some_and(|sockets| !sockets.contains(&unit));
                    if socket.state == SocketState::Listening && !watched && !self.rests(unit) {
                        self.act(Action::PollSockets { unit, on: true });
                    }
                }
                Machine::Mount(mount) => state = mount.deadline,
                Machine::Plain { .. } => {}
            }
            let job = self.units[unit]
                .job
                .and_then(|id| self.jobs.get(id))
                .and_then(|job| job.deadline);
            for (kind, at) in [
                (TimerKind::State, state),
                (TimerKind::Watchdog, watchdog),
                (TimerKind::Job, job),
            ] {
                if let Some(at) = at {
                    self.act(Action::ArmTimer {
                        timer: TimerId { unit, kind },
                        at,
                    });
                }
            }
        }
    }
}

fn end_without_process(service: &mut Service) {
    if service.main.is_some() || service.control.is_some() || !service.empty {
        return;
    }
    service.state_deadline = None;
    service.watchdog_deadline = None;
    if service.state != ServiceState::Failed {
        service.state = if service.stored_fds > 0 {
            ServiceState::DeadResourcesPinned
        } else {
            ServiceState::Dead
        };
    }
}

pub(super) fn has_other_ports(old: &Definition, new: &Definition) -> bool {
    match (&old.kind, &new.kind) {
        (KindSection::Socket(old), KindSection::Socket(new)) => old.ports != new.ports,
        _ => false,
    }
}

/// A unit without a file, with the settings under which it was started.
fn keep_settings(found: Definition, old: Definition) -> Definition {
    let mut kept = found;
    kept.kind = old.kind;
    kept.unit.description = old.unit.description;
    kept.unit.survive_final_kill_signal = old.unit.survive_final_kill_signal;
    kept.unit.ignore_on_isolate = old.unit.ignore_on_isolate;
    kept
}

/// `a-b.slice` is below `a.slice`, and that below `-.slice`.
fn parent_slice(name: &UnitName) -> Option<UnitName> {
    if name.kind() != UnitKind::Slice || name.stem() == "-" {
        return None;
    }
    let parent = name.stem().rsplit_once('-').map_or("-", |(parent, _)| parent);
    UnitName::new(&format!("{parent}.slice")).ok()
}
