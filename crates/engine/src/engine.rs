//! One step: the event changes state, the queues are worked off, the actions go out.
//!
//! Nothing recurses over dependency chains. A state machine that changes a unit's state only notes what follows
//! from it in a queue; [`Engine::step`] empties the queues in a fixed order, and what a queue entry causes goes
//! into the queues again:
//!
//! | order | queue | semantics |
//! |---|---|---|
//! | 1 | `work`: reactions to state changes, oldest first | 1.9, 2.9, 4.8 |
//! | 2 | `release`: what a dead unit without a job still holds | 3.7 |
//! | 3 | deferred sockets, if their flag is up | 1.10 |
//! | 4 | runnable jobs, by id | 2.7 |
//! | 5 | services of Type=idle, if there is no job | 4.2 |

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use softboot_unit::{UnitName, Usec};

use crate::action::{Action, Level};
use crate::ending::Ending;
use crate::event::{Event, Now, ProcId, UnitId};
use crate::jobs::JobTable;
use crate::reaction::Work;
use crate::units::Units;

/// The tri-state flag of semantics 1.10: is it worth trying deferred sockets again?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RetryFlag {
    #[default]
    No,
    /// Only if the job table is empty.
    Maybe,
    Yes,
}

/// The service manager's mind. Written as JSON it is an exact copy ([`Engine::image`]).
#[derive(Debug, Serialize, Deserialize)]
pub struct Engine {
    pub(crate) units: Units,
    pub(crate) jobs: JobTable,
    pub(crate) processes: BTreeMap<ProcId, UnitId>,
    pub(crate) next_process: u64,
    pub(crate) actions: Vec<Action>,
    /// Units whose status changed in this step.
    pub(crate) dirty: BTreeSet<UnitId>,
    pub(crate) work: VecDeque<Work>,
    pub(crate) release: BTreeSet<UnitId>,
    /// Instances that are over; forgotten after the manager obeyed this step.
    pub(crate) garbage: BTreeSet<UnitId>,
    /// Units that came with the last load and exist only because somebody has named them. The next load makes those
    /// that nothing has used by then garbage: otherwise anybody could fill PID 1 by asking for names.
    #[serde(default)]
    pub(crate) fresh: BTreeSet<UnitId>,
    pub(crate) deferred: BTreeSet<UnitId>,
    /// Sockets that stay open in the soft-reboot that is under way ([`crate::socket`], `stay`).
    #[serde(default)]
    pub(crate) staying: BTreeSet<UnitId>,
    /// Services of Type=idle that wait for the others.
    pub(crate) idle: BTreeSet<UnitId>,
    pub(crate) retry: RetryFlag,
    pub(crate) ending: Option<Ending>,
    pub(crate) soft_reboots: u32,
    /// Somebody asked for a job in this userspace.
    pub(crate) boot_requested: bool,
    pub(crate) boot_finished: bool,
    /// No jobs but those that somebody asks for.
    pub(crate) safe_mode: bool,
    /// When Ctrl-Alt-Del was pressed lately.
    pub(crate) ctrl_alt_del: Vec<Usec>,
    pub(crate) now: Now,
}

impl Default for Engine {
    fn default() -> Engine {
        Engine::new()
    }
}

impl Engine {
    /// An engine that knows no unit.
    pub fn new() -> Engine {
        Engine {
            units: Units::new(),
            jobs: JobTable::default(),
            processes: BTreeMap::new(),
            next_process: 1,
            actions: Vec::new(),
            dirty: BTreeSet::new(),
            work: VecDeque::new(),
            release: BTreeSet::new(),
            garbage: BTreeSet::new(),
            fresh: BTreeSet::new(),
            deferred: BTreeSet::new(),
            staying: BTreeSet::new(),
            idle: BTreeSet::new(),
            retry: RetryFlag::No,
            ending: None,
            soft_reboots: 0,
            boot_requested: false,
            boot_finished: false,
            safe_mode: false,
            ctrl_alt_del: Vec::new(),
            now: Now {
                monotonic: Usec::ZERO,
                boottime: Usec::ZERO,
                realtime: Usec::ZERO,
            },
        }
    }

    /// Takes one event and returns what the manager has to do, in order. Returns when nothing more follows from it.
    pub fn step(&mut self, now: Now, event: Event) -> Vec<Action> {
        self.now = now;
        self.collect_garbage();
        // What was deferred waits for the boot's request, as it does after an exec, and so does who is found waiting.
        let waits = matches!(event, Event::SocketReadable { .. }) && self.is_between_userspaces();
        let settles = !waits && !matches!(event, Event::NextUserspace(_));
        self.handle(event);
        if settles {
            self.settle();
        }
        self.take_actions()
    }

    /// Takes as little room as can be, after much was loaded. Nothing changes that an event or a question would see.
    pub fn pack(&mut self) {
        self.units.pack();
        self.work.shrink_to_fit();
    }

    pub(crate) fn take_actions(&mut self) -> Vec<Action> {
        let dirty = std::mem::take(&mut self.dirty);
        self.actions
            .extend(dirty.into_iter().map(|unit| Action::Changed { unit }));
        std::mem::take(&mut self.actions)
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Loaded(definitions) => self.loaded(definitions),
            Event::Request {
                request,
                kind,
                unit,
                mode,
                manual,
            } => self.request(request, kind, &unit, mode, manual),
            Event::Cancel(job) => self.cancel(job),
            Event::ResetFailed(unit) => self.reset_failed(unit.as_ref()),
            Event::Clean { request, unit, what } => self.clean(request, &unit, &what),
            Event::RequestDropped(request) => self.jobs.drop_request(request),
            Event::Spawned { process, pid } => self.spawned(process, pid),
            Event::SpawnFailed { process, error, code } => self.spawn_failed(process, &error, code),
            Event::Executed { process } => self.executed(process),
            Event::Exited { process, status } => self.exited(process, status),
            Event::CgroupEmpty { unit } => self.cgroup_empty(unit),
            Event::MainAdopted { unit, process, pid } => self.main_adopted(unit, process, pid),
            Event::MainUnknown { unit, waits } => self.main_unknown(unit, waits),
            Event::OomKilled { unit } => self.oom_killed(unit),
            Event::Notify {
                unit,
                sender,
                message,
            } => self.notified(unit, sender, message),
            Event::SocketOpened { unit } => self.socket_opened(unit),
            Event::SocketOpenFailed { unit, error } => self.socket_open_failed(unit, &error),
            Event::SocketReadable { unit } => self.socket_readable(unit),
            Event::SocketAccepted {
                unit,
                instance,
                connection,
                source,
            } => {
                self.socket_accepted(unit, &instance, connection, source);
            }
            Event::SocketBroken { unit, error } => self.socket_broken(unit, &error),
            Event::FdStoreCount { unit, count } => self.fd_store_count(unit, count),
            Event::MountSeen { unit, mounted } => self.mount_seen(unit, mounted),
            Event::DeviceSeen { unit, present } => self.device_seen(unit, present),
            Event::ConditionsChecked {
                unit,
                conditions,
                asserts,
            } => {
                self.conditions_checked(unit, conditions, asserts);
            }
            Event::Timer(timer) => self.timer(timer),
            Event::SurvivorsFound { units } => self.survivors_found(&units),
            Event::StayOpen { sockets } => self.stay_open(&sockets),
            Event::FinalKillDone => self.final_kill_done(),
            Event::ObjectiveAborted { reason } => self.objective_aborted(&reason),
            Event::NextUserspace(next) => self.next_userspace(next),
            Event::SafeMode(on) => self.safe_mode = on,
            Event::Signal(signal) => self.signal(signal),
        }
    }

    /// The old userspace is over, and nobody has asked for the next one's boot yet.
    pub(crate) fn is_between_userspaces(&self) -> bool {
        self.soft_reboots > 0 && !self.boot_requested && self.ending.is_none()
    }

    /// Works until nothing more follows.
    pub(crate) fn settle(&mut self) {
        loop {
            if let Some(work) = self.work.pop_front() {
                self.react(work);
            } else if let Some(unit) = self.release.pop_first() {
                self.release_resources(unit);
            } else if self.retry_is_due() {
                self.retry_deferred();
            } else if let Some(job) = self.jobs.next_runnable() {
                self.run_job(job);
            } else if !(self.jobs.is_empty() && self.end_idling()) {
                break;
            }
        }
        if self.boot_requested && !self.boot_finished && self.jobs.is_empty() && self.ending.is_none() {
            self.boot_finished = true;
            self.release_unclaimed();
        }
    }

    /// Descriptors of services that the boot after a soft-reboot did not start again.
    fn release_unclaimed(&mut self) {
        let holders: Vec<_> = self
            .units
            .iter()
            .filter(|(_, unit)| unit.service().is_some_and(|service| service.stored_fds > 0))
            .map(|(id, _)| id)
            .collect();
        for unit in holders {
            self.release_resources(unit);
        }
    }

    fn loaded(&mut self, definitions: Vec<softboot_unit::Definition>) {
        self.garbage.append(&mut self.fresh);
        let open = self.open_sockets();
        let first = self.units.next_id();
        let replaced = self.units.load(definitions);
        self.fresh = self.units.named_since(first);
        if replaced {
            // Orders may have changed.
            self.jobs.queue_all_waiting();
            self.sockets_reloaded(open);
            self.break_circles();
        }
    }

    /// Forgets instances that are over and units that were only asked about, and returns their names. Call when the
    /// actions of a step were obeyed: until then they have a name. Otherwise the next step does it, which may be long
    /// after.
    pub fn collect_garbage(&mut self) -> Vec<UnitName> {
        let mut left = std::mem::take(&mut self.garbage);
        let mut forgotten = Vec::new();
        // One that goes may have been the only one that named another.
        loop {
            let gone: Vec<UnitId> = left
                .iter()
                .copied()
                .filter(|unit| {
                    self.units.contains(*unit)
                        && (self.units[*unit].is_garbage() || self.units.is_unused(*unit))
                })
                .collect();
            if gone.is_empty() {
                return forgotten;
            }
            for unit in gone {
                left.remove(&unit);
                forgotten.push(self.units[unit].name().clone());
                self.units.forget(unit);
            }
        }
    }

    pub(crate) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    pub(crate) fn log(&mut self, level: Level, unit: Option<UnitId>, message: impl Into<String>) {
        self.act(Action::Log {
            level,
            unit,
            message: message.into(),
        });
    }
}
