//! Signals to processes, by pidfd, so that a number used again is never hit.

use std::os::fd::AsFd;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use softboot_engine::{Event, KillWhom, ProcId, UnitId};
use softboot_unit::UnitName;
use tracing::warn;

use crate::cgroup;
use crate::run::Manager;

/// Sends one signal. A process that is gone is no error.
pub(crate) fn signal_process(pidfd: impl AsFd, signal: i32) {
    let Some(signal) = Signal::from_named_raw(signal) else {
        return;
    };
    match pidfd_send_signal(pidfd, signal) {
        Ok(()) | Err(Errno::SRCH) => {}
        Err(error) => warn!("cannot send {signal:?}: {error}"),
    }
}

/// Signals a process by number if it is still in `group`: the pidfd is taken first, then the group is read, so a
/// number that was used again in between is noticed.
fn signal_one(pid: i32, group: &str, signals: &[i32]) -> bool {
    let Some(pidfd) = Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else {
        return false;
    };
    if !cgroup::of_process(pid).is_some_and(|found| found == group || found.starts_with(&format!("{group}/")))
    {
        return false;
    }
    for signal in signals {
        signal_process(&pidfd, *signal);
    }
    true
}

const SIGHUP: i32 = 1;
const SIGKILL: i32 = 9;
const SIGCONT: i32 = 18;

impl Manager {
    /// Main first, then control, then the rest of the cgroup (semantics 4.9).
    pub(crate) fn kill(&mut self, unit: UnitId, whom: KillWhom, signal: i32, hangup: bool) {
        let Some(name) = self.engine.name(unit).cloned() else {
            return;
        };
        let mut signals = vec![signal];
        if signal != SIGKILL && signal != SIGCONT {
            // A stopped process could not react to the signal.
            signals.push(SIGCONT);
        }
        if hangup {
            signals.push(SIGHUP);
        }
        let known: Vec<(ProcId, bool)> = self
            .engine
            .processes()
            .into_iter()
            .filter(|(_, owner, _)| *owner == unit)
            .map(|(process, _, main)| (process, main))
            .collect();
        let wanted = |main: bool| match whom {
            KillWhom::Main => main,
            KillWhom::Control => !main,
            KillWhom::Cgroup => true,
        };
        let mut told = Vec::new();
        for (process, _) in known.into_iter().filter(|(_, main)| wanted(*main)) {
            told.extend(self.signal_known(process, &signals));
        }
        if whom == KillWhom::Cgroup {
            self.signal_cgroup(unit, &name, &signals, &told);
        }
    }

    /// Signals a process the engine knows; its number, if it could be.
    fn signal_known(&self, process: ProcId, signals: &[i32]) -> Option<i32> {
        let process = self.processes.get(process)?;
        let pidfd = self.store.fd(process.pidfd)?;
        for signal in signals {
            signal_process(pidfd, *signal);
        }
        Some(process.pid)
    }

    fn signal_cgroup(&mut self, unit: UnitId, name: &UnitName, signals: &[i32], told: &[i32]) {
        let Some(relative) = self.cgroup_of(name) else {
            self.feed(Event::CgroupEmpty { unit });
            return;
        };
        let path = self.cgroups.path(&relative);
        if signals.contains(&SIGKILL) && cgroup::kill_all(&path).is_ok() {
            // One call for all of them, and no fork gets away.
        } else {
            for group in cgroup::subtree(&path) {
                for pid in cgroup::processes(&group)
                    .into_iter()
                    .filter(|pid| !told.contains(pid))
                {
                    signal_one(pid, &relative, signals);
                }
            }
        }
        if !cgroup::is_populated(&path) {
            // Nothing will become empty any more, so say it now.
            self.feed(Event::CgroupEmpty { unit });
        }
    }

    /// The path of a unit's group below the root.
    pub(crate) fn cgroup_of(&self, name: &UnitName) -> Option<String> {
        let definition = self
            .engine
            .unit(name)
            .and_then(|unit| self.engine.definition(unit))?;
        super::commands::slice_of(definition).map(|slice| cgroup::path_of(slice, name))
    }
}
