//! What the engine asks for.

use serde::{Deserialize, Serialize};
use softboot_unit::{Cleanable, UnitName};

use crate::event::{FdToken, JobId, ProcId, RequestId, TimerId, UnitId};
use crate::state::{JobKind, JobResult, ServiceResult, UnitStatus};
use softboot_unit::Usec;

/// What the manager has to do, in this order. It reports back with events, never from inside an action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Evaluate the unit's conditions and asserts; answer with `ConditionsChecked`.
    CheckConditions {
        /// Whose.
        unit: UnitId,
    },
    /// Make the unit's cgroup if it is not there and start a process in it; answer with `Spawned` or `SpawnFailed`.
    Spawn(Spawn),
    /// Find the main process of a forking service: the one that PIDFile= names, else the only one in its cgroup that
    /// is a child of PID 1 (semantics 4.2, 4.3). Answer with `MainAdopted` or `MainUnknown`. A PID file that is not
    /// there yet is looked at again whenever it may have changed, as long as [`crate::Engine::waits_for_main`].
    FindMain {
        /// Whose.
        unit: UnitId,
    },
    /// Send a signal.
    Kill {
        /// Whose processes.
        unit: UnitId,
        /// Which of them.
        whom: KillWhom,
        /// Signal number. The manager sends SIGCONT after it unless it is SIGKILL or SIGCONT (semantics 4.9).
        signal: i32,
        /// Also SIGHUP.
        hangup: bool,
    },
    /// Open the ports of a socket unit; answer with `SocketOpened` or `SocketOpenFailed`.
    OpenSockets {
        /// Which.
        unit: UnitId,
    },
    /// The ports of an open socket unit are configured anew: open what is new and close what is gone, or leave all as
    /// it is and say why. The order is that of the configuration.
    ReconcileSockets {
        /// Which.
        unit: UnitId,
    },
    /// Close them (and remove nodes where RemoveOnStop= says so).
    CloseSockets {
        /// Which.
        unit: UnitId,
    },
    /// Watch the ports for traffic, or do not.
    PollSockets {
        /// Which.
        unit: UnitId,
        /// True: watch.
        on: bool,
    },
    /// Drain what is queued on the ports (FlushPending=, or a trigger while a stop job waits).
    FlushSockets {
        /// Which.
        unit: UnitId,
    },
    /// A descriptor is not wanted: close it.
    CloseConnection(FdToken),
    /// Wake the engine at this CLOCK_MONOTONIC instant; replaces an earlier one of the same id.
    ArmTimer {
        /// Which.
        timer: TimerId,
        /// When.
        at: Usec,
    },
    /// Forget a timer.
    CancelTimer(TimerId),
    /// Close every descriptor in the unit's fd store.
    ReleaseFdStore {
        /// Whose.
        unit: UnitId,
    },
    /// The unit is down: remove its cgroup and runtime directories, close its connection.
    Release {
        /// Whose.
        unit: UnitId,
        /// Its files below /run go too (RuntimeDirectoryPreserve=no).
        runtime_directories: bool,
    },
    /// Another run follows by itself: the unit's files below /run go (semantics 4.7, RuntimeDirectoryPreserve=no), and
    /// nothing else does.
    RemoveRuntimeDirectories {
        /// Whose.
        unit: UnitId,
    },
    /// A unit's status changed: tell subscribers. The new status is [`crate::Engine::status`].
    Changed {
        /// Whose.
        unit: UnitId,
    },
    /// A job is in the table.
    JobNew {
        /// Which.
        job: JobId,
        /// Whose.
        unit: UnitId,
        /// What kind.
        kind: JobKind,
    },
    /// A job left the table.
    JobDone {
        /// Which.
        job: JobId,
        /// Whose.
        unit: UnitId,
        /// What kind.
        kind: JobKind,
        /// How.
        result: JobResult,
    },
    /// The job that a request made is in the table (clients that do not wait are answered now).
    RequestQueued {
        /// Whose.
        request: RequestId,
        /// The job.
        job: JobId,
    },
    /// A request ended: its job finished, or it was refused.
    RequestDone {
        /// Whose.
        request: RequestId,
        /// The job's result, or why there is none.
        outcome: Result<JobResult, RequestError>,
    },
    /// The whole manager has to do something. At most one is under way; the last one asked for wins.
    Objective(Objective),
    /// Before the final kill of a soft-reboot: which units survive though no setting of theirs says so (semantics 7.5: a
    /// mark on their cgroup, a main process of root whose name begins with `@`)? Answer with `SurvivorsFound`.
    FindSurvivors,
    /// End every process that is not PID 1, a kernel thread or in a spared unit's cgroup: SIGTERM, a grace, SIGKILL,
    /// waited for by cgroup events. Answer with `FinalKillDone`.
    FinalKill {
        /// Survivors: they and their sub-cgroups get no signal at all.
        spare: Vec<UnitId>,
    },
    /// A line for the log.
    Log {
        /// How important.
        level: Level,
        /// About which unit.
        unit: Option<UnitId>,
        /// What to say.
        message: String,
    },
}

/// How important a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Somebody has to act.
    Error,
    /// Something is off.
    Warning,
    /// What an operator wants to read.
    Info,
    /// For developers.
    Debug,
}

/// A process to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spawn {
    /// Its token.
    pub process: ProcId,
    /// Whose.
    pub unit: UnitId,
    /// Which command of which list.
    pub command: CommandRef,
    /// True: the main process, with sockets, stored descriptors and LISTEN_FDS.
    pub pass_fds: bool,
    /// Give it NOTIFY_SOCKET (semantics 3.2).
    pub notify_socket: bool,
    /// The connection of an Accept=yes instance.
    pub connection: Option<FdToken>,
    /// WATCHDOG_USEC.
    pub watchdog: Option<Usec>,
    /// MAINPID, where known.
    pub main_pid: Option<i32>,
    /// SERVICE_RESULT, EXIT_CODE and EXIT_STATUS, for ExecStop= and ExecStopPost=.
    pub result: Option<ServiceResult>,
    /// How the main process ended, where it has.
    pub main_status: Option<crate::event::ExitStatus>,
    /// INVOCATION_ID: 32 hex digits. The engine cannot draw random numbers, so the manager keeps one per unit and
    /// makes a new one when this is true.
    pub new_invocation: bool,
    /// The socket unit that an Accept=yes instance belongs to.
    pub socket: Option<UnitName>,
    /// MONITOR_UNIT and the variables beside it, for ExecStartPre= and ExecStart= of what exactly one service starts by
    /// OnFailure= or OnSuccess= (semantics 4.5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitored: Option<Monitored>,
    /// With [`ExecList::Clean`]: which of the unit's directories go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clean: Vec<Cleanable>,
}

impl Spawn {
    /// A process with nothing but its command.
    pub(crate) fn new(process: ProcId, unit: UnitId, command: CommandRef) -> Spawn {
        Spawn {
            process,
            unit,
            command,
            pass_fds: false,
            notify_socket: false,
            connection: None,
            watchdog: None,
            main_pid: None,
            result: None,
            main_status: None,
            new_invocation: false,
            socket: None,
            monitored: None,
            clean: Vec::new(),
        }
    }
}

/// How the service ended whose OnFailure= or OnSuccess= names this unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Monitored {
    /// Its name; the manager knows the id of its run.
    pub unit: UnitName,
    /// Its result.
    pub result: ServiceResult,
    /// How its main process ended, where it has.
    pub main_status: Option<crate::event::ExitStatus>,
}

/// Which command of which list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CommandRef {
    /// The list.
    pub list: ExecList,
    /// Position in it, from 0.
    pub index: u32,
}

/// The Exec lists of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the setting's own words")]
pub enum ExecList {
    Condition,
    StartPre,
    Start,
    StartPost,
    Reload,
    ReloadPost,
    Stop,
    StopPost,
    /// No list of the unit's: the manager's own program removes what [`Spawn::clean`] names.
    Clean,
}

/// Who gets a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KillWhom {
    /// The main process only.
    Main,
    /// The control process only.
    Control,
    /// Main, control, and every other process in the unit's cgroup and below.
    Cgroup,
}

/// What the whole manager has to do next. Those that end userspace come after the stop transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Objective {
    SoftReboot,
    Reboot,
    PowerOff,
    Halt,
    Kexec,
    Exit,
}

/// Why a request made no job (semantics 2.4, 8.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case", tag = "error", content = "message")]
pub enum RequestError {
    /// No such unit.
    #[error("{0}")]
    NoSuchUnit(String),
    /// The unit is masked.
    #[error("{0}")]
    Masked(String),
    /// The unit's files make it unusable.
    #[error("{0}")]
    BadUnitSetting(String),
    /// The unit could not be read.
    #[error("{0}")]
    LoadFailed(String),
    /// This kind of unit cannot do that.
    #[error("{0}")]
    JobTypeNotApplicable(String),
    /// RefuseManualStart= or RefuseManualStop=.
    #[error("{0}")]
    OnlyByDependency(String),
    /// AllowIsolate= is not set.
    #[error("{0}")]
    NoIsolation(String),
    /// It would undo a job that must not be undone, or stop what runs.
    #[error("{0}")]
    TransactionIsDestructive(String),
    /// Jobs of the transaction contradict each other.
    #[error("{0}")]
    TransactionJobsAreConflicting(String),
    /// The order of the transaction is a circle.
    #[error("{0}")]
    TransactionOrderIsCyclic(String),
    /// The request makes no sense.
    #[error("{0}")]
    InvalidArgument(String),
    /// The unit runs or has a job.
    #[error("{0}")]
    UnitBusy(String),
    /// The manager is going down.
    #[error("{0}")]
    ShuttingDown(String),
}

/// A unit's status beside its id, as [`crate::Engine::status`] returns it.
pub type StatusOf = (UnitId, UnitStatus);
