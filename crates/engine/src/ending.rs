//! The way out of this userspace (semantics 4.8, 6.1, 7.3, 7.4).
//!
//! | phase | what holds |
//! |---|---|
//! | normal | `ending` is none |
//! | asked | (soft-reboot) every job is cancelled, no new job or process; the manager looks who survives beside those that say so |
//! | ending | as before; services that are not spared are in final-sigterm; the manager ends all processes |
//! | over | `FinalKillDone`: what was left is dead, and the objective goes to the manager |
//!
//! `ObjectiveAborted` leads back to normal. A soft-reboot spares survivors, everything else nobody.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use softboot_unit::{EmergencyAction, JobMode, UnitName, Usec};

use crate::action::{Action, Level, Objective};
use crate::engine::{Engine, RetryFlag};
use crate::event::{ManagerSignal, UnitId};
use crate::service::ServiceState;
use crate::socket::SocketState;
use crate::state::{JobKind, JobResult};

/// An end that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ending {
    pub(crate) objective: Objective,
    /// Who survives is not known yet.
    #[serde(default)]
    asked: bool,
    /// Every process is gone.
    over: bool,
    /// Who survives without saying so.
    #[serde(default)]
    marked: Vec<UnitName>,
    /// Whom the final kill leaves alone. One of them may have begun to go down since, and its processes live.
    #[serde(default)]
    spared: Vec<UnitName>,
    /// Sockets whose ports nobody looks at since a client came: whoever comes after takes it from the backlog.
    #[serde(default)]
    pub(crate) rested: BTreeSet<UnitId>,
}

/// Seven presses in this time reboot at once.
const BURST_TIME: Usec = Usec::from_secs(2);
const BURST: usize = 7;

/// The objective of an action, whether it is carried out at once, and the target that does it in order otherwise.
fn meaning(action: EmergencyAction) -> Option<(Objective, bool, &'static str)> {
    use EmergencyAction as E;
    Some(match action {
        E::None => return None,
        E::Reboot => (Objective::Reboot, false, "reboot.target"),
        E::RebootForce | E::RebootImmediate => (Objective::Reboot, true, "reboot.target"),
        E::Poweroff => (Objective::PowerOff, false, "poweroff.target"),
        E::PoweroffForce | E::PoweroffImmediate => (Objective::PowerOff, true, "poweroff.target"),
        E::Exit => (Objective::Exit, false, "exit.target"),
        E::ExitForce => (Objective::Exit, true, "exit.target"),
        E::SoftReboot => (Objective::SoftReboot, false, "soft-reboot.target"),
        E::SoftRebootForce => (Objective::SoftReboot, true, "soft-reboot.target"),
        E::Kexec => (Objective::Kexec, false, "kexec.target"),
        E::KexecForce => (Objective::Kexec, true, "kexec.target"),
        E::Halt => (Objective::Halt, false, "halt.target"),
        E::HaltForce | E::HaltImmediate => (Objective::Halt, true, "halt.target"),
    })
}

impl Ending {
    /// The objective is the manager's already.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }
}

impl Engine {
    /// A unit's own setting asks for something about the whole machine.
    pub(crate) fn emergency(&mut self, action: EmergencyAction, unit: Option<UnitId>, why: &str) {
        let Some((objective, force, target)) = meaning(action) else {
            return;
        };
        if !force && self.shutdown_begun() {
            self.log(
                Level::Info,
                unit,
                format!("{target} is not started, a shutdown is under way already"),
            );
            return;
        }
        self.log(Level::Warning, unit, format!("{objective:?} begins: {why}"));
        self.carry_out(objective, force, target);
    }

    fn carry_out(&mut self, objective: Objective, force: bool, target: &str) {
        if !force && self.start_by_name(target, JobMode::ReplaceIrreversibly) {
            return;
        }
        self.begin_ending(objective);
    }

    fn start_by_name(&mut self, name: &str, mode: JobMode) -> bool {
        let unit = UnitName::new(name).ok().and_then(|name| self.units.find(&name));
        match unit {
            Some(unit) if !self.may_end(unit) => true,
            Some(unit) => {
                let queued = self.enqueue_quietly(JobKind::Start, unit, mode);
                if queued {
                    self.give_way_to(unit);
                }
                queued
            }
            None => {
                self.log(Level::Warning, None, format!("there is no {name}"));
                false
            }
        }
    }

    /// shutdown.target is up or on its way.
    pub(crate) fn shutdown_begun(&self) -> bool {
        let Some(unit) = UnitName::new("shutdown.target")
            .ok()
            .and_then(|name| self.units.find(&name))
        else {
            return false;
        };
        let starts = self.units[unit]
            .job
            .and_then(|id| self.jobs.get(id))
            .is_some_and(|j| j.kind == JobKind::Start);
        starts || self.units[unit].is_up()
    }

    pub(crate) fn signal(&mut self, signal: ManagerSignal) {
        if self.ending.is_some() {
            if let ManagerSignal::Shutdown(action) = signal
                && let Some((objective, _, _)) = meaning(action)
            {
                self.exchange_ending(objective);
            }
            return;
        }
        match signal {
            ManagerSignal::CtrlAltDel => self.ctrl_alt_del(),
            ManagerSignal::KbRequest => {
                self.start_by_name("kbrequest.target", JobMode::Replace);
            }
            ManagerSignal::Power => {
                self.start_by_name("sigpwr.target", JobMode::Replace);
            }
            ManagerSignal::Default => {
                self.start_by_name("default.target", JobMode::Isolate);
            }
            ManagerSignal::Rescue => {
                self.start_by_name("rescue.target", JobMode::Isolate);
            }
            ManagerSignal::Emergency => {
                self.start_by_name("emergency.target", JobMode::Isolate);
            }
            ManagerSignal::Shutdown(action) => {
                if let Some((objective, force, target)) = meaning(action) {
                    self.carry_out(objective, force, target);
                }
            }
        }
    }

    fn ctrl_alt_del(&mut self) {
        let now = self.now.monotonic;
        self.ctrl_alt_del.retain(|at| now.minus(*at) < BURST_TIME);
        self.ctrl_alt_del.push(now);
        if self.ctrl_alt_del.len() >= BURST {
            self.ctrl_alt_del.clear();
            self.log(
                Level::Warning,
                None,
                "Ctrl-Alt-Del was pressed seven times in two seconds: rebooting at once",
            );
            self.begin_ending(Objective::Reboot);
        } else {
            self.start_by_name("ctrl-alt-del.target", JobMode::ReplaceIrreversibly);
        }
    }

    /// Services that a soft-reboot leaves alone: SurviveFinalKillSignal=yes, or found to be marked, and not on their way
    /// down.
    pub fn survivors(&self) -> Vec<UnitId> {
        let marked = self.ending.as_ref().map_or(&[][..], |ending| &ending.marked);
        let lives = |unit: &crate::units::Unit| {
            (unit.definition.unit.survive_final_kill_signal || marked.contains(&unit.definition.name))
                && unit.is_up()
                && unit.service().is_some_and(crate::service::Service::has_processes)
        };
        self.units
            .iter()
            .filter(|(_, unit)| lives(unit))
            .map(|(id, _)| id)
            .collect()
    }

    /// The end that is under way is a soft-reboot.
    pub fn is_soft_rebooting(&self) -> bool {
        self.ending
            .as_ref()
            .is_some_and(|ending| ending.objective == Objective::SoftReboot)
    }

    fn spared(&self, objective: Objective) -> Vec<UnitId> {
        if objective == Objective::SoftReboot {
            self.survivors()
        } else {
            Vec::new()
        }
    }

    pub(crate) fn begin_ending(&mut self, objective: Objective) {
        if self.ending.is_some() {
            return;
        }
        self.ending = Some(Ending {
            objective,
            asked: objective == Objective::SoftReboot,
            over: false,
            marked: Vec::new(),
            spared: Vec::new(),
            rested: BTreeSet::new(),
        });
        for id in self.jobs.ids() {
            self.finish_job(id, JobResult::Canceled, false);
        }
        if objective == Objective::SoftReboot {
            self.act(Action::FindSurvivors);
        } else {
            self.begin_final_kill(objective);
        }
    }

    pub(crate) fn survivors_found(&mut self, units: &[UnitId]) {
        let names = units
            .iter()
            .filter_map(|unit| self.name(*unit).cloned())
            .collect();
        let Some(ending) = self.ending.as_mut().filter(|ending| ending.asked) else {
            return;
        };
        ending.asked = false;
        ending.marked = names;
        let objective = ending.objective;
        self.begin_final_kill(objective);
    }

    fn begin_final_kill(&mut self, objective: Objective) {
        let spare = self.spared(objective);
        let names = spare.iter().filter_map(|unit| self.name(*unit).cloned());
        let names = names.collect();
        if let Some(ending) = self.ending.as_mut() {
            ending.spared = names;
        }
        self.act(Action::FinalKill { spare: spare.clone() });
        let units: Vec<UnitId> = self.units.ids().collect();
        for unit in units {
            if spare.binary_search(&unit).is_err() {
                self.give_up(unit);
            }
        }
    }

    /// A service that has to go: the final kill does the killing.
    fn give_up(&mut self, unit: UnitId) {
        let Some(service) = self.service_mut(unit) else {
            return;
        };
        service.forbid_restart = true;
        let state = service.state;
        let alive = service.has_processes();
        if state.active().is_inactive_ish() {
            return;
        }
        if alive {
            self.cancel_state_timer(unit);
            self.cancel_watchdog(unit);
            self.set_service_state(unit, ServiceState::FinalSigterm);
        } else if matches!(state, ServiceState::AutoRestart | ServiceState::AutoRestartQueued) {
            self.leave_auto_restart(unit);
        }
    }

    /// No process is left but those that were spared.
    pub(crate) fn final_kill_done(&mut self) {
        let Some(ending) = self
            .ending
            .as_mut()
            .filter(|ending| !ending.asked && !ending.over)
        else {
            return;
        };
        ending.over = true;
        let (objective, spared) = (ending.objective, std::mem::take(&mut ending.spared));
        let spare: Vec<UnitId> = spared.iter().filter_map(|name| self.units.find(name)).collect();
        let units: Vec<UnitId> = self.units.ids().collect();
        for unit in units {
            let Some(service) = self.service_mut(unit) else {
                continue;
            };
            let down = service.state.active().is_inactive_ish();
            let without_process = service.state == ServiceState::Exited && objective != Objective::SoftReboot;
            if down || without_process || spare.contains(&unit) {
                continue;
            }
            if service.has_processes() || service.state != ServiceState::Exited {
                service.empty = true;
                self.enter_dead(unit);
            }
        }
        self.act(Action::Objective(objective));
    }

    /// The handoff was given up: this userspace goes on with what is left of it.
    pub(crate) fn objective_aborted(&mut self, reason: &str) {
        if self.ending.take().is_none() {
            return;
        }
        self.staying.clear();
        // As after its beginning: it will be asked for again.
        self.boot_requested = false;
        self.retry = RetryFlag::Yes;
        self.log(
            Level::Error,
            None,
            format!("it was given up, services can be started again: {reason}"),
        );
        let units: Vec<UnitId> = self.units.ids().collect();
        for unit in units {
            if self.socket_state(unit) == SocketState::Listening {
                self.act(Action::PollSockets { unit, on: true });
            }
        }
    }
}
