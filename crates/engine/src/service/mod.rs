//! Services (semantics 4).
//!
//! A service has at most one main process and one control process at a time. A control process runs one command of
//! one list; the state says which list. Every state that waits for something outside has a time limit.
//!
//! | state | waits for | then |
//! |---|---|---|
//! | condition, start-pre | the list's commands, one by one | next list; a failure: stop-sigterm |
//! | start | simple: the fork; exec: the exec; notify: READY=1; oneshot: the end of each command | start-post |
//! | start, forking | the end of its command, then to know the main process | start-post |
//! | start-post | its commands | running, exited, or stop |
//! | running | the main process | result bad: stop-sigterm; RemainAfterExit=: exited; else stop |
//! | exited | a stop job | stop |
//! | start, idle | the other jobs, 5 s at most, before its command is run | start-post |
//! | reload, reload-signal, reload-notify, reload-post | ExecReload=, RELOADING=1, READY=1, ExecReloadPost= | running |
//! | stop | ExecStop= | stop-sigterm |
//! | stop-watchdog, stop-sigterm, stop-sigkill | main, control, and with KillMode=control-group the whole cgroup | stop-post |
//! | stop-post | ExecStopPost= | final-sigterm |
//! | final-watchdog, final-sigterm, final-sigkill | what is left in the cgroup | dead, failed, or auto-restart |
//! | cleaning | the process that removes directories | dead; a stop or too long: final-sigkill |
//! | auto-restart | RestartSec= | auto-restart-queued, then a start job does the rest |
//!
//! A signal state is left when `main` and `control` are gone and the cgroup was reported empty since its last
//! process was made. The manager answers every kill of a whole cgroup with such a report, so no wait is forever.

mod clean;
mod dead;
mod forking;
mod idle;
mod main_exit;
mod notify;
mod oom;
mod process;
mod reload;
mod restart;
mod start;
mod stop;
mod timer;

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use softboot_unit::{KindSection, NotifyAccess, ServiceSection, ServiceType, UnitName, Usec, Usual};

use crate::engine::Engine;
use crate::event::{ExitStatus, FdToken, ProcId, UnitId};
use crate::state::{ActiveState, ServiceResult};
use crate::units::Machine;
use clean::Cleaning;

/// The SubStates of semantics 4.1 that exist here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ServiceState {
    #[default]
    Dead,
    DeadResourcesPinned,
    Condition,
    StartPre,
    Start,
    StartPost,
    Running,
    Exited,
    Reload,
    ReloadSignal,
    ReloadNotify,
    ReloadPost,
    Stop,
    StopWatchdog,
    StopSigterm,
    StopSigkill,
    StopPost,
    FinalWatchdog,
    FinalSigterm,
    FinalSigkill,
    Failed,
    DeadBeforeAutoRestart,
    FailedBeforeAutoRestart,
    AutoRestart,
    AutoRestartQueued,
    Cleaning,
}

impl ServiceState {
    pub(crate) fn active(self) -> ActiveState {
        use ServiceState as S;
        match self {
            S::Dead | S::DeadResourcesPinned | S::DeadBeforeAutoRestart => ActiveState::Inactive,
            S::Condition | S::StartPre | S::Start | S::StartPost | S::AutoRestart | S::AutoRestartQueued => {
                ActiveState::Activating
            }
            S::Running | S::Exited => ActiveState::Active,
            S::Reload | S::ReloadSignal | S::ReloadNotify | S::ReloadPost => ActiveState::Reloading,
            S::Stop
            | S::StopWatchdog
            | S::StopSigterm
            | S::StopSigkill
            | S::StopPost
            | S::FinalWatchdog
            | S::FinalSigterm
            | S::FinalSigkill => ActiveState::Deactivating,
            S::Failed | S::FailedBeforeAutoRestart => ActiveState::Failed,
            S::Cleaning => ActiveState::Maintenance,
        }
    }

    pub(crate) fn sub(self) -> &'static str {
        use ServiceState as S;
        match self {
            S::Dead => "dead",
            S::DeadResourcesPinned => "dead-resources-pinned",
            S::Condition => "condition",
            S::StartPre => "start-pre",
            S::Start => "start",
            S::StartPost => "start-post",
            S::Running => "running",
            S::Exited => "exited",
            S::Reload => "reload",
            S::ReloadSignal => "reload-signal",
            S::ReloadNotify => "reload-notify",
            S::ReloadPost => "reload-post",
            S::Stop => "stop",
            S::StopWatchdog => "stop-watchdog",
            S::StopSigterm => "stop-sigterm",
            S::StopSigkill => "stop-sigkill",
            S::StopPost => "stop-post",
            S::FinalWatchdog => "final-watchdog",
            S::FinalSigterm => "final-sigterm",
            S::FinalSigkill => "final-sigkill",
            S::Failed => "failed",
            S::DeadBeforeAutoRestart => "dead-before-auto-restart",
            S::FailedBeforeAutoRestart => "failed-before-auto-restart",
            S::AutoRestart => "auto-restart",
            S::AutoRestartQueued => "auto-restart-queued",
            S::Cleaning => "cleaning",
        }
    }

    /// A signal was sent and its effect is waited for.
    pub(crate) fn waits_for_end(self) -> bool {
        use ServiceState as S;
        matches!(
            self,
            S::StopWatchdog
                | S::StopSigterm
                | S::StopSigkill
                | S::FinalWatchdog
                | S::FinalSigterm
                | S::FinalSigkill
        )
    }

    /// Type=idle counts as active while it starts, so that it holds nobody up (semantics 4.1).
    pub(crate) fn active_as(self, idle: impl Fn() -> bool) -> ActiveState {
        use ServiceState as S;
        match self {
            S::Condition | S::StartPre | S::Start | S::StartPost if idle() => ActiveState::Active,
            _ => self.active(),
        }
    }

    /// As its sockets see it (semantics 1.9, rule 3).
    pub(crate) fn is_gone_for_sockets(self) -> bool {
        use ServiceState as S;
        self.active().is_inactive_ish()
            || matches!(
                self,
                S::AutoRestart | S::AutoRestartQueued | S::FinalSigterm | S::FinalSigkill
            )
    }
}

/// A process of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) id: ProcId,
    pub(crate) pid: Option<i32>,
    /// Which command of its list it is.
    #[serde(default)]
    pub(crate) index: u32,
}

/// What the service said last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Said {
    #[default]
    Nothing,
    Ready,
    Reloading,
    Stopping,
}

/// A service's run-time state. It is saved as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Service {
    pub(crate) state: ServiceState,
    pub(crate) result: ServiceResult,
    pub(crate) reload_failed: bool,
    pub(crate) main: Option<Process>,
    /// Which process is main is or was known in this run; false for a forking service that nobody could place.
    pub(crate) main_known: bool,
    pub(crate) control: Option<Process>,
    pub(crate) main_status: Option<ExitStatus>,
    /// Of the last main process, alive or not: its number, and CLOCK_MONOTONIC of its start and its end.
    pub(crate) main_pid: Option<i32>,
    pub(crate) main_started: Option<Usec>,
    pub(crate) main_ended: Option<Usec>,
    /// A stop job, or the end of userspace: no automatic restart after this run.
    pub(crate) forbid_restart: bool,
    pub(crate) restarts: u32,
    /// Type=idle: its command waits until there are no other jobs.
    pub(crate) idles: bool,
    pub(crate) said: Said,
    pub(crate) access: Option<NotifyAccess>,
    pub(crate) status_text: Option<String>,
    pub(crate) errno: Option<i32>,
    pub(crate) error_name: Option<String>,
    pub(crate) watchdog: Option<Usec>,
    pub(crate) state_deadline: Option<Usec>,
    pub(crate) watchdog_deadline: Option<Usec>,
    /// The cgroup has no process, and none was asked for since that was seen.
    pub(crate) empty: bool,
    /// The next process begins a new run.
    pub(crate) new_run: bool,
    pub(crate) reload_begin: Usec,
    pub(crate) stored_fds: u32,
    /// The connection of an Accept=yes instance.
    pub(crate) connection: Option<FdToken>,
    /// The socket that accepted it, and from whom; it counts the connection until this run is over.
    pub(crate) accepted_by: Option<(UnitName, String)>,
    pub(crate) counted: bool,
    /// How the last removal of what it left behind went, and the one under way.
    pub(crate) clean_result: ServiceResult,
    pub(crate) cleaning: Option<Cleaning>,
}

impl Default for Service {
    fn default() -> Service {
        Service {
            state: ServiceState::Dead,
            result: ServiceResult::Success,
            reload_failed: false,
            main: None,
            main_known: false,
            control: None,
            main_status: None,
            main_pid: None,
            main_started: None,
            main_ended: None,
            forbid_restart: false,
            restarts: 0,
            idles: false,
            said: Said::Nothing,
            access: None,
            status_text: None,
            errno: None,
            error_name: None,
            watchdog: None,
            state_deadline: None,
            watchdog_deadline: None,
            empty: true,
            new_run: false,
            reload_begin: Usec::ZERO,
            stored_fds: 0,
            connection: None,
            accepted_by: None,
            counted: false,
            clean_result: ServiceResult::Success,
            cleaning: None,
        }
    }
}

impl Usual for Service {
    fn usual() -> &'static Service {
        static FRESH: LazyLock<Service> = LazyLock::new(Service::default);
        &FRESH
    }
}

impl Service {
    /// Forgets a failure. True when the state changed.
    pub(crate) fn reset_failed(&mut self) -> bool {
        self.restarts = 0;
        self.result = ServiceResult::Success;
        if self.state != ServiceState::Failed {
            return false;
        }
        self.state = if self.stored_fds > 0 {
            ServiceState::DeadResourcesPinned
        } else {
            ServiceState::Dead
        };
        true
    }

    /// Something of it runs, as far as is known.
    pub(crate) fn has_processes(&self) -> bool {
        self.main.is_some() || self.control.is_some() || !self.empty
    }

    /// The first bad result of a run stays (semantics 4.1).
    pub(crate) fn note_result(&mut self, result: ServiceResult) {
        if self.result == ServiceResult::Success {
            self.result = result;
        }
    }
}

impl Engine {
    pub(crate) fn service(&self, unit: UnitId) -> Option<&Service> {
        self.units[unit].service()
    }

    pub(crate) fn service_mut(&mut self, unit: UnitId) -> Option<&mut Service> {
        match &mut self.units[unit].machine {
            Machine::Service(service) => Some(service),
            _ => None,
        }
    }

    pub(crate) fn service_section(&self, unit: UnitId) -> Option<&ServiceSection> {
        match &self.units[unit].definition.kind {
            KindSection::Service(section) => Some(section),
            _ => None,
        }
    }

    pub(crate) fn service_type(&self, unit: UnitId) -> ServiceType {
        self.service_section(unit)
            .map_or(ServiceType::Simple, |section| section.service_type)
    }

    pub(crate) fn service_state(&self, unit: UnitId) -> ServiceState {
        self.service(unit)
            .map_or(ServiceState::Dead, |service| service.state)
    }

    pub(crate) fn set_service_state(&mut self, unit: UnitId, state: ServiceState) {
        let old = self.units[unit].active();
        let Some(service) = self.service_mut(unit) else {
            return;
        };
        service.state = state;
        let reload_failed = service.reload_failed;
        self.state_changed(unit, old, reload_failed);
    }
}
