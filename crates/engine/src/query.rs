//! What can be asked of the engine.

use std::sync::Arc;

use softboot_unit::{Definition, UnitName};

use crate::engine::Engine;
use crate::event::{JobId, ProcId, UnitId};
use crate::state::{ActiveState, JobKind, UnitStatus};
use crate::units::{Machine, Related, Relation, Unit};

/// A job for people and clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobInfo {
    /// Its number.
    pub id: JobId,
    /// Whose.
    pub unit: UnitId,
    /// What kind.
    pub kind: JobKind,
    /// Begun, as against waiting.
    pub running: bool,
    /// Only Cancel can take it back.
    pub irreversible: bool,
}

impl Engine {
    /// Whether the unit's cgroup may have processes: false when it has been seen empty and nothing was started since.
    pub fn may_have_processes(&self, unit: UnitId) -> bool {
        match &self.units[unit].machine {
            Machine::Service(service) => service.has_processes(),
            Machine::Socket(socket) => !socket.control.empty,
            Machine::Mount(mount) => !mount.control.empty,
            Machine::Plain { .. } => false,
        }
    }

    /// The unit of that name or alias.
    pub fn unit(&self, name: &UnitName) -> Option<UnitId> {
        self.units.find(name)
    }

    /// A unit's canonical name.
    pub fn name(&self, unit: UnitId) -> Option<&UnitName> {
        self.units.contains(unit).then(|| self.units[unit].name())
    }

    /// Whether a unit is up, down or between.
    pub fn active(&self, unit: UnitId) -> Option<ActiveState> {
        self.units.contains(unit).then(|| self.units[unit].active())
    }

    /// Whether a unit is not plainly inactive, or has entries in the fd store.
    pub fn is_up_or_holds(&self, unit: UnitId) -> bool {
        self.units.contains(unit) && {
            let unit = &self.units[unit];
            !unit.active().is_inactive_ish() || unit.service().is_some_and(|service| service.stored_fds > 0)
        }
    }

    /// A unit's definition, to keep while the engine goes on.
    pub fn shared_definition(&self, unit: UnitId) -> Option<Arc<Definition>> {
        self.units
            .contains(unit)
            .then(|| Arc::clone(&self.units[unit].definition))
    }

    /// A unit's definition.
    pub fn definition(&self, unit: UnitId) -> Option<&Definition> {
        self.units
            .contains(unit)
            .then(|| self.units[unit].definition.as_ref())
    }

    /// All units, oldest first.
    pub fn ids(&self) -> impl Iterator<Item = UnitId> {
        self.units.ids()
    }

    /// Nothing waits to be started, stopped or reloaded.
    pub fn has_no_jobs(&self) -> bool {
        self.jobs.is_empty()
    }

    /// All jobs, by number.
    pub fn jobs(&self) -> Vec<JobInfo> {
        let info = |(id, job): (JobId, &crate::jobs::Job)| JobInfo {
            id,
            unit: job.unit,
            kind: job.kind,
            running: job.running,
            irreversible: job.irreversible,
        };
        self.jobs.iter().map(info).collect()
    }

    /// The jobs that have to end before a waiting one may begin, by number.
    pub fn job_waits_for(&self, job: JobId) -> Vec<JobId> {
        let mut jobs = self.blockers(job, false);
        jobs.sort_unstable();
        jobs.dedup();
        jobs
    }

    /// The socket units that trigger a service, by name.
    pub fn sockets_of(&self, service: UnitId) -> Vec<UnitId> {
        let mut sockets: Vec<UnitId> = self.units[service]
            .partners(Relation::TriggeredBy)
            .iter()
            .copied()
            .filter(|unit| self.socket(*unit).is_some())
            .collect();
        sockets.sort_by(|a, b| self.units[*a].name().cmp(self.units[*b].name()));
        sockets
    }

    /// The units that come before this one when both start, and after it when both stop (semantics 2.6).
    pub fn after(&self, unit: UnitId) -> &[UnitId] {
        self.ordered(unit, Relation::After)
    }

    /// The units that come after this one when both start, and before it when both stop.
    pub fn before(&self, unit: UnitId) -> &[UnitId] {
        self.ordered(unit, Relation::Before)
    }

    fn ordered(&self, unit: UnitId, relation: Relation) -> &[UnitId] {
        match self.units.contains(unit) {
            true => self.units[unit].partners(relation),
            false => &[],
        }
    }

    /// Soft-reboots since the machine booted.
    pub fn soft_reboots(&self) -> u32 {
        self.soft_reboots
    }

    /// Something was asked to be started in this userspace.
    pub fn boot_requested(&self) -> bool {
        self.boot_requested
    }

    /// True once the job table was empty after the first request of this userspace.
    pub fn boot_finished(&self) -> bool {
        self.boot_finished
    }

    /// `starting`, `running`, `degraded` or `stopping`.
    pub fn system_state(&self) -> &'static str {
        if self.is_stopping() {
            return "stopping";
        }
        if !self.boot_finished {
            return "starting";
        }
        let failed = self
            .units
            .iter()
            .any(|(_, unit)| unit.active() == ActiveState::Failed);
        if failed { "degraded" } else { "running" }
    }

    /// Userspace is on its way down, to a soft-reboot or to the end of the machine.
    pub fn is_stopping(&self) -> bool {
        self.ending.is_some() || self.shutdown_job()
    }

    /// Who is what to whom, in the order of [`Engine::ids`]: for [`crate::Table::of_related`].
    pub fn related(&self) -> Related {
        self.units.related()
    }

    /// Sockets are kept open for the next userspace ([`crate::Event::StayOpen`]).
    pub fn is_any_socket_to_stay(&self) -> bool {
        !self.staying.is_empty()
    }

    fn shutdown_job(&self) -> bool {
        let unit = UnitName::new("shutdown.target")
            .ok()
            .and_then(|name| self.units.find(&name));
        unit.and_then(|unit| self.units[unit].job)
            .and_then(|id| self.jobs.get(id))
            .is_some_and(|job| job.kind == JobKind::Start)
    }

    /// Whose process it is.
    pub fn unit_of_process(&self, process: ProcId) -> Option<UnitId> {
        self.processes.get(&process).copied()
    }

    /// Every process: its token, its unit, and whether it is the main one.
    pub fn processes(&self) -> Vec<(ProcId, UnitId, bool)> {
        let main = |unit: UnitId| {
            self.service(unit)
                .and_then(|service| service.main)
                .map(|main| main.id)
        };
        self.processes
            .iter()
            .map(|(id, unit)| (*id, *unit, main(*unit) == Some(*id)))
            .collect()
    }

    /// A unit's state for people and clients.
    pub fn status(&self, unit: UnitId) -> Option<UnitStatus> {
        if !self.units.contains(unit) {
            return None;
        }
        let known = &self.units[unit];
        let job = known
            .job
            .or(known.nop)
            .and_then(|id| self.jobs.get(id).map(|job| (id, job.kind)));
        let names = |relation| -> Vec<UnitName> {
            known
                .partners(relation)
                .iter()
                .map(|unit| self.units[*unit].name().clone())
                .collect()
        };
        let mut status = plain_status(known);
        status.job = job;
        status.triggers = names(Relation::Triggers);
        status.triggered_by = names(Relation::TriggeredBy);
        match &known.machine {
            Machine::Service(service) => {
                status.sub = service.state.sub().to_owned();
                status.result = Some(word(&service.result));
                status.main_pid = service.main.and_then(|main| main.pid);
                status.control_pid = service.control.and_then(|control| control.pid);
                status.main_status = service.main_status;
                status.last_main_pid = service.main_pid;
                status.main_started = service.main_started;
                status.main_ended = service.main_ended;
                status.status_text = service.status_text.clone();
                status.errno = service.errno;
                status.error_name = service.error_name.clone();
                status.restarts = service.restarts;
                status.stored_fds = service.stored_fds;
                status.clean_result = Some(word(&service.clean_result));
            }
            Machine::Socket(socket) => {
                status.sub = socket.state.sub().to_owned();
                status.result = Some(word(&socket.result));
                status.control_pid = socket.control.process.and_then(|process| process.pid);
                status.accepted = socket.accepted;
                status.connections = socket.connections;
                status.refused = socket.refused;
            }
            Machine::Mount(mount) => {
                status.sub = mount.state.sub().to_owned();
                status.result = Some(word(&mount.result));
                status.control_pid = mount.control.process.and_then(|process| process.pid);
            }
            Machine::Plain { .. } => {}
        }
        Some(status)
    }
}

fn plain_status(unit: &Unit) -> UnitStatus {
    let on = matches!(unit.machine, Machine::Plain { on: true });
    UnitStatus {
        name: unit.name().clone(),
        description: unit.definition.unit.description.clone(),
        load: unit.definition.load.word().to_owned(),
        active: unit.active(),
        sub: match (on, &unit.definition.kind) {
            (true, softboot_unit::KindSection::Device) => "plugged",
            (true, _) => "active",
            (false, _) => "dead",
        }
        .to_owned(),
        result: None,
        clean_result: None,
        job: None,
        main_pid: None,
        control_pid: None,
        main_status: None,
        last_main_pid: None,
        main_started: None,
        main_ended: None,
        status_text: None,
        errno: None,
        error_name: None,
        restarts: 0,
        stored_fds: 0,
        accepted: 0,
        connections: 0,
        refused: 0,
        triggers: Vec::new(),
        triggered_by: Vec::new(),
        changed_realtime: unit.changed_realtime,
        changed_monotonic: unit.changed_monotonic,
        survives: unit.definition.unit.survive_final_kill_signal,
    }
}

/// The word a value serialises as.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// What the control interface asks beside a unit's status.
impl Engine {
    /// A unit's partners by relation, both ways. Relations have the names that unit files and tools give them.
    pub fn dependencies(&self, unit: UnitId) -> Vec<(String, Vec<UnitName>)> {
        if !self.units.contains(unit) {
            return Vec::new();
        }
        let named = |(relation, partners): (Relation, &[UnitId])| {
            let names = partners.iter().map(|unit| self.units[*unit].name().clone());
            // The variants are named after the settings and properties they stand for.
            (format!("{relation:?}"), names.collect())
        };
        self.units[unit]
            .relations
            .iter()
            .filter(|(_, partners)| !partners.is_empty())
            .map(named)
            .collect()
    }

    /// Whether a unit has a way to reload (semantics 4.6).
    pub fn can_reload(&self, unit: UnitId) -> bool {
        self.units.contains(unit) && self.units[unit].can_reload()
    }
}
