//! PID 1 while it runs: its state, its loop, and what each source means.

mod anew;
mod assemble;
mod begin;
mod event_loop;
mod poll;
mod signals;
mod timers;

pub(crate) use anew::Lost;
pub(crate) use assemble::Parts;
pub(crate) use begin::{boot_facts, boot_mode, boot_units, init_main};
pub(crate) use poll::Source;
pub(crate) use timers::Alarm;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use fdstore::notify::Receiver;
use fdstore::{Closer, EntryId, FdStore};
use softboot_control::api::TakingOver;
use softboot_engine::{Engine, Event, FdToken, Limiter, Objective, RequestId};
use softboot_sys::signals::SignalFd;
use softboot_unit::{UnitName, Usec};

use crate::cgroup::Cgroups;
use crate::client::Clients;
use crate::cycles::Cycles;
use crate::devices::Devices;
use crate::environment::Remote;
use crate::fault;
use crate::handoff::{Handoff, Stopwatch};
use crate::journal::Recorder;
use crate::load::Watch;
use crate::mounts::Mounts;
use crate::process::{PidFiles, Processes, Unclaimed};
use crate::shutdown::{FinalKill, KernelThreads, MachineEnd, Marked};
use crate::tracked::Tracked;
use crate::unit_log::UnitLogs;

use poll::Poll;
use timers::Timers;

/// What PID 1 knows about where it runs and how it got here.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// In a container: no reboot(2), no kernel log.
    pub(crate) container: bool,
    /// The kernel's command line.
    pub(crate) command_line: Vec<String>,
    /// Where the program to execute next is.
    pub(crate) program: PathBuf,
    /// CLOCK_MONOTONIC when this userspace began: boot, or the last soft-reboot.
    pub(crate) started: Usec,
    /// CLOCK_MONOTONIC when its boot was complete.
    pub(crate) boot_finished: Option<Usec>,
    /// Re-execs of this userspace.
    pub(crate) reexecs: u32,
    /// Soft and hard limit of descriptors that services start with.
    pub(crate) service_nofile: (u64, u64),
}

/// PID 1.
pub(crate) struct Manager {
    /// Decides.
    pub(crate) engine: Engine,
    /// Holds every descriptor that has to cross an execve.
    pub(crate) store: FdStore,
    /// Closes what services have given us: that may block, and nobody here may wait.
    pub(crate) closer: OnceCell<Option<Closer>>,
    /// What can become ready.
    pub(crate) poll: Poll,
    /// When.
    pub(crate) timers: Timers,
    /// The signals of PID 1.
    pub(crate) signals: SignalFd,
    /// The notification socket.
    pub(crate) notify: Receiver,
    /// The cgroup tree.
    pub(crate) cgroups: Cgroups,
    /// Devices that come and go.
    pub(crate) devices: Devices,
    /// The mount table.
    pub(crate) mounts: Mounts,
    /// What the directories of unit files held when a unit was last read.
    pub(crate) listings: softboot_unit::Listings,
    /// PID files that are waited for.
    pub(crate) pid_files: PidFiles,
    /// Processes by token.
    pub(crate) processes: Processes,
    /// Output that is no whole line yet.
    pub(crate) logs: UnitLogs,
    /// Control clients.
    pub(crate) clients: Clients,
    /// INVOCATION_ID of each unit that runs.
    pub(crate) invocations: Tracked<UnitName, String>,
    /// Variables that every service starts with, by name.
    pub(crate) environment: Tracked<String, String>,
    /// What a container ends with.
    pub(crate) exit_code: u8,
    /// Who is behind accepted connections.
    pub(crate) remotes: Tracked<FdToken, Remote>,
    /// What was open when this boot began, and is not known to be anybody's yet.
    pub(crate) adoptable: Vec<OwnedFd>,
    /// After a lost state: what runs and is not known to be anybody's yet.
    pub(crate) unclaimed: Unclaimed,
    /// How often each port woke us lately (PollLimitBurst=).
    pub(crate) poll_limits: BTreeMap<EntryId, Limiter>,
    /// What the engine wants of the whole manager.
    pub(crate) objective: Option<Objective>,
    /// Who survives, from when it is found out to the final kill.
    pub(crate) marked: Option<Marked>,
    /// The final kill, while it is under way.
    pub(crate) final_kill: Option<FinalKill>,
    /// Nobody has to be asked about these again in the end that is coming.
    pub(crate) kernel_threads: KernelThreads,
    /// The end of the machine, while everything is taken apart.
    pub(crate) machine_end: Option<MachineEnd>,
    /// Units whose definitions were read since all of them were written for a handoff.
    pub(crate) definitions_since: BTreeSet<UnitName>,
    /// What another version wrote into the snapshot and this one does not know.
    pub(crate) carried: Option<serde_json::Value>,
    /// How this program took over from the one before.
    pub(crate) taken_over: Option<TakingOver>,
    /// What the last handoffs and crashes cost.
    pub(crate) cycles: Cycles,
    /// A handoff, from its request to the exec.
    pub(crate) handoff: Option<Handoff>,
    /// It has said that no unit file has changed. To be dropped when nobody waits.
    pub(crate) spent_watch: Option<Watch>,
    /// From the end of one userspace to the beginning of the next in the same program.
    pub(crate) turning_over: Option<Stopwatch>,
    /// Signals that came while userspace ended for a soft-reboot: they are for the next one.
    pub(crate) put_off: Vec<i32>,
    /// Written to by a thread of ours that is done.
    pub(crate) thread_done: OwnedFd,
    /// Ready for a crash.
    pub(crate) recorder: Recorder,
    /// Where we are.
    pub(crate) facts: Facts,
    /// CLOCK_MONOTONIC of the engine's last step: all that follows from it happened then.
    pub(crate) step_at: Usec,
    pending: VecDeque<Event>,
    next_token: u64,
}

impl Manager {
    /// Room that the queue had when it was long.
    pub(crate) fn forget_room(&mut self) {
        self.pending.shrink_to_fit();
    }

    /// Queues an event for the engine.
    pub(crate) fn feed(&mut self, event: Event) {
        fault::place("feed");
        self.journal_fed(&event);
        fault::place("fed");
        self.pending.push_back(event);
    }

    /// What the engine has not been told yet.
    pub(crate) fn pending_events(&self) -> Vec<Event> {
        self.pending.iter().cloned().collect()
    }

    /// The queue of the program before.
    pub(crate) fn set_pending(&mut self, events: Vec<Event>) {
        self.pending = events.into();
    }

    /// Nothing is under way that only this program knows of.
    pub(crate) fn is_quiet(&self) -> bool {
        self.pending.is_empty()
            && self.objective.is_none()
            && self.final_kill.is_none()
            && self.handoff.is_none()
    }

    /// A number never given before, for connections and requests.
    pub(crate) fn next_token(&mut self) -> u64 {
        let token = self.next_token;
        self.next_token = self.next_token.saturating_add(1);
        token
    }

    /// A request id that is not given again.
    pub(crate) fn next_request(&mut self) -> RequestId {
        RequestId(self.next_token())
    }

    /// Asks the engine to start a unit that the manager itself wants.
    pub(crate) fn start_own(&mut self, unit: UnitName, mode: softboot_unit::JobMode) -> RequestId {
        let request = self.next_request();
        let kind = softboot_engine::JobKind::Start;
        self.feed(Event::Request {
            request,
            kind,
            unit,
            mode,
            manual: false,
        });
        request
    }

    /// Loads units (and what they mention) that the engine does not know or did not find before.
    pub(crate) fn load_units(&mut self, names: &[UnitName]) {
        let usable = |name: &UnitName| {
            self.engine
                .unit(name)
                .and_then(|unit| self.engine.definition(unit))
                .is_some_and(|definition| definition.load != softboot_unit::LoadState::NotFound)
        };
        let missing: Vec<UnitName> = names.iter().filter(|name| !usable(name)).cloned().collect();
        if missing.is_empty() {
            return;
        }
        let known = |name: &UnitName| !missing.contains(name) && self.engine.unit(name).is_some();
        let definitions = crate::load::closure(&missing, &known, &self.listings);
        for definition in &definitions {
            report_diagnostics(definition);
        }
        self.definitions_read(&definitions);
        self.feed(Event::Loaded(definitions));
        self.devices.look = true;
        self.mounts.look = true;
    }
}

/// Mistakes in a unit's files go to the log, with file and line.
pub(crate) fn report_diagnostics(definition: &softboot_unit::Definition) {
    for diagnostic in &definition.diagnostics {
        if diagnostic.severity != softboot_unit::Severity::Unsupported {
            tracing::warn!("{diagnostic}");
        }
    }
}
