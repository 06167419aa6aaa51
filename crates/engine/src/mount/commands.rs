//! mount(8) and umount(8): their ends, their limits, and what the kernel says afterwards.

use softboot_unit::Usec;

use crate::action::{ExecList, Level};
use crate::engine::Engine;
use crate::event::{ExitStatus, ProcId, UnitId};
use crate::mount::MountState;
use crate::state::ServiceResult;

/// So many mounts on top of each other are unmounted in one stop, as in the reference.
const MOST_ROUNDS: u32 = 32;

impl Engine {
    pub(super) fn run_mount_command(&mut self, unit: UnitId, list: ExecList) {
        let limit = self
            .mount_section(unit)
            .map_or(Usec::INFINITY, |section| section.timeout);
        self.set_mount_deadline(unit, limit);
        self.spawn_for(unit, list, 0, false);
    }

    /// The manager has looked at the mount table before it says so.
    pub(crate) fn mount_process_ended(&mut self, unit: UnitId, process: ProcId, status: ExitStatus) {
        if self.control_ended(unit, process).is_none() {
            return;
        }
        let good = status == ExitStatus::Exited(0);
        let result = match status {
            ExitStatus::Exited(0) => ServiceResult::Success,
            ExitStatus::Exited(_) => ServiceResult::ExitCode,
            ExitStatus::Signaled(_) => ServiceResult::Signal,
            ExitStatus::Dumped(_) => ServiceResult::CoreDump,
        };
        let seen = self.mount(unit).is_some_and(|mount| mount.seen);
        match self.mount_state(unit) {
            MountState::Mounting if good && !seen => {
                self.log(
                    Level::Error,
                    Some(unit),
                    "mount(8) says that it is mounted, and the kernel says that it is not",
                );
                self.mount_settles(unit, ServiceResult::Protocol);
            }
            MountState::Mounting | MountState::MountingDone => self.mount_settles(unit, result),
            MountState::Remounting => self.remount_over(unit, !good),
            MountState::Unmounting if seen && good => self.unmount_what_was_below(unit),
            MountState::Unmounting => self.mount_settles(unit, result),
            _ => self.mount_signal_progress(unit),
        }
    }

    fn unmount_what_was_below(&mut self, unit: UnitId) {
        let Some(mount) = self.mount_mut(unit) else { return };
        mount.rounds = mount.rounds.saturating_add(1);
        if mount.rounds < MOST_ROUNDS {
            self.run_mount_command(unit, ExecList::Stop);
        } else {
            self.mount_settles(unit, ServiceResult::Protocol);
        }
    }

    fn remount_over(&mut self, unit: UnitId, failed: bool) {
        self.set_mount_deadline(unit, Usec::INFINITY);
        let Some(mount) = self.mount_mut(unit) else { return };
        mount.reload_failed = failed;
        let state = if mount.seen {
            MountState::Mounted
        } else {
            MountState::Dead
        };
        self.set_mount_state(unit, state);
    }

    /// Nothing runs any more: the state is what the kernel says.
    pub(super) fn mount_settles(&mut self, unit: UnitId, result: ServiceResult) {
        self.set_mount_deadline(unit, Usec::INFINITY);
        let Some(mount) = self.mount_mut(unit) else { return };
        if mount.result == ServiceResult::Success {
            mount.result = result;
        }
        let state = if mount.seen {
            MountState::Mounted
        } else if mount.result == ServiceResult::Success {
            MountState::Dead
        } else {
            MountState::Failed
        };
        // Its log stays while it is mounted, as long as nothing else needs the place.
        if state != MountState::Mounted {
            self.release_control(unit);
        }
        self.set_mount_state(unit, state);
    }

    pub(super) fn enter_mount_signal(&mut self, unit: UnitId, state: MountState, result: ServiceResult) {
        if let Some(mount) = self.mount_mut(unit)
            && mount.result == ServiceResult::Success
        {
            mount.result = result;
        }
        let Some(section) = self.mount_section(unit) else {
            return;
        };
        let (kill, limit) = (section.kill.clone(), section.timeout);
        if self.mount(unit).is_none_or(|mount| mount.control.is_over(&kill)) {
            self.after_mount_signal(unit, state);
            return;
        }
        let hard = matches!(
            state,
            MountState::MountingSigkill | MountState::RemountingSigkill | MountState::UnmountingSigkill
        );
        self.signal_control(unit, &kill, hard);
        self.set_mount_deadline(unit, limit);
        self.set_mount_state(unit, state);
    }

    fn mount_signal_progress(&mut self, unit: UnitId) {
        let state = self.mount_state(unit);
        let kill = self.mount_section(unit).map(|section| section.kill.clone());
        let over = self
            .mount(unit)
            .zip(kill)
            .is_some_and(|(mount, kill)| mount.control.is_over(&kill));
        if state.waits_for_end() && over {
            self.after_mount_signal(unit, state);
        }
    }

    fn after_mount_signal(&mut self, unit: UnitId, state: MountState) {
        let seen = self.mount(unit).is_some_and(|mount| mount.seen);
        match state {
            MountState::RemountingSigterm | MountState::RemountingSigkill => self.remount_over(unit, true),
            // A stop that came while it was being mounted, and the mount was there in the end.
            MountState::MountingSigterm | MountState::MountingSigkill if seen => {
                self.set_mount_state(unit, MountState::Unmounting);
                self.run_mount_command(unit, ExecList::Stop);
            }
            _ => self.mount_settles(unit, ServiceResult::Success),
        }
    }

    pub(crate) fn mount_cgroup_empty(&mut self, unit: UnitId) {
        let signalled = self.mount_state(unit).waits_for_end();
        if self.control_empty(unit, signalled) {
            self.mount_signal_progress(unit);
        }
    }

    pub(crate) fn mount_timeout(&mut self, unit: UnitId) {
        use MountState as S;
        let now = self.now.monotonic;
        let due = self
            .mount(unit)
            .and_then(|mount| mount.deadline)
            .is_some_and(|at| at <= now);
        if !due {
            return;
        }
        if let Some(mount) = self.mount_mut(unit) {
            mount.deadline = None;
        }
        let state = self.mount_state(unit);
        self.log(
            Level::Warning,
            Some(unit),
            format!("{} took too long", state.sub()),
        );
        let timeout = ServiceResult::Timeout;
        match state {
            S::Mounting | S::MountingDone => self.enter_mount_signal(unit, S::MountingSigterm, timeout),
            // A mount that could not be mounted again is what it was.
            S::Remounting => self.enter_mount_signal(unit, S::RemountingSigterm, ServiceResult::Success),
            S::Unmounting => self.enter_mount_signal(unit, S::UnmountingSigterm, timeout),
            S::MountingSigterm => self.enter_mount_signal(unit, S::MountingSigkill, timeout),
            S::RemountingSigterm => {
                self.enter_mount_signal(unit, S::RemountingSigkill, ServiceResult::Success);
            }
            S::UnmountingSigterm => self.enter_mount_signal(unit, S::UnmountingSigkill, timeout),
            // It hangs in the kernel; nothing more can be done.
            S::RemountingSigkill => {
                self.abandon_control(unit);
                self.remount_over(unit, true);
            }
            S::MountingSigkill | S::UnmountingSigkill => {
                self.abandon_control(unit);
                self.mount_settles(unit, timeout);
            }
            S::Dead | S::Mounted | S::Failed => {}
        }
    }
}
