//! The fake manager and kernel that obey the engine.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use softboot_engine::{
    Action, ActiveState, Engine, Event, ExecList, ExitStatus, JobId, JobInfo, ManagerSignal, Notification,
    Now, Objective, ProcId, RequestId, Resume, Sender, TimerId, TimerKind, UnitId,
};
use softboot_unit::{Definition, EmergencyAction, UnitKind, UnitName, Usec};

use crate::interrupt::Interruption;
use crate::more::More;
use crate::random::Random;
use crate::script::Input;
use crate::{rules, transitions};

pub(crate) const SIGKILL: i32 = 9;

/// A process of the fake kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process {
    pub(crate) list: ExecList,
    /// It ignores everything but SIGKILL.
    pub(crate) stubborn: bool,
}

/// An answer on its way. Unit ids may change before it arrives.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Process(Event),
    CgroupEmpty,
    OomKilled,
    Adopted(ProcId),
    MainUnknown(bool),
    Notify(Sender, Notification),
    SocketOpened,
    SocketOpenFailed,
    /// The mount table changed; what it has is looked at when this arrives.
    MountSeen,
}

/// Engine, kernel, clocks and what is on its way.
#[derive(Debug)]
pub struct World {
    /// What is tested.
    pub engine: Engine,
    /// Events so far.
    pub steps: u64,
    /// Over all answers.
    pub sum: u64,
    /// The answers, where wanted.
    pub trace: Option<Vec<String>>,
    /// A rule that was broken.
    pub broken: Option<String>,
    pub(crate) random: Random,
    definitions: Vec<Definition>,
    names: Vec<UnitName>,
    pub(crate) monotonic: u64,
    slept: u64,
    realtime: u64,
    /// Answers of one unit keep their order.
    lanes: BTreeMap<UnitName, VecDeque<Answer>>,
    pub(crate) processes: BTreeMap<ProcId, (UnitName, Process)>,
    /// Units with a daemon that left its start command and is not adopted yet.
    pub(crate) daemons: BTreeSet<UnitName>,
    timers: BTreeMap<(UnitName, TimerKind), Usec>,
    pub(crate) watched: BTreeSet<UnitName>,
    answered: BTreeSet<RequestId>,
    pub(crate) next_request: u64,
    /// Somebody has to say who survives by a mark.
    survivors_wanted: bool,
    pub(crate) next_found: u64,
    /// While a final kill is under way: who is spared.
    pub(crate) spared: Option<BTreeSet<UnitName>>,
    /// Those of them that had started when it began. One that is starting may fail, as at any time.
    pub(crate) calm: BTreeSet<UnitName>,
    objective: Option<Objective>,
    pub(crate) more: More,
    /// What happens to the program after each event.
    pub(crate) interruption: Option<Interruption>,
    /// The trace has names, not ids, and no sum is made.
    by_name: bool,
}

impl World {
    /// The units of a seed, all down.
    pub fn new(seed: u64, trace: bool) -> World {
        let more = More::of(seed);
        let definitions = more.scene(seed);
        let mut world = World {
            engine: Engine::new(),
            steps: 0,
            sum: 0xCBF2_9CE4_8422_2325,
            trace: trace.then(Vec::new),
            broken: None,
            random: Random::new(seed ^ 0xFA4E),
            definitions: definitions.clone(),
            names: more.names(),
            more,
            monotonic: 1_000_000,
            slept: 0,
            realtime: 1_700_000_000_000_000,
            lanes: BTreeMap::new(),
            processes: BTreeMap::new(),
            daemons: BTreeSet::new(),
            timers: BTreeMap::new(),
            watched: BTreeSet::new(),
            answered: BTreeSet::new(),
            next_request: 1,
            survivors_wanted: false,
            next_found: 1,
            spared: None,
            calm: BTreeSet::new(),
            objective: None,
            interruption: None,
            by_name: false,
        };
        world.step(Event::Loaded(definitions));
        world
    }

    /// The same; the trace says which unit by its name, because ids change with a handoff.
    pub(crate) fn traced_by_name(seed: u64) -> World {
        let mut world = World::new(seed, true);
        world.by_name = true;
        world
    }

    /// The clocks as the engine sees them.
    pub fn clocks(&self) -> Now {
        Now {
            monotonic: Usec(self.monotonic),
            boottime: Usec(self.monotonic.saturating_add(self.slept)),
            realtime: Usec(self.realtime),
        }
    }

    /// What is loaded.
    pub fn definitions(&self) -> Vec<Definition> {
        self.definitions.iter().cloned().chain(self.instances()).collect()
    }

    /// Those that are there from the start.
    pub(crate) fn scene(&self) -> &[Definition] {
        &self.definitions
    }

    pub(crate) fn name(&self, number: u64) -> Option<UnitName> {
        let place = number.checked_rem(self.names.len() as u64)?;
        self.names.get(place as usize).cloned()
    }

    pub(crate) fn name_of(&self, unit: UnitId) -> Option<UnitName> {
        self.engine.name(unit).cloned()
    }

    pub(crate) fn breaks(&mut self, rule: impl Into<String>) {
        if self.broken.is_none() {
            self.broken = Some(rule.into());
        }
    }

    /// Plays one input and all that has to follow at once.
    pub fn input(&mut self, input: Input) {
        match input {
            Input::Request(kind, unit, mode) => {
                let Some(unit) = self.name(unit) else { return };
                let request = RequestId(self.next_request);
                self.next_request += 1;
                self.step(Event::Request {
                    request,
                    kind,
                    unit,
                    mode,
                    manual: true,
                });
            }
            Input::Deliver(lane) => {
                let lanes: Vec<UnitName> = self.lanes.keys().cloned().collect();
                let place = lane.checked_rem(lanes.len() as u64).unwrap_or(0) as usize;
                if let Some(lane) = lanes.get(place) {
                    self.deliver(lane);
                }
            }
            Input::Exit(process, code) => self.end_one(process, ExitStatus::Exited(code), false),
            Input::OutOfMemory(process) => self.end_one(process, ExitStatus::Signaled(SIGKILL), true),
            Input::Advance(milliseconds) => self.advance(milliseconds * 1000),
            Input::SetClock(seconds) => {
                self.realtime = self.realtime.saturating_add_signed(seconds * 1_000_000)
            }
            Input::Sleep(seconds) => {
                self.slept += seconds * 1_000_000;
                self.realtime += seconds * 1_000_000;
            }
            Input::Connect(socket) => {
                let watched: Vec<UnitName> = self.watched.iter().cloned().collect();
                let place = socket.checked_rem(watched.len() as u64).unwrap_or(0) as usize;
                let unit = watched.get(place).and_then(|name| self.engine.unit(name));
                if let Some(unit) = unit
                    && !self.accept(unit)
                {
                    self.step(Event::SocketReadable { unit });
                }
            }
            Input::Ready(unit, main) => {
                let Some(unit) = self.name(unit) else { return };
                let sender = if main { Sender::Main } else { Sender::Other };
                let message = Notification {
                    ready: true,
                    ..Notification::default()
                };
                self.answer(&unit, Answer::Notify(sender, message));
            }
            Input::Lie(process) => self.lie(process),
            Input::Mount(mount) => self.mount_by_hand(mount),
            Input::Reexec => self.resume(Resume::Reexec),
            Input::Reload(seed) => {
                self.definitions = self.more.scene(seed);
                self.step(Event::Loaded(self.definitions()));
            }
            Input::Cancel => self.step(Event::Cancel(None)),
            Input::ResetFailed => self.step(Event::ResetFailed(None)),
            Input::Clean(unit) => self.clean(unit),
            Input::StayOpen(which) => self.stay_open(which),
            Input::SoftReboot => self.step(Event::Signal(ManagerSignal::Shutdown(
                EmergencyAction::SoftRebootForce,
            ))),
        }
        self.finish_soft_reboot();
    }

    /// No more inputs: every job that is there now has to end.
    pub fn quiet(&mut self) {
        self.drain();
        let old: BTreeSet<JobId> = self.engine.jobs().iter().map(|job| job.id).collect();
        for _ in 0..2000 {
            let left: Vec<JobInfo> = self
                .engine
                .jobs()
                .into_iter()
                .filter(|job| old.contains(&job.id))
                .collect();
            if left.is_empty() || self.broken.is_some() {
                return;
            }
            let Some(next) = self.timers.values().min().copied() else {
                return self.breaks(format!("nothing will ever end {left:?}"));
            };
            self.advance(next.0.saturating_sub(self.monotonic));
            self.drain();
            self.finish_soft_reboot();
        }
        self.breaks(format!(
            "jobs that were there before do not end: {:?}",
            self.engine.jobs()
        ));
    }

    fn drain(&mut self) {
        for _ in 0..20_000 {
            let Some(lane) = self.lanes.keys().next().cloned() else {
                return;
            };
            self.deliver(&lane);
        }
        self.breaks("the engine and the manager talk for ever");
    }

    pub(crate) fn take_answer(&mut self, lane: &UnitName) -> Option<Answer> {
        let answer = self.lanes.get_mut(lane).and_then(VecDeque::pop_front);
        if self.lanes.get(lane).is_some_and(VecDeque::is_empty) {
            self.lanes.remove(lane);
        }
        answer
    }

    pub(crate) fn answer(&mut self, unit: &UnitName, answer: Answer) {
        self.lanes.entry(unit.clone()).or_default().push_back(answer);
    }

    fn advance(&mut self, by: u64) {
        let end = self.monotonic.saturating_add(by);
        while let Some((key, at)) = self
            .timers
            .iter()
            .map(|(key, at)| (key.clone(), *at))
            .min_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)))
            .filter(|(_, at)| at.0 <= end)
        {
            self.pass(at.0);
            self.timers.remove(&key);
            if let Some(unit) = self.engine.unit(&key.0) {
                self.step(Event::Timer(TimerId { unit, kind: key.1 }));
            }
        }
        self.pass(end);
    }

    fn pass(&mut self, until: u64) {
        let by = until.saturating_sub(self.monotonic);
        self.monotonic += by;
        self.realtime = self.realtime.saturating_add(by);
    }

    pub(crate) fn step(&mut self, event: Event) {
        let loaded = matches!(event, Event::Loaded(_));
        let before: BTreeMap<JobId, JobInfo> =
            self.engine.jobs().into_iter().map(|job| (job.id, job)).collect();
        if !loaded && self.trace.is_some() {
            let line = format!("{} {event:?}", self.monotonic);
            let line = if self.by_name { self.named(&line) } else { line };
            self.trace.get_or_insert_default().push(line);
        }
        let states = transitions::states(&self.engine);
        let actions = self.engine.step(self.clocks(), event);
        let kills = actions.iter().any(|a| matches!(a, Action::FinalKill { .. }));
        let way = transitions::broken(&states, &transitions::states(&self.engine), kills);
        self.obey_all(actions);
        self.engine.collect_garbage();
        self.steps += 1;
        let mut found = way.or_else(|| rules::one_job_a_unit(&self.engine));
        if !loaded {
            found = found.or_else(|| rules::order(&before, &self.engine));
        }
        found = found.or_else(|| rules::processes(self));
        if self.steps.is_multiple_of(64) {
            found = found.or_else(|| rules::save_and_restore(self));
        }
        if let Some(found) = found {
            self.breaks(found);
        }
        self.interrupt();
    }

    fn obey_all(&mut self, actions: Vec<Action>) {
        for action in actions {
            let mut text = format!("{action:?}");
            if self.by_name {
                text = self.named(&text);
            }
            for byte in text.bytes() {
                self.sum = (self.sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
            }
            if let Some(trace) = &mut self.trace {
                trace.push(format!("  {text}"));
            }
            self.obey(action);
        }
    }

    fn obey(&mut self, action: Action) {
        match action {
            Action::Spawn(spawn) => self.spawn(&spawn),
            Action::FindMain { unit } => self.find_main(unit),
            Action::Kill {
                unit, whom, signal, ..
            } => self.kill(unit, whom, signal),
            Action::OpenSockets { unit } => {
                let answer = if self.random.percent(10) {
                    Answer::SocketOpenFailed
                } else {
                    Answer::SocketOpened
                };
                if let Some(name) = self.name_of(unit) {
                    self.answer(&name, answer);
                }
            }
            Action::PollSockets { unit, on } => {
                let Some(name) = self.name_of(unit) else { return };
                if on {
                    self.watched.insert(name);
                } else {
                    self.watched.remove(&name);
                }
            }
            Action::CloseSockets { unit } => {
                if let Some(name) = self.name_of(unit) {
                    self.watched.remove(&name);
                }
            }
            Action::ArmTimer { timer, at } => {
                if let Some(name) = self.name_of(timer.unit) {
                    self.timers.insert((name, timer.kind), at);
                }
            }
            Action::CancelTimer(timer) => {
                if let Some(name) = self.name_of(timer.unit) {
                    self.timers.remove(&(name, timer.kind));
                }
            }
            Action::RequestDone { request, .. } if !self.answered.insert(request) => {
                self.breaks(format!("{request:?} was answered twice"));
            }
            Action::CloseConnection(connection) => self.close_connection(connection),
            Action::FindSurvivors => self.survivors_wanted = true,
            Action::FinalKill { spare } => {
                let started = |unit: &&UnitId| {
                    let status = self.engine.status(**unit);
                    status.is_some_and(|status| status.active == ActiveState::Active)
                };
                self.calm = spare
                    .iter()
                    .filter(started)
                    .filter_map(|unit| self.name_of(*unit))
                    .collect();
                self.spared = Some(spare.iter().filter_map(|unit| self.name_of(*unit)).collect());
            }
            Action::Objective(objective) => self.objective = Some(objective),
            _ => {}
        }
    }

    fn stay_open(&mut self, which: u64) {
        let sockets = crate::scene::names()
            .into_iter()
            .filter(|name| name.kind() == UnitKind::Socket);
        let bits = [1, 2];
        let chosen = sockets.zip(bits).filter(|(_, bit)| which & bit != 0);
        let sockets = chosen.map(|(name, _)| name).collect();
        self.step(Event::StayOpen { sockets });
    }

    /// Ends everything but survivors, and hands over.
    fn finish_soft_reboot(&mut self) {
        if std::mem::take(&mut self.survivors_wanted) {
            let units: Vec<UnitId> = self.engine.ids().collect();
            let units = units.into_iter().filter(|_| self.random.percent(10)).collect();
            self.step(Event::SurvivorsFound { units });
        }
        let Some(spared) = self.spared.clone() else { return };
        let victims: Vec<ProcId> = self
            .processes
            .iter()
            .filter(|(_, (owner, _))| !spared.contains(owner))
            .map(|(process, _)| *process)
            .collect();
        self.daemons.retain(|unit| spared.contains(unit));
        for process in victims {
            self.end(process, ExitStatus::Signaled(SIGKILL));
        }
        self.drain();
        self.step(Event::FinalKillDone);
        if self.objective.take().is_some() {
            self.resume(Resume::SoftReboot);
        }
        self.spared = None;
    }

    pub(crate) fn resume(&mut self, how: Resume) {
        if how == Resume::Reexec {
            let saved = self.engine.save();
            let (engine, actions) = Engine::restore(saved, self.definitions(), self.clocks(), how);
            self.engine = engine;
            return self.arm_again(actions, true);
        }
        let actions = self.next_userspace();
        self.timers.clear();
        self.obey_all(actions);
    }

    /// What a program does that goes on where another one ended: it arms what was armed, and nothing else.
    pub(crate) fn arm_again(&mut self, mut actions: Vec<Action>, planned: bool) {
        let timers = std::mem::take(&mut self.timers);
        let watched = std::mem::take(&mut self.watched);
        let trace = self.trace.take_if(|_| self.by_name);
        if self.by_name {
            // Looking at a PID file once more tells nothing new: the first answer is known, or on its way.
            actions.retain(|action| !matches!(action, Action::FindMain { .. }));
        }
        self.obey_all(actions);
        if trace.is_some() {
            self.trace = trace;
        }
        // A restart that is overdue keeps its time, and fires again at once: nothing else is new.
        let now = Usec(self.monotonic);
        let mut armed = self.timers.clone();
        armed.retain(|key, at| timers.contains_key(key) || *at > now);
        if self.by_name {
            // It did so before, and whatever held it up then has not changed.
            self.timers.clone_from(&armed);
        }
        // At the end a port is watched until somebody comes, and once more by each program.
        let watches_differ = self.watched != watched && !self.engine.is_soft_rebooting();
        if armed != timers || watches_differ {
            let how = if planned { "re-exec" } else { "crash" };
            let (timers_now, watched_now) = (&self.timers, &self.watched);
            let text = format!("before a {how} {timers:?} {watched:?}, then {timers_now:?} {watched_now:?}");
            self.breaks(text);
        }
    }
}

/// Those that the engine asked for have even numbers, those that were found have odd ones.
pub(crate) fn pid(process: ProcId) -> i32 {
    let found = process.0 >= ProcId::found(0).0;
    let number = i32::try_from(process.0 % (1 << 29)).unwrap_or(i32::MAX / 4);
    number.saturating_mul(2).saturating_add(1000 + i32::from(found))
}
