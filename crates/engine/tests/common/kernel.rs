//! What the fake kernel does with what the engine asks for.

use softboot_engine::*;
use softboot_unit::{ServiceType, UnitKind};

use super::World;

impl World {
    pub(super) fn obey_all(&mut self, actions: Vec<Action>) {
        for action in actions {
            self.trace.push(action.clone());
            self.obey(action);
        }
    }

    fn obey(&mut self, action: Action) {
        match action {
            Action::CheckConditions { unit } => {
                let conditions = !self.unmet.contains(&self.text(unit));
                self.answer(
                    unit,
                    Event::ConditionsChecked {
                        unit,
                        conditions,
                        asserts: true,
                    },
                );
            }
            Action::Spawn(spawn) => self.spawn(&spawn),
            Action::FindMain { unit } => self.find_main(unit),
            Action::Kill {
                unit, whom, signal, ..
            } => self.kill(unit, whom, signal),
            Action::OpenSockets { unit } => self.answer(unit, Event::SocketOpened { unit }),
            Action::PollSockets { unit, on: true } => {
                self.watched.insert(unit);
            }
            Action::PollSockets { unit, on: false } | Action::CloseSockets { unit } => {
                self.watched.remove(&unit);
            }
            Action::ArmTimer { timer, at } => {
                self.timers.insert(timer, at);
            }
            Action::CancelTimer(timer) => {
                self.timers.remove(&timer);
            }
            Action::ReleaseFdStore { unit } => self.answer(unit, Event::FdStoreCount { unit, count: 0 }),
            Action::RequestDone { request, outcome } => {
                assert!(
                    self.done.insert(request, outcome).is_none(),
                    "{request:?} was answered twice"
                );
            }
            Action::Objective(objective) => self.objective = Some(objective),
            Action::FindSurvivors => {
                let units = self.marked.iter().map(|unit| self.id(unit)).collect();
                self.pending
                    .push_back((u64::MAX, Event::SurvivorsFound { units }));
            }
            Action::FinalKill { spare } => self.final_kill(&spare),
            _ => {}
        }
    }

    pub(super) fn answer(&mut self, unit: UnitId, event: Event) {
        self.pending.push_back((u64::from(unit.0), event));
    }

    fn spawn(&mut self, spawn: &Spawn) {
        let (unit, process, list) = (spawn.unit, spawn.process, spawn.command.list);
        let text = self.text(unit);
        let forking = self.service_type(unit) == Some(ServiceType::Forking);
        if list == ExecList::Start {
            let double = self
                .processes
                .values()
                .any(|(owner, other)| *owner == text && *other == ExecList::Start);
            assert!(!double, "{text} was started twice");
            self.starts.push(text.clone());
        }
        self.processes.insert(process, (text.clone(), list));
        let pid = 1000 + process.0 as i32;
        self.answer(unit, Event::Spawned { process, pid });
        self.answer(unit, Event::Executed { process });
        if let Some(code) = self.crash.get(&text).copied().filter(|_| list == ExecList::Start) {
            self.end(process, ExitStatus::Exited(code));
            return;
        }
        if forking && list == ExecList::Start {
            self.start_command_forks(process, unit);
            return;
        }
        let key = (text.clone(), list);
        if self.stuck.contains(&key) {
            return;
        }
        if list != ExecList::Start
            && self
                .engine
                .definition(unit)
                .is_none_or(|d| d.name.kind() != UnitKind::Mount)
        {
            self.end(
                process,
                ExitStatus::Exited(i32::from(self.failing.contains(&key))),
            );
            return;
        }
        if self.hold.contains(&text) {
            return;
        }
        match self.service_type(unit) {
            Some(ServiceType::Oneshot) => self.end(process, ExitStatus::Exited(0)),
            Some(ServiceType::Notify | ServiceType::NotifyReload) => {
                let message = Notification {
                    ready: true,
                    ..Notification::default()
                };
                self.answer(
                    unit,
                    Event::Notify {
                        unit,
                        sender: Sender::Main,
                        message,
                    },
                );
            }
            _ => {}
        }
    }

    /// It ends and leaves a daemon behind, which the cgroup has and the engine does not know yet.
    fn start_command_forks(&mut self, process: ProcId, unit: UnitId) {
        self.processes.remove(&process);
        let status = ExitStatus::Exited(0);
        self.answer(unit, Event::Exited { process, status });
        let text = self.text(unit);
        if self.daemons.insert(text.clone()) {
            let daemon = self.found();
            self.processes.insert(daemon, (text, ExecList::Start));
        }
    }

    /// A token for a process that the engine did not ask for.
    fn found(&mut self) -> ProcId {
        self.next_found += 1;
        ProcId::found(self.next_found)
    }

    /// What a PID file says, unless the unit is held back.
    fn find_main(&mut self, unit: UnitId) {
        let text = self.text(unit);
        let daemon = self
            .processes
            .iter()
            .find(|(_, (owner, list))| *owner == text && *list == ExecList::Start)
            .map(|(process, _)| *process);
        let event = match daemon {
            Some(process) if !self.hold.contains(&text) => Event::MainAdopted {
                unit,
                process,
                pid: 5000 + (process.0 % (1 << 30)) as i32,
            },
            _ => {
                let waits = self.pid_files.contains(&text);
                Event::MainUnknown { unit, waits }
            }
        };
        self.answer(unit, event);
    }

    /// The PID file is there now.
    pub(crate) fn write_pid_file(&mut self, unit: &str) {
        self.hold.remove(unit);
        self.find_main(self.id(unit));
        self.settle();
    }

    fn kill(&mut self, unit: UnitId, whom: KillWhom, signal: i32) {
        let text = self.text(unit);
        self.killed.push(text.clone());
        let victims: Vec<ProcId> = self
            .processes
            .iter()
            .filter(|(_, (owner, list))| {
                *owner == text
                    && match whom {
                        KillWhom::Main => *list == ExecList::Start,
                        KillWhom::Control => *list != ExecList::Start,
                        KillWhom::Cgroup => true,
                    }
            })
            .map(|(process, _)| *process)
            .collect();
        if signal == 9 || (signal != 18 && !self.stubborn.contains(&text)) {
            for process in victims {
                self.end(process, ExitStatus::Signaled(signal));
            }
        }
        if whom == KillWhom::Cgroup {
            self.report_if_empty(unit, &text);
        }
    }

    fn final_kill(&mut self, spare: &[UnitId]) {
        let spared: Vec<String> = spare.iter().map(|unit| self.text(*unit)).collect();
        let victims: Vec<(ProcId, String)> = self
            .processes
            .iter()
            .filter(|(_, (owner, _))| !spared.contains(owner))
            .map(|(process, (owner, _))| (*process, owner.clone()))
            .collect();
        for (process, owner) in victims {
            self.killed.push(owner);
            self.end(process, ExitStatus::Signaled(9));
        }
        // After everything else: nobody is left.
        self.pending.push_back((u64::MAX, Event::FinalKillDone));
    }
}
