//! What the engine is told.

use serde::{Deserialize, Serialize};
use softboot_unit::{Cleanable, Definition, EmergencyAction, JobMode, NotifyAccess, UnitName, Usec};

use crate::saved::NextUserspace;
use crate::state::JobKind;

/// The clocks at the moment an event was seen. The engine never reads one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// CLOCK_MONOTONIC: timeouts.
    pub monotonic: Usec,
    /// CLOCK_BOOTTIME: rate limits (semantics 4.8).
    pub boottime: Usec,
    /// CLOCK_REALTIME: what people read.
    pub realtime: Usec,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $inner:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);
    };
}

id!(
    /// A unit. Stable for the life of one program; a snapshot uses names.
    UnitId, u32);
id!(
    /// A job. Kept over re-exec; never 0.
    JobId, u32);
id!(
    /// A process the engine asked for. Kept over re-exec and soft-reboot; never reused.
    ProcId, u64);
id!(
    /// A descriptor the manager holds for the engine: an accepted connection.
    FdToken, u64);
id!(
    /// Somebody who waits for the outcome of a request. Chosen by the manager.
    RequestId, u64);

impl ProcId {
    /// Numbers from here on are the manager's, below they are the engine's.
    const FOUND: u64 = 1 << 40;

    /// The token of a process that the manager found, from a number that it gives only once. The engine has no part
    /// in it: nothing but a step changes an engine.
    pub fn found(number: u64) -> ProcId {
        ProcId(Self::FOUND.saturating_add(number))
    }
}

/// One timer a unit can have of each kind, so (unit, kind) names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TimerId {
    /// Whose.
    pub unit: UnitId,
    /// Which.
    pub kind: TimerKind,
}

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimerKind {
    /// The time limit of the current state, or the hold-off before an automatic restart.
    State,
    /// WatchdogSec=.
    Watchdog,
    /// JobTimeoutSec= or JobRunningTimeoutSec= of the unit's job.
    Job,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExitStatus {
    /// exit(2) with this code.
    Exited(i32),
    /// Killed by this signal.
    Signaled(i32),
    /// Killed by this signal, with a core dump.
    Dumped(i32),
}

/// Something happened, or somebody asks for something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// Definitions were read: new ones are added, known ones replaced. The manager always sends the closure: every
    /// unit that a definition names is there too, as `NotFound` if need be.
    Loaded(Vec<Definition>),
    /// A client, a signal or the manager itself asks for a job.
    Request {
        /// Where the outcome goes; see [`crate::Action::RequestDone`].
        request: RequestId,
        /// What kind of job.
        kind: JobKind,
        /// For which unit.
        unit: UnitName,
        /// How other jobs are treated.
        mode: JobMode,
        /// True: a person or tool asked, so RefuseManualStart= and RefuseManualStop= hold.
        manual: bool,
    },
    /// Cancel a job, or all.
    Cancel(Option<JobId>),
    /// Forget the failed state and start limits of a unit, or of all.
    ResetFailed(Option<UnitName>),
    /// Remove what a service that is down leaves behind. It is in state `cleaning` until [`crate::Action::RequestDone`].
    Clean {
        /// Where the outcome goes.
        request: RequestId,
        /// Whose.
        unit: UnitName,
        /// What.
        what: Vec<Cleanable>,
    },
    /// Nobody waits for this request any more.
    RequestDropped(RequestId),
    /// A process that [`crate::Action::Spawn`] asked for exists.
    Spawned {
        /// Which.
        process: ProcId,
        /// Its number, to show and to match MAINPID=.
        pid: i32,
    },
    /// It could not be made, or failed before its exec.
    SpawnFailed {
        /// Which.
        process: ProcId,
        /// What failed, e.g. `exec /usr/sbin/x: No such file or directory`.
        error: String,
        /// The exit code the reference would show (200 to 245), e.g. 203.
        code: i32,
    },
    /// Its exec succeeded (Type=exec waits for this).
    Executed {
        /// Which.
        process: ProcId,
    },
    /// It ended.
    Exited {
        /// Which.
        process: ProcId,
        /// How.
        status: ExitStatus,
    },
    /// The unit's cgroup has no process any more.
    CgroupEmpty {
        /// Whose.
        unit: UnitId,
    },
    /// A process outside the control of a spawn became main (MAINPID= of a process that the engine did not ask for).
    MainAdopted {
        /// The unit.
        unit: UnitId,
        /// The token the manager gave it ([`ProcId::found`]).
        process: ProcId,
        /// Its number.
        pid: i32,
    },
    /// The answer to [`crate::Action::FindMain`] when there is no process that may be taken.
    MainUnknown {
        /// Whose.
        unit: UnitId,
        /// True: PIDFile= may still appear.
        waits: bool,
    },
    /// The kernel killed a process of the unit's cgroup for want of memory (memory.events, oom_kill).
    OomKilled {
        /// Whose.
        unit: UnitId,
    },
    /// A notification, with the sender's place already found.
    Notify {
        /// The unit it belongs to.
        unit: UnitId,
        /// Which of the unit's processes sent it.
        sender: Sender,
        /// What it says; descriptors stay with the manager.
        message: Notification,
    },
    /// All ports of a socket unit are open.
    SocketOpened {
        /// Which.
        unit: UnitId,
    },
    /// A port could not be opened; none is open now.
    SocketOpenFailed {
        /// Which.
        unit: UnitId,
        /// Port and reason.
        error: String,
    },
    /// Traffic waits on a listening port (Accept=no).
    SocketReadable {
        /// Which.
        unit: UnitId,
    },
    /// A connection was accepted (Accept=yes) for an instance from [`crate::Engine::accept_instance`], whose
    /// definition has been sent.
    SocketAccepted {
        /// The socket unit.
        unit: UnitId,
        /// The instance to start.
        instance: UnitName,
        /// The connection.
        connection: FdToken,
        /// Who it comes from, as MaxConnectionsPerSource= counts: address, CID or uid.
        source: String,
    },
    /// A listening port reported an error or hang-up, or accept(2) failed for good.
    SocketBroken {
        /// Which.
        unit: UnitId,
        /// What was seen.
        error: String,
    },
    /// The number of descriptors in a unit's fd store changed.
    FdStoreCount {
        /// Whose.
        unit: UnitId,
        /// How many there are now.
        count: u32,
    },
    /// The kernel's mount table has something at a mount unit's place, or has not. May say what is known already, and
    /// comes before the `Exited` of a process of that unit.
    MountSeen {
        /// Its unit.
        unit: UnitId,
        /// Something is mounted there.
        mounted: bool,
    },
    /// A device is there, or is not. May say what is known already.
    DeviceSeen {
        /// Its unit.
        unit: UnitId,
        /// It is there and ready for use.
        present: bool,
    },
    /// Conditions were evaluated: the answer to [`crate::Action::CheckConditions`].
    ConditionsChecked {
        /// Whose.
        unit: UnitId,
        /// All conditions hold.
        conditions: bool,
        /// All asserts hold.
        asserts: bool,
    },
    /// A timer is due.
    Timer(TimerId),
    /// Units that survive by what the system says of their processes: the answer to [`crate::Action::FindSurvivors`].
    SurvivorsFound {
        /// In any order; those that survive by their own setting may be among them.
        units: Vec<UnitId>,
    },
    /// Sockets that the next soft-reboot need not close, though they have default dependencies: the next userspace has
    /// them as they are. Comes right before the request of the soft-reboot; none: it came to nothing.
    StayOpen {
        /// Socket units; others are passed over.
        sockets: Vec<UnitName>,
    },
    /// The world is about to end: everything but survivors must go (see [`crate::Action::FinalKill`]).
    FinalKillDone,
    /// Everything has ended, and this program goes on with the next userspace. The manager has forgotten every timer.
    NextUserspace(NextUserspace),
    /// The handoff that an objective asked for was given up; go on as if it had not been asked.
    ObjectiveAborted {
        /// Why.
        reason: String,
    },
    /// From now on jobs are run only for those who ask, or for the engine itself again: the manager has crashed too
    /// often.
    SafeMode(bool),
    /// A process signal that PID 1 received and that means a job (semantics 6.1).
    Signal(ManagerSignal),
}

/// The signals of PID 1 that mean a job or an objective (semantics 6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ManagerSignal {
    /// SIGINT: Ctrl-Alt-Del; seven within two seconds reboot at once.
    CtrlAltDel,
    /// SIGWINCH.
    KbRequest,
    /// SIGPWR.
    Power,
    /// SIGRTMIN+0: isolate default.target.
    Default,
    /// SIGRTMIN+1.
    Rescue,
    /// SIGRTMIN+2.
    Emergency,
    /// SIGRTMIN+3 to +7 and +13 to +17, as the action they ask for (`…Force` for the immediate ones).
    Shutdown(EmergencyAction),
}

/// Which of a unit's processes sent a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sender {
    /// The main process.
    Main,
    /// The current control process.
    Control,
    /// Another process in the unit's cgroup.
    Other,
}

/// The parts of a notification that the engine acts on (semantics 3.4).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// READY=1.
    pub ready: bool,
    /// RELOADING=1.
    pub reloading: bool,
    /// STOPPING=1.
    pub stopping: bool,
    /// MONOTONIC_USEC=.
    pub monotonic: Option<Usec>,
    /// STATUS=; empty clears.
    pub status: Option<String>,
    /// ERRNO=.
    pub errno: Option<i32>,
    /// BUSERROR= or VARLINKERROR=.
    #[serde(default)]
    pub error_name: Option<String>,
    /// With READY=1 of a service of Type=notify-reload: its main process neither catches nor blocks ReloadSignal=.
    #[serde(default)]
    pub dies_of_reload: bool,
    /// NOTIFYACCESS=.
    pub access: Option<NotifyAccess>,
    /// EXTEND_TIMEOUT_USEC=.
    pub extend_timeout: Option<Usec>,
    /// WATCHDOG=1.
    pub watchdog: bool,
    /// WATCHDOG=trigger.
    pub watchdog_trigger: bool,
    /// WATCHDOG_USEC=.
    pub watchdog_interval: Option<Usec>,
    /// RESTART_RESET=1.
    pub restart_reset: bool,
}
