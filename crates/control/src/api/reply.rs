//! The replies. Times are in microseconds; `Realtime` since 1970, otherwise CLOCK_MONOTONIC.

use serde::{Deserialize, Serialize};

/// Reply of `Describe`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ManagerInfo {
    /// softbootd's version.
    pub version: String,
    /// Its process number as it sees itself.
    pub pid: i32,
    /// `starting`, `running`, `degraded` or `stopping`.
    pub state: String,
    /// Soft-reboots since the kernel booted.
    pub soft_reboots: u32,
    /// Re-execs since this userspace began.
    pub reexecs: u32,
    /// How often softbootd has crashed and gone on, in the minute before its last crash.
    pub crashes: u32,
    /// After repeated crashes: jobs are run only for those who ask.
    pub safe_mode: bool,
    /// Units known.
    pub units: u32,
    /// Units failed.
    pub failed: u32,
    /// Jobs waiting or running.
    pub jobs: u32,
    /// Kernel release.
    pub kernel: String,
    /// Host name.
    pub hostname: String,
    /// When this userspace began.
    pub started_usec: u64,
    /// When its boot was complete.
    pub boot_finished_usec: Option<u64>,
    /// Whether this is a container.
    pub container: bool,
    /// How this program took over, if there was one before it.
    pub taken_over: Option<TakingOver>,
}

/// How long a program was at taking over from the one before, when nobody answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TakingOver {
    /// `reexec`, `soft-reboot` or `crash`.
    pub kind: String,
    /// When the program before began with it, or with a crash when this one began.
    pub began_usec: u64,
    /// Until this one was in charge and had looked at everything.
    pub took_usec: u64,
    /// What the time went into, in order.
    pub phases: Vec<Phase>,
}

/// A part of something that takes time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Phase {
    /// What was done.
    pub name: String,
    /// How long.
    pub usec: u64,
}

/// A unit's job in short.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JobBrief {
    /// Its number.
    pub id: u32,
    /// `start`, `stop`, …
    pub kind: String,
}

/// A job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JobInfo {
    /// Its number.
    pub id: u32,
    /// Whose.
    pub unit: String,
    /// `start`, `stop`, …
    pub kind: String,
    /// `waiting` or `running`.
    pub state: String,
    /// The jobs that have to end before it begins; none of a job that runs.
    pub waits_for: Vec<u32>,
}

/// A unit in short.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(
    missing_docs,
    reason = "the fields are the interface's; DESCRIPTION explains those that need it"
)]
pub struct UnitInfo {
    pub name: String,
    pub description: String,
    pub load: String,
    pub active: String,
    pub sub: String,
    pub result: Option<String>,
    pub job: Option<JobBrief>,
    pub main_pid: Option<i32>,
    pub control_pid: Option<i32>,
    pub restarts: u32,
    pub stored_fds: u32,
    pub accepted: u32,
    pub connections: u32,
    pub refused: u32,
    pub triggers: Vec<String>,
    pub triggered_by: Vec<String>,
    pub status_text: Option<String>,
    pub main_status: Option<String>,
    pub changed_realtime_usec: u64,
    pub survives: bool,
}

/// What `GetUnit` adds to a [`UnitInfo`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UnitDetail {
    /// The file it came from.
    pub fragment: Option<String>,
    /// Drop-ins, in the order of application.
    pub drop_ins: Vec<String>,
    /// Mistakes and unsupported settings, each with file and line.
    pub diagnostics: Vec<String>,
    /// Its cgroup below softbootd's root.
    pub cgroup: Option<String>,
    /// The processes in it.
    pub processes: Vec<ProcessInfo>,
    /// What a socket unit listens on.
    pub listen: Vec<ListenInfo>,
    /// Its fd store, oldest first.
    pub fds: Vec<FdInfo>,
    /// The last lines of its log; empty for those who may not read logs.
    pub log_tail: Vec<LogLine>,
}

/// A process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProcessInfo {
    /// Its number.
    pub pid: i32,
    /// Its command line.
    pub command: String,
}

/// A port of a socket unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListenInfo {
    /// Path, `@name`, or address and port.
    pub address: String,
    /// `stream`, `datagram`, `seqpacket` or `fifo`.
    pub kind: String,
    /// Its name for the service.
    pub fd_name: String,
    /// SO_COOKIE: the same number is the same kernel object.
    pub cookie: Option<u64>,
}

/// A descriptor in a unit's fd store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FdInfo {
    /// Its name.
    pub name: String,
    /// What kind of descriptor.
    pub kind: String,
    /// Its inode.
    pub inode: u64,
    /// SO_COOKIE of a socket.
    pub cookie: Option<u64>,
    /// What the kernel calls it.
    pub path: String,
}

/// A line of a unit's log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LogLine {
    /// When softbootd read it.
    pub time_usec: u64,
    /// What was written.
    pub text: String,
}

/// Reply of `ListUnits`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ListUnitsReply {
    /// In the order of their names.
    pub units: Vec<UnitInfo>,
}

/// Reply of `GetUnit`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UnitReply {
    /// In short.
    pub unit: UnitInfo,
    /// And the rest.
    pub detail: UnitDetail,
}

/// Reply of `ListFds`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FdsReply {
    /// Oldest first.
    pub fds: Vec<FdInfo>,
}

/// Reply of `Enqueue`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EnqueueReply {
    /// The job, if one was needed.
    pub job_id: Option<u32>,
    /// How it ended (`done`, `failed`, …); `None` when nobody waited.
    pub result: Option<String>,
}

/// Reply of `ListJobs`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ListJobsReply {
    /// In the order of their numbers.
    pub jobs: Vec<JobInfo>,
}

/// Reply of `Logs`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogsReply {
    /// Oldest first.
    pub lines: Vec<LogLine>,
}

/// Reply of `IsSystemRunning`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SystemStateReply {
    /// As in [`ManagerInfo::state`].
    pub state: String,
}

/// Reply of `SoftReboot` with `check`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CheckReply {
    /// The root that it would change to.
    pub root: Option<NextRoot>,
    /// What would keep the old root in memory; known when the root would change.
    pub pins: Vec<RootPin>,
    /// What becomes of each unit that is up, but for targets and slices. A re-exec leaves all as they are.
    pub units: Vec<UnitFate>,
    /// How the last handoff went, if it was of the same kind: nobody was answered for so long.
    pub last: Option<TakingOver>,
}

/// What a soft-reboot makes of a unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UnitFate {
    /// Whose.
    pub unit: String,
    /// `survives`: its processes run on; `stays`: a socket or mount that stays as it is; `stops`: stopped in order;
    /// `killed`: nothing stops it, so the final kill does.
    pub fate: String,
    /// The next boot starts it.
    pub starts: bool,
}

/// A root to change to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NextRoot {
    /// Where it is now.
    pub path: String,
    /// `directory`, `mount`, `squashfs image`, …
    pub source: String,
    /// The name of its operating system.
    pub os: String,
    /// Its softbootd, as seen from it.
    pub program: String,
}

/// Something that a survivor has of the old root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RootPin {
    /// Whose.
    pub unit: String,
    /// The process; `None`: a descriptor that PID 1 stores.
    pub pid: Option<i32>,
    /// `program /usr/bin/x`, `open file /var/log/x`, …
    pub what: String,
}

/// Reply of calls that return nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Empty {}

/// One reply of `Snapshot`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SnapshotReply {
    /// Format version of the envelope.
    pub format: u32,
    /// CRC-32 of all pieces.
    pub checksum: u32,
    /// Length of all pieces in bytes.
    pub bytes: u64,
    /// This piece.
    pub text: String,
}
