//! The processes of units that have no main process: the commands of sockets and mounts, one at a time.

use serde::{Deserialize, Serialize};
use softboot_unit::{ExecCommand, KillMode, KillSettings};

use crate::action::{Action, CommandRef, ExecList, KillWhom, Spawn};
use crate::engine::Engine;
use crate::event::{ExitStatus, ProcId, UnitId};
use crate::service::Process;
use crate::units::Machine;

/// What runs for such a unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Control {
    pub(crate) process: Option<Process>,
    /// The cgroup has no process, and none was asked for since that was seen.
    pub(crate) empty: bool,
    /// Something ran since the unit was down the last time, so it has a cgroup and a log.
    pub(crate) ran: bool,
}

impl Default for Control {
    fn default() -> Control {
        Control {
            process: None,
            empty: true,
            ran: false,
        }
    }
}

impl Control {
    /// Nothing is left to wait for after a signal.
    pub(crate) fn is_over(&self, kill: &KillSettings) -> bool {
        let group = matches!(kill.mode, KillMode::ControlGroup | KillMode::Mixed);
        self.process.is_none() && (self.empty || !group)
    }
}

impl Engine {
    fn control_mut(&mut self, unit: UnitId) -> Option<&mut Control> {
        match &mut self.units[unit].machine {
            Machine::Socket(socket) => Some(&mut socket.control),
            Machine::Mount(mount) => Some(&mut mount.control),
            _ => None,
        }
    }

    /// Asks for the process of a command.
    pub(crate) fn spawn_for(&mut self, unit: UnitId, list: ExecList, index: u32, pass_fds: bool) {
        let id = self.allocate_process();
        self.processes.insert(id, unit);
        let Some(control) = self.control_mut(unit) else {
            return;
        };
        control.empty = false;
        control.ran = true;
        control.process = Some(Process { id, pid: None, index });
        self.act(Action::Spawn(Spawn {
            pass_fds,
            ..Spawn::new(id, unit, CommandRef { list, index })
        }));
    }

    /// Notes the number of a process that exists now. False for a unit of another type.
    pub(crate) fn control_spawned(&mut self, unit: UnitId, process: ProcId, pid: i32) -> bool {
        let Some(control) = self.control_mut(unit) else {
            return false;
        };
        if let Some(known) = control.process.as_mut().filter(|known| known.id == process) {
            known.pid = Some(pid);
        }
        true
    }

    /// Takes out the process that ended, if it is the one that is waited for.
    pub(crate) fn control_ended(&mut self, unit: UnitId, process: ProcId) -> Option<Process> {
        let control = self.control_mut(unit)?;
        let ended = control.process.filter(|known| known.id == process)?;
        control.process = None;
        Some(ended)
    }

    /// The cgroup is empty. False when a known process says that the report is older than it.
    pub(crate) fn control_empty(&mut self, unit: UnitId, signalled: bool) -> bool {
        let Some(control) = self.control_mut(unit) else {
            return false;
        };
        if control.process.is_some() && !signalled {
            return false;
        }
        control.empty = true;
        true
    }

    /// Sends what a signal state sends (semantics 4.9).
    pub(crate) fn signal_control(&mut self, unit: UnitId, kill: &KillSettings, hard: bool) {
        let signal = if hard { kill.final_signal } else { kill.signal };
        let whom = match kill.mode {
            KillMode::None => return,
            KillMode::ControlGroup => KillWhom::Cgroup,
            KillMode::Mixed if hard => KillWhom::Cgroup,
            KillMode::Mixed | KillMode::Process => KillWhom::Control,
        };
        self.act(Action::Kill {
            unit,
            whom,
            signal,
            hangup: kill.send_sighup && !hard,
        });
    }

    /// The unit is down: what its commands left goes.
    pub(crate) fn release_control(&mut self, unit: UnitId) {
        let ran = self
            .control_mut(unit)
            .is_some_and(|control| std::mem::take(&mut control.ran));
        if ran {
            self.act(Action::Release {
                unit,
                runtime_directories: true,
            });
        }
    }

    /// A process that had its time is killed and not waited for.
    pub(crate) fn abandon_control(&mut self, unit: UnitId) {
        const SIGKILL: i32 = 9;
        let abandoned = self.control_mut(unit).and_then(|control| control.process.take());
        if abandoned.is_some() {
            self.act(Action::Kill {
                unit,
                whom: KillWhom::Control,
                signal: SIGKILL,
                hangup: false,
            });
        }
    }
}

/// Whether a command's end is as it must be.
pub(crate) fn ended_well(command: Option<&ExecCommand>, status: ExitStatus) -> bool {
    status == ExitStatus::Exited(0) || command.is_some_and(|command| command.ignore_failure)
}
