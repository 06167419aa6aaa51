//! A kernel that does at once whatever the engine asks for.

use std::collections::{BTreeMap, VecDeque};

use softboot_engine::{
    Action, Engine, Event, ExecList, ExitStatus, JobKind, JobMode, JobResult, Notification, Now, ProcId,
    RequestId, Sender, Spawn, TimerId, TimerKind, UnitId,
};
use softboot_unit::{KindSection, ServiceType, UnitName, Usec};

use crate::error::Error;

/// The engine and what is under way.
pub(super) struct Kernel {
    pub(super) engine: Engine,
    pending: VecDeque<Event>,
    timers: BTreeMap<TimerId, Usec>,
    /// The newest main process of each unit.
    main: BTreeMap<UnitId, ProcId>,
    outcome: Option<JobResult>,
    seconds: u64,
}

impl Kernel {
    pub(super) fn new(engine: Engine) -> Kernel {
        Kernel {
            engine,
            pending: VecDeque::new(),
            timers: BTreeMap::new(),
            main: BTreeMap::new(),
            outcome: None,
            seconds: 1,
        }
    }

    /// The present instant.
    pub(super) fn now(&self) -> Now {
        let usec = Usec::from_secs(self.seconds);
        Now {
            monotonic: usec,
            boottime: usec,
            realtime: usec,
        }
    }

    /// One event and all that follows from it at the same instant.
    pub(super) fn feed(&mut self, event: Event) {
        self.pending.push_back(event);
        while let Some(event) = self.pending.pop_front() {
            for action in self.engine.step(self.now(), event) {
                self.obey(action);
            }
        }
    }

    /// Starts `name` and everything it wants.
    pub(super) fn start(&mut self, name: &UnitName) -> Result<(), Error> {
        self.outcome = None;
        self.feed(Event::Request {
            request: RequestId(1),
            kind: JobKind::Start,
            unit: name.clone(),
            mode: JobMode::Replace,
            manual: false,
        });
        match (self.outcome, self.engine.jobs().len()) {
            (Some(JobResult::Done), 0) => Ok(()),
            (outcome, left) => Err(failed(
                &format!("starting {name}"),
                &format!("{outcome:?}, {left} jobs left"),
            )),
        }
    }

    /// The main process of `unit` ends, and the unit starts anew after its hold-off.
    pub(super) fn end_and_restart(&mut self, unit: UnitId) -> Result<(), Error> {
        let before = self.main.get(&unit).copied();
        let process = before.ok_or_else(|| failed("ending a service", "it does not run"))?;
        self.feed(Event::Exited {
            process,
            status: ExitStatus::Exited(0),
        });
        self.feed(Event::CgroupEmpty { unit });
        self.seconds = self.seconds.saturating_add(1);
        let timer = TimerId {
            unit,
            kind: TimerKind::State,
        };
        if self.timers.remove(&timer).is_some() {
            self.feed(Event::Timer(timer));
        }
        match self.main.get(&unit).copied() == before {
            true => Err(failed("restarting a service", "it did not start anew")),
            false => Ok(()),
        }
    }

    fn obey(&mut self, action: Action) {
        match action {
            Action::CheckConditions { unit } => self.pending.push_back(Event::ConditionsChecked {
                unit,
                conditions: true,
                asserts: true,
            }),
            Action::Spawn(spawn) => self.spawn(&spawn),
            Action::OpenSockets { unit } => self.pending.push_back(Event::SocketOpened { unit }),
            Action::ArmTimer { timer, at } => drop(self.timers.insert(timer, at)),
            Action::CancelTimer(timer) => drop(self.timers.remove(&timer)),
            Action::ReleaseFdStore { unit } => self.pending.push_back(Event::FdStoreCount { unit, count: 0 }),
            Action::RequestDone { outcome, .. } => self.outcome = outcome.ok(),
            _ => {}
        }
    }

    fn spawn(&mut self, spawn: &Spawn) {
        let (unit, process) = (spawn.unit, spawn.process);
        let pid = i32::try_from(process.0).unwrap_or(i32::MAX);
        self.pending.push_back(Event::Spawned { process, pid });
        self.pending.push_back(Event::Executed { process });
        let main = spawn.command.list == ExecList::Start;
        if main {
            self.main.insert(unit, process);
        }
        let kind = match self.engine.definition(unit).map(|definition| &definition.kind) {
            Some(KindSection::Service(service)) => Some(service.service_type),
            _ => None,
        };
        match kind {
            Some(ServiceType::Notify) if main => self.pending.push_back(Event::Notify {
                unit,
                sender: Sender::Main,
                message: Notification {
                    ready: true,
                    ..Notification::default()
                },
            }),
            Some(ServiceType::Simple) if main => {}
            _ => {
                let status = ExitStatus::Exited(0);
                self.pending.push_back(Event::Exited { process, status });
                self.pending.push_back(Event::CgroupEmpty { unit });
            }
        }
    }
}

fn failed(what: &str, reason: &str) -> Error {
    Error {
        what: what.to_owned(),
        reason: reason.to_owned(),
    }
}
