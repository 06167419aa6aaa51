//! Mounts: mount(8) and umount(8) do the work, /proc/self/mountinfo says what is.
//!
//! | state | waits for | then |
//! |---|---|---|
//! | mounting | the command; the mount point to show up | mounting-done, mounted, or failed |
//! | mounting-done | the command; it is mounted already | mounted |
//! | mounted | a stop job; somebody who unmounts it | unmounting; dead |
//! | remounting | the command | mounted |
//! | unmounting | the command | dead; mounted if it failed |
//! | mounting-sigterm, -sigkill; remounting-…; unmounting-… | no process is left | mounted or dead, as the kernel says |
//!
//! What the kernel says wins: a command that failed may have mounted all the same, and anybody may mount and unmount.

mod commands;

use serde::{Deserialize, Serialize};
use softboot_unit::{KindSection, MountSection, Usec};

use crate::action::{Action, ExecList, Level};
use crate::control::Control;
use crate::engine::Engine;
use crate::event::{TimerId, TimerKind, UnitId};
use crate::jobs::Begun;
use crate::state::{ActiveState, JobResult, ServiceResult};
use crate::units::Machine;

/// The SubStates of a mount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MountState {
    #[default]
    Dead,
    Mounting,
    MountingDone,
    Mounted,
    Remounting,
    Unmounting,
    MountingSigterm,
    MountingSigkill,
    RemountingSigterm,
    RemountingSigkill,
    UnmountingSigterm,
    UnmountingSigkill,
    Failed,
}

impl MountState {
    pub(crate) fn active(self) -> ActiveState {
        use MountState as S;
        match self {
            S::Dead => ActiveState::Inactive,
            S::Mounting | S::MountingDone => ActiveState::Activating,
            S::Mounted => ActiveState::Active,
            S::Remounting | S::RemountingSigterm | S::RemountingSigkill => ActiveState::Reloading,
            S::Unmounting
            | S::MountingSigterm
            | S::MountingSigkill
            | S::UnmountingSigterm
            | S::UnmountingSigkill => ActiveState::Deactivating,
            S::Failed => ActiveState::Failed,
        }
    }

    pub(crate) fn sub(self) -> &'static str {
        use MountState as S;
        match self {
            S::Dead => "dead",
            S::Mounting => "mounting",
            S::MountingDone => "mounting-done",
            S::Mounted => "mounted",
            S::Remounting => "remounting",
            S::Unmounting => "unmounting",
            S::MountingSigterm => "mounting-sigterm",
            S::MountingSigkill => "mounting-sigkill",
            S::RemountingSigterm => "remounting-sigterm",
            S::RemountingSigkill => "remounting-sigkill",
            S::UnmountingSigterm => "unmounting-sigterm",
            S::UnmountingSigkill => "unmounting-sigkill",
            S::Failed => "failed",
        }
    }

    /// A signal was sent and its effect is waited for.
    pub(crate) fn waits_for_end(self) -> bool {
        use MountState as S;
        matches!(
            self,
            S::MountingSigterm
                | S::MountingSigkill
                | S::RemountingSigterm
                | S::RemountingSigkill
                | S::UnmountingSigterm
                | S::UnmountingSigkill
        )
    }
}

/// A mount's run-time state. It is saved as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Mount {
    pub(crate) state: MountState,
    pub(crate) result: ServiceResult,
    pub(crate) reload_failed: bool,
    /// The kernel has something at the mount point.
    pub(crate) seen: bool,
    /// How often it was unmounted in this stop; one mount may hide another.
    pub(crate) rounds: u32,
    pub(crate) deadline: Option<Usec>,
    pub(crate) control: Control,
}

impl Default for Mount {
    fn default() -> Mount {
        Mount {
            state: MountState::Dead,
            result: ServiceResult::Success,
            reload_failed: false,
            seen: false,
            rounds: 0,
            deadline: None,
            control: Control::default(),
        }
    }
}

impl Mount {
    /// Forgets a failure. True when the state changed.
    pub(crate) fn reset_failed(&mut self) -> bool {
        self.result = ServiceResult::Success;
        let failed = self.state == MountState::Failed;
        if failed {
            self.state = MountState::Dead;
        }
        failed
    }

    /// A new userspace: what the kernel has is still mounted, commands are gone.
    pub(crate) fn begin_userspace(&mut self) {
        *self = Mount {
            state: if self.seen {
                MountState::Mounted
            } else {
                MountState::Dead
            },
            seen: self.seen,
            ..Mount::default()
        };
    }
}

impl Engine {
    pub(crate) fn mount(&self, unit: UnitId) -> Option<&Mount> {
        match &self.units[unit].machine {
            Machine::Mount(mount) => Some(mount),
            _ => None,
        }
    }

    pub(crate) fn mount_mut(&mut self, unit: UnitId) -> Option<&mut Mount> {
        match &mut self.units[unit].machine {
            Machine::Mount(mount) => Some(mount),
            _ => None,
        }
    }

    fn mount_section(&self, unit: UnitId) -> Option<&MountSection> {
        match &self.units[unit].definition.kind {
            KindSection::Mount(section) => Some(section),
            _ => None,
        }
    }

    fn mount_state(&self, unit: UnitId) -> MountState {
        self.mount(unit).map_or(MountState::Dead, |mount| mount.state)
    }

    fn set_mount_state(&mut self, unit: UnitId, state: MountState) {
        let old = self.units[unit].active();
        let Some(mount) = self.mount_mut(unit) else { return };
        mount.state = state;
        let reload_failed = mount.reload_failed;
        self.state_changed(unit, old, reload_failed);
    }

    /// The kernel has something at the mount point, or nothing any more. May say what is known already.
    pub(crate) fn mount_seen(&mut self, unit: UnitId, mounted: bool) {
        let Some(mount) = self.mount_mut(unit) else { return };
        if std::mem::replace(&mut mount.seen, mounted) == mounted {
            return;
        }
        match (mount.state, mounted) {
            (MountState::Dead | MountState::Failed, true) => {
                mount.result = ServiceResult::Success;
                self.set_mount_state(unit, MountState::Mounted);
            }
            (MountState::Mounting, true) => self.set_mount_state(unit, MountState::MountingDone),
            (MountState::MountingDone, false) => self.set_mount_state(unit, MountState::Mounting),
            (MountState::Mounted, false) => self.set_mount_state(unit, MountState::Dead),
            _ => {}
        }
    }

    pub(crate) fn start_mount(&mut self, unit: UnitId) -> Begun {
        if matches!(
            self.mount_state(unit),
            MountState::Mounting | MountState::MountingDone
        ) {
            return Begun::Running;
        }
        let limit = self.units[unit].definition.unit.start_limit;
        let now = self.now.boottime;
        let allowed = self.units[unit].start_limit.allow(limit, now);
        let Some(mount) = self.mount_mut(unit) else {
            return Begun::Over(JobResult::Failed);
        };
        mount.result = ServiceResult::Success;
        mount.reload_failed = false;
        if !allowed {
            self.log(
                Level::Error,
                Some(unit),
                "mounted too often in too short a time; `softctl reset-failed` clears this",
            );
            self.mount_settles(unit, ServiceResult::StartLimitHit);
            return Begun::Over(JobResult::Failed);
        }
        self.set_mount_state(unit, MountState::Mounting);
        self.run_mount_command(unit, ExecList::Start);
        Begun::Running
    }

    /// A stop job.
    pub(crate) fn stop_mount(&mut self, unit: UnitId) {
        match self.mount_state(unit) {
            MountState::Mounting | MountState::MountingDone => {
                self.enter_mount_signal(unit, MountState::MountingSigterm, ServiceResult::Success);
            }
            MountState::Remounting => {
                self.abandon_control(unit);
                self.begin_unmounting(unit);
            }
            MountState::Mounted => self.begin_unmounting(unit),
            _ => {}
        }
    }

    fn begin_unmounting(&mut self, unit: UnitId) {
        if let Some(mount) = self.mount_mut(unit) {
            mount.rounds = 0;
            mount.result = ServiceResult::Success;
        }
        self.set_mount_state(unit, MountState::Unmounting);
        self.run_mount_command(unit, ExecList::Stop);
    }

    /// A reload job: mounted again with the options that the file has now.
    pub(crate) fn reload_mount(&mut self, unit: UnitId) -> Begun {
        if let Some(mount) = self.mount_mut(unit) {
            mount.reload_failed = false;
        }
        self.set_mount_state(unit, MountState::Remounting);
        self.run_mount_command(unit, ExecList::Reload);
        Begun::Running
    }

    /// Arms the state timer, or with "never" cancels it.
    fn set_mount_deadline(&mut self, unit: UnitId, limit: Usec) {
        let none = limit.is_infinite() || limit == Usec::ZERO;
        let at = (!none).then(|| self.now.monotonic.plus(limit));
        let timer = TimerId {
            unit,
            kind: TimerKind::State,
        };
        let Some(mount) = self.mount_mut(unit) else { return };
        let before = std::mem::replace(&mut mount.deadline, at);
        match at {
            Some(at) => self.act(Action::ArmTimer { timer, at }),
            None if before.is_some() => self.act(Action::CancelTimer(timer)),
            None => {}
        }
    }
}
