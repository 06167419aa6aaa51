//! Writing.

use super::{SavedEngine, SavedJob, SavedUnit};
use crate::engine::Engine;
use crate::event::{JobId, UnitId};
use crate::jobs::Job;
use crate::service::Service;
use crate::units::{Machine, Unit};

impl Engine {
    /// The state as it is between two steps, with the definitions of what a new userspace may not have a file for.
    pub fn save(&self) -> SavedEngine {
        self.save_with(true)
    }

    /// The same for a program that gets all definitions beside it.
    pub fn save_beside_definitions(&self) -> SavedEngine {
        self.save_with(false)
    }

    fn save_with(&self, definitions: bool) -> SavedEngine {
        let name = |unit: &UnitId| self.units[*unit].name().clone();
        SavedEngine {
            units: self
                .units
                .iter()
                .map(|(id, unit)| {
                    // The next userspace has said that it has this one.
                    let known = self.staying.contains(&id) && self.is_soft_rebooting();
                    save_unit(unit, definitions && !known)
                })
                .collect(),
            jobs: self.jobs.iter().map(|(id, job)| self.save_job(id, job)).collect(),
            last_job: self.jobs.last(),
            processes: self
                .processes
                .iter()
                .map(|(id, unit)| (*id, name(unit)))
                .collect(),
            next_process: self.next_process,
            deferred: self.deferred.iter().map(name).collect(),
            staying: self.staying.iter().map(name).collect(),
            fresh: self
                .fresh
                .iter()
                .filter_map(|unit| self.name(*unit).cloned())
                .collect(),
            retry: self.retry,
            ending: self.ending.clone(),
            soft_reboots: self.soft_reboots,
            boot_requested: self.boot_requested,
            boot_finished: self.boot_finished,
            ctrl_alt_del: self.ctrl_alt_del.clone(),
        }
    }

    fn save_job(&self, id: JobId, job: &Job) -> SavedJob {
        SavedJob {
            id,
            unit: self.units[job.unit].name().clone(),
            kind: job.kind,
            running: job.running,
            irreversible: job.irreversible,
            ignore_order: job.ignore_order,
            no_late_merge: job.no_late_merge,
            requests: job.requests.clone(),
            begin: job.begin,
            deadline: job.deadline,
            urgent: self.jobs.is_urgent(id),
        }
    }
}

fn save_unit(unit: &Unit, definitions: bool) -> SavedUnit {
    let (mut service, mut socket, mut mount, mut on) = (None, None, None, false);
    match &unit.machine {
        Machine::Service(machine) => {
            service = (!machine.is_usual()).then(|| Box::new(Service::clone(machine)));
        }
        Machine::Socket(machine) => socket = changed(machine),
        Machine::Mount(machine) => mount = changed(machine),
        Machine::Plain { on: state } => on = *state,
    }
    SavedUnit {
        name: unit.name().clone(),
        definition: (definitions && holds_something(unit))
            .then(|| Box::new(unit.definition.as_ref().clone())),
        service,
        socket,
        mount,
        on,
        checking: unit.checking,
        start_limit: unit.start_limit,
        automatic_limit: unit.automatic_limit,
        changed_realtime: unit.changed_realtime,
        changed_monotonic: unit.changed_monotonic,
    }
}

/// Processes, descriptors, a mount: what lives on whatever files there are.
pub(super) fn holds_something(unit: &Unit) -> bool {
    match &unit.machine {
        Machine::Service(service) => service.has_processes() || service.stored_fds > 0,
        Machine::Socket(_) | Machine::Mount(_) => !unit.active().is_inactive_ish(),
        Machine::Plain { .. } => false,
    }
}

/// A machine that is not as a fresh one is.
fn changed<M: Clone + Default + PartialEq>(machine: &M) -> Option<M> {
    (*machine != M::default()).then(|| machine.clone())
}
