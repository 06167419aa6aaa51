//! What the fake kernel does with processes, and what they do.

use softboot_engine::{Event, ExecList, ExitStatus, KillWhom, Notification, ProcId, Sender, Spawn, UnitId};
use softboot_unit::{KindSection, ServiceType, UnitName, Usec};

use crate::world::{Answer, Process, SIGKILL, World, pid};

const SIGHUP: i32 = 1;
const SIGCONT: i32 = 18;

impl World {
    fn service_type(&self, unit: &UnitName) -> Option<ServiceType> {
        let unit = self.engine.unit(unit)?;
        match &self.engine.definition(unit)?.kind {
            KindSection::Service(section) => Some(section.service_type),
            _ => None,
        }
    }

    pub(crate) fn spawn(&mut self, spawn: &Spawn) {
        let Some(unit) = self.name_of(spawn.unit) else {
            return self.breaks("a process for a unit that is not there");
        };
        let (process, list) = (spawn.process, spawn.command.list);
        let mains = |(owner, other): &(UnitName, Process)| *owner == unit && other.list == ExecList::Start;
        if list == ExecList::Start && self.processes.values().any(mains) {
            self.breaks(format!("{unit} is started while its main process lives"));
        }
        if self.processes.contains_key(&process) {
            self.breaks(format!("{process:?} is given out twice"));
        }
        if self.random.percent(5) {
            let event = Event::SpawnFailed {
                process,
                error: "exec: no such file".to_owned(),
                code: 203,
            };
            return self.answer(&unit, Answer::Process(event));
        }
        let stubborn = self.random.percent(20);
        self.processes
            .insert(process, (unit.clone(), Process { list, stubborn }));
        let event = Event::Spawned {
            process,
            pid: pid(process),
        };
        self.answer(&unit, Answer::Process(event));
        self.answer(&unit, Answer::Process(Event::Executed { process }));
        self.behave(&unit, process, list);
        self.lie_at_once(&unit, list);
    }

    /// What a process does at once: end, report, fork, or nothing.
    fn behave(&mut self, unit: &UnitName, process: ProcId, list: ExecList) {
        if unit.as_str().ends_with(".mount") {
            return self.mount_command(unit, process, list);
        }
        let luck = self.random.below(100);
        let main = list == ExecList::Start;
        match self.service_type(unit).filter(|_| main) {
            Some(ServiceType::Notify | ServiceType::NotifyReload) => {
                let message = Notification {
                    ready: true,
                    ..Notification::default()
                };
                if luck < 75 {
                    let sender = if luck < 65 { Sender::Main } else { Sender::Other };
                    self.answer(unit, Answer::Notify(sender, message.clone()));
                }
                if luck < 10 {
                    self.answer(unit, Answer::Notify(Sender::Main, message));
                }
            }
            Some(ServiceType::Forking) if luck < 70 => {
                self.daemons.insert(unit.clone());
                self.end(process, ExitStatus::Exited(0));
            }
            Some(ServiceType::Simple | ServiceType::Exec | ServiceType::Idle) if luck < 85 => {}
            _ if luck < 70 => self.end(process, ExitStatus::Exited(0)),
            _ if luck < 80 => self.end(process, ExitStatus::Exited(1)),
            _ => {}
        }
    }

    /// A token for a process that the engine did not ask for.
    pub(crate) fn found(&mut self) -> ProcId {
        self.next_found += 1;
        ProcId::found(self.next_found)
    }

    pub(crate) fn find_main(&mut self, unit: UnitId) {
        let Some(name) = self.name_of(unit) else { return };
        let luck = self.random.below(100);
        if luck < 70 && self.daemons.remove(&name) {
            let process = self.found();
            let daemon = Process {
                list: ExecList::Start,
                stubborn: false,
            };
            self.processes.insert(process, (name.clone(), daemon));
            self.answer(&name, Answer::Adopted(process));
        } else {
            self.answer(&name, Answer::MainUnknown(luck < 85));
        }
    }

    pub(crate) fn kill(&mut self, unit: UnitId, whom: KillWhom, signal: i32) {
        let Some(name) = self.name_of(unit) else { return };
        // One whose main process ended by itself meanwhile may lose the rest of its cgroup.
        let spared = self.spared.is_some() && self.calm.contains(&name);
        let mut mains = self.processes.values();
        if spared && mains.any(|(owner, process)| *owner == name && process.list == ExecList::Start) {
            self.breaks(format!("{name} survives this soft-reboot and is signalled"));
        }
        if signal == SIGHUP && self.random.percent(60) {
            let reloading = Notification {
                reloading: true,
                monotonic: Some(Usec(self.monotonic)),
                ..Notification::default()
            };
            let ready = Notification {
                ready: true,
                ..Notification::default()
            };
            self.answer(&name, Answer::Notify(Sender::Main, reloading));
            self.answer(&name, Answer::Notify(Sender::Main, ready));
        }
        if matches!(signal, SIGHUP | SIGCONT) {
            return;
        }
        let service = name.as_str().ends_with(".service");
        let hit = |process: &Process| match whom {
            KillWhom::Control if !service => true,
            KillWhom::Main => process.list == ExecList::Start,
            KillWhom::Control => process.list != ExecList::Start,
            KillWhom::Cgroup => true,
        };
        let victims: Vec<ProcId> = self
            .processes
            .iter()
            .filter(|(_, (owner, process))| {
                *owner == name && hit(process) && (signal == SIGKILL || !process.stubborn)
            })
            .map(|(process, _)| *process)
            .collect();
        for process in victims {
            self.end(process, ExitStatus::Signaled(signal));
        }
        if whom == KillWhom::Cgroup {
            self.daemons.remove(&name);
            self.report_if_empty(&name);
        }
    }

    pub(crate) fn end_one(&mut self, number: u64, status: ExitStatus, memory: bool) {
        let place = number.checked_rem(self.processes.len() as u64).unwrap_or(0) as usize;
        let Some((process, (unit, _))) = self.processes.iter().nth(place) else {
            return;
        };
        let (process, unit) = (*process, unit.clone());
        if memory {
            self.answer(&unit, Answer::OomKilled);
        }
        self.end(process, status);
    }

    pub(crate) fn end(&mut self, process: ProcId, status: ExitStatus) {
        let Some((unit, _)) = self.processes.remove(&process) else {
            return;
        };
        self.answer(&unit, Answer::Process(Event::Exited { process, status }));
        self.report_if_empty(&unit);
    }

    pub(crate) fn is_populated(&self, unit: &UnitName) -> bool {
        self.processes.values().any(|(owner, _)| owner == unit) || self.daemons.contains(unit)
    }

    fn report_if_empty(&mut self, unit: &UnitName) {
        if !self.is_populated(unit) {
            self.answer(unit, Answer::CgroupEmpty);
        }
    }
}
