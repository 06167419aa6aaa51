//! A fake manager and kernel, and definitions built by hand.
#![allow(dead_code, reason = "each test program uses its own part")]

pub(crate) mod build;
mod kernel;
#[path = "../../../simulate/src/transitions.rs"]
#[allow(unreachable_pub, reason = "it belongs to a library")]
pub(crate) mod transitions;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use softboot_engine::*;
use softboot_unit::{Definition, JobMode, KindSection, ServiceType, UnitName, Usec};

pub(crate) fn name(text: &str) -> UnitName {
    UnitName::new(text).unwrap()
}

/// Small, fast, and the same everywhere (xorshift64*).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// Obeys the engine as PID 1 would.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) now: u64,
    /// Answers on their way, with the lane whose order they keep.
    pub(crate) pending: VecDeque<(u64, Event)>,
    pub(crate) processes: BTreeMap<ProcId, (String, ExecList)>,
    /// The last main process of each unit.
    main_of: BTreeMap<String, ProcId>,
    pub(crate) timers: BTreeMap<TimerId, Usec>,
    pub(crate) watched: BTreeSet<UnitId>,
    pub(crate) trace: Vec<Action>,
    /// Units whose main process of a oneshot, or READY=1, is held back.
    pub(crate) hold: BTreeSet<String>,
    /// Units that ignore SIGTERM.
    pub(crate) stubborn: BTreeSet<String>,
    /// Units whose main process ends at once with this code.
    pub(crate) crash: BTreeMap<String, i32>,
    /// Forking units that have left a daemon behind.
    pub(crate) daemons: BTreeSet<String>,
    /// Forking units with a PID file.
    pub(crate) pid_files: BTreeSet<String>,
    /// Commands that fail.
    pub(crate) failing: BTreeSet<(String, ExecList)>,
    /// Commands that never end by themselves.
    pub(crate) stuck: BTreeSet<(String, ExecList)>,
    /// Units that a final kill spares for the mark of their cgroup.
    pub(crate) marked: BTreeSet<String>,
    /// Units whose conditions do not hold.
    pub(crate) unmet: BTreeSet<String>,
    pub(crate) objective: Option<Objective>,
    pub(crate) done: BTreeMap<RequestId, Result<JobResult, RequestError>>,
    pub(crate) killed: Vec<String>,
    pub(crate) starts: Vec<String>,
    pub(crate) random: Option<Random>,
    /// Saves and restores after every step.
    pub(crate) reexec_always: bool,
    next_request: u64,
    next_found: u64,
    /// A copy that is told the same and must want the same.
    shadow: Option<Engine>,
    steps: u64,
}

/// Through an image and back.
fn copy(engine: &Engine) -> Engine {
    let mut image = Vec::new();
    engine.image(&mut image).unwrap();
    let copy = Engine::from_image(&image).unwrap();
    let mut again = Vec::new();
    copy.image(&mut again).unwrap();
    assert!(image == again, "an image changes on its way");
    copy
}

impl World {
    pub(crate) fn new(definitions: Vec<Definition>) -> World {
        let mut world = World {
            engine: Engine::new(),
            now: 1_000_000,
            pending: VecDeque::new(),
            processes: BTreeMap::new(),
            main_of: BTreeMap::new(),
            timers: BTreeMap::new(),
            watched: BTreeSet::new(),
            trace: Vec::new(),
            hold: BTreeSet::new(),
            stubborn: BTreeSet::new(),
            crash: BTreeMap::new(),
            daemons: BTreeSet::new(),
            pid_files: BTreeSet::new(),
            failing: BTreeSet::new(),
            stuck: BTreeSet::new(),
            marked: BTreeSet::new(),
            unmet: BTreeSet::new(),
            objective: None,
            done: BTreeMap::new(),
            killed: Vec::new(),
            starts: Vec::new(),
            random: None,
            reexec_always: false,
            next_request: 1,
            next_found: 1,
            shadow: None,
            steps: 0,
        };
        world.feed(Event::Loaded(definitions));
        world
    }

    pub(crate) fn clocks(&self) -> Now {
        Now {
            monotonic: Usec(self.now),
            boottime: Usec(self.now),
            realtime: Usec(self.now),
        }
    }

    pub(crate) fn id(&self, unit: &str) -> UnitId {
        self.engine
            .unit(&name(unit))
            .unwrap_or_else(|| panic!("no unit {unit}"))
    }

    pub(crate) fn status(&self, unit: &str) -> UnitStatus {
        self.engine.status(self.id(unit)).unwrap()
    }

    pub(crate) fn sub(&self, unit: &str) -> String {
        self.status(unit).sub
    }

    pub(crate) fn active(&self, unit: &str) -> ActiveState {
        self.status(unit).active
    }

    fn text(&self, unit: UnitId) -> String {
        self.engine
            .name(unit)
            .map(ToString::to_string)
            .unwrap_or_default()
    }

    /// One event, and everything that follows from it.
    pub(crate) fn feed(&mut self, event: Event) {
        self.step(event);
        self.settle();
    }

    /// One event only.
    pub(crate) fn step(&mut self, event: Event) {
        let clocks = self.clocks();
        let few = self.engine.ids().take(40).count() < 40;
        let before = few.then(|| transitions::states(&self.engine));
        let actions = self.step_beside_a_copy(clocks, event);
        if let Some(before) = before {
            let kills = actions.iter().any(|a| matches!(a, Action::FinalKill { .. }));
            let after = transitions::states(&self.engine);
            assert_eq!(transitions::broken(&before, &after, kills), None);
        }
        self.obey_all(actions);
        if self.reexec_always {
            self.reexec();
        }
    }

    /// What the engine wants, and a copy of it must want the same.
    fn step_beside_a_copy(&mut self, clocks: Now, event: Event) -> Vec<Action> {
        // Now and then the copy is a new one, so that every kind of state is copied; of many units it takes long.
        self.steps += 1;
        let few = self.engine.ids().take(40).count() < 40;
        if self.shadow.is_none() && few && self.steps.is_multiple_of(5) {
            self.shadow = Some(copy(&self.engine));
        }
        let Some(mut shadow) = self.shadow.take() else {
            return self.engine.step(clocks, event);
        };
        let expected = shadow.step(clocks, event.clone());
        let actions = self.engine.step(clocks, event);
        assert_eq!(actions, expected, "a copy of the engine wants something else");
        self.shadow = (!self.steps.is_multiple_of(20)).then_some(shadow);
        actions
    }

    pub(crate) fn definitions(&self) -> Vec<Definition> {
        self.engine
            .ids()
            .filter_map(|id| self.engine.definition(id).cloned())
            .collect()
    }

    /// Through JSON and back, with ids given anew. Timers and watched ports must come back as they were.
    pub(crate) fn reexec(&mut self) {
        let text = serde_json::to_string(&self.engine.save()).unwrap();
        let saved = serde_json::from_str(&text).unwrap();
        let before: BTreeMap<UnitId, String> = self.engine.ids().map(|id| (id, self.text(id))).collect();
        let (engine, actions) = Engine::restore(saved, self.definitions(), self.clocks(), Resume::Reexec);
        self.engine = engine;
        self.shadow = None;
        let renamed = |id: UnitId| self.engine.unit(&name(&before[&id])).unwrap();
        let timers: BTreeMap<TimerId, Usec> = self
            .timers
            .iter()
            .map(|(timer, at)| {
                (
                    TimerId {
                        unit: renamed(timer.unit),
                        kind: timer.kind,
                    },
                    *at,
                )
            })
            .collect();
        let pending: VecDeque<_> = self
            .pending
            .iter()
            .map(|(lane, event)| (*lane, renumber(event.clone(), &renamed)))
            .collect();
        let watched: BTreeSet<UnitId> = self.watched.iter().map(|id| renamed(*id)).collect();
        self.pending = pending;
        self.timers.clear();
        self.watched.clear();
        self.obey_all(actions);
        assert_eq!(self.timers, timers, "timers over a re-exec");
        assert_eq!(self.watched, watched, "watched ports over a re-exec");
    }

    /// The handoff of a soft-reboot.
    pub(crate) fn soft_reboot(&mut self, definitions: Vec<Definition>) {
        assert_eq!(self.objective.take(), Some(Objective::SoftReboot));
        let saved = serde_json::from_str(&serde_json::to_string(&self.engine.save()).unwrap()).unwrap();
        let (engine, actions) = Engine::restore(saved, definitions, self.clocks(), Resume::SoftReboot);
        self.engine = engine;
        self.shadow = None;
        self.timers.clear();
        self.watched.clear();
        self.pending.clear();
        self.obey_all(actions);
        self.settle();
    }

    pub(crate) fn request(&mut self, kind: JobKind, unit: &str, mode: JobMode) -> RequestId {
        let request = self.queue_request(kind, unit, mode);
        self.settle();
        request
    }

    pub(crate) fn queue_request(&mut self, kind: JobKind, unit: &str, mode: JobMode) -> RequestId {
        let request = RequestId(self.next_request);
        self.next_request += 1;
        self.step(Event::Request {
            request,
            kind,
            unit: name(unit),
            mode,
            manual: false,
        });
        request
    }

    pub(crate) fn start(&mut self, unit: &str) -> Option<Result<JobResult, RequestError>> {
        let request = self.request(JobKind::Start, unit, JobMode::Replace);
        self.done.get(&request).cloned()
    }

    pub(crate) fn stop(&mut self, unit: &str) -> Option<Result<JobResult, RequestError>> {
        let request = self.request(JobKind::Stop, unit, JobMode::Replace);
        self.done.get(&request).cloned()
    }

    /// Somebody connects.
    pub(crate) fn connect(&mut self, socket: &str) {
        let unit = self.id(socket);
        if self.watched.contains(&unit) {
            self.feed(Event::SocketReadable { unit });
        }
    }

    /// Delivers answers until none is left.
    pub(crate) fn settle(&mut self) {
        let mut steps = 0;
        while let Some(event) = self.take_pending() {
            self.step(event);
            steps += 1;
            assert!(steps < 200_000, "the engine and the manager talk for ever");
        }
    }

    pub(crate) fn take_pending(&mut self) -> Option<Event> {
        let place = match &mut self.random {
            Some(random) if !self.pending.is_empty() => random.below(self.pending.len()),
            _ => 0,
        };
        let lane = self.pending.get(place)?.0;
        let first = self.pending.iter().position(|(other, _)| *other == lane)?;
        self.pending.remove(first).map(|(_, event)| event)
    }

    /// Time passes; timers fire in their order.
    pub(crate) fn advance(&mut self, by: Usec) {
        let end = self.now + by.0;
        while let Some((timer, at)) = self
            .timers
            .iter()
            .map(|(t, at)| (*t, *at))
            .min_by_key(|(t, at)| (*at, *t))
        {
            if at.0 > end {
                break;
            }
            self.now = self.now.max(at.0);
            self.timers.remove(&timer);
            self.feed(Event::Timer(timer));
        }
        self.now = end;
    }

    /// The main process of a unit ends.
    pub(crate) fn exit_main(&mut self, unit: &str, status: ExitStatus) {
        let found = self
            .processes
            .iter()
            .find(|(_, (owner, list))| owner == unit && *list == ExecList::Start);
        let process = *found.unwrap_or_else(|| panic!("{unit} has no main process")).0;
        self.end(process, status);
        self.settle();
    }

    /// The only process of a unit ends.
    pub(crate) fn exit_main_or_control(&mut self, unit: &str, status: ExitStatus) {
        let found = self.processes.iter().find(|(_, (owner, _))| owner == unit);
        let process = *found.unwrap_or_else(|| panic!("{unit} has no process")).0;
        self.end(process, status);
        self.settle();
    }

    pub(crate) fn end(&mut self, process: ProcId, status: ExitStatus) {
        let Some((unit, _)) = self.processes.remove(&process) else {
            return;
        };
        self.daemons.remove(&unit);
        let id = self.id(&unit);
        let lane = u64::from(id.0);
        self.pending.push_back((lane, Event::Exited { process, status }));
        self.report_if_empty(id, &unit);
    }

    fn report_if_empty(&mut self, id: UnitId, unit: &str) {
        if !self.processes.values().any(|(owner, _)| owner == unit) {
            self.pending
                .push_back((u64::from(id.0), Event::CgroupEmpty { unit: id }));
        }
    }

    pub(crate) fn service_type(&self, unit: UnitId) -> Option<ServiceType> {
        match &self.engine.definition(unit)?.kind {
            KindSection::Service(section) => Some(section.service_type),
            _ => None,
        }
    }
}

/// The same event after ids were given anew.
fn renumber(event: Event, renamed: &impl Fn(UnitId) -> UnitId) -> Event {
    let new = renamed;
    match event {
        Event::CgroupEmpty { unit } => Event::CgroupEmpty { unit: new(unit) },
        Event::Notify {
            unit,
            sender,
            message,
        } => Event::Notify {
            unit: new(unit),
            sender,
            message,
        },
        Event::SocketOpened { unit } => Event::SocketOpened { unit: new(unit) },
        Event::SocketReadable { unit } => Event::SocketReadable { unit: new(unit) },
        Event::FdStoreCount { unit, count } => Event::FdStoreCount {
            unit: new(unit),
            count,
        },
        Event::ConditionsChecked {
            unit,
            conditions,
            asserts,
        } => Event::ConditionsChecked {
            unit: new(unit),
            conditions,
            asserts,
        },
        other => other,
    }
}
