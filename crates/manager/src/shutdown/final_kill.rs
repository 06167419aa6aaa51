//! The final kill: SIGTERM, a grace that ends with the last process, SIGKILL.
//!
//! Survivors (by their unit's setting, or see [`super::survivors`]) get no signal at all, not even SIGSTOP and SIGCONT, which the reference sends to everyone (semantics
//! 7.5): processes are found through their cgroups, and a survivor's cgroup with all below it is never looked into.
//! The end of each process is learnt from cgroup.events and pidfds, never by waiting for a time.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::event::epoll::EventFlags;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use softboot_engine::{Event, UnitId};
use softboot_unit::Usec;
use tracing::{error, info};

use super::KernelThreads;
use super::settings;
use super::survivors::Marked;
use crate::cgroup;
use crate::clock;
use crate::cycles::Mark;
use crate::handoff::Kind;
use crate::process::signal_process;
use crate::run::{Alarm, Manager, Source};

/// From SIGKILL to giving up on what the kernel does not let go.
const LAST_GRACE: Usec = Usec::from_secs(10);

const SIGTERM: i32 = 15;
const SIGKILL: i32 = 9;
const SIGCONT: i32 = 18;

/// A final kill that is under way.
pub(crate) struct FinalKill {
    spare: Vec<PathBuf>,
    /// Processes that are spared whatever group they are in, and their group.
    named: BTreeMap<i32, PathBuf>,
    /// Processes outside any unit's group: their pidfds tell of their end.
    strays: BTreeMap<i32, OwnedFd>,
    killed: bool,
    give_up: bool,
    /// At the beginning there was nobody else, so there is nobody who could make a process.
    nobody: bool,
}

impl FinalKill {
    /// True for a group that must not be touched.
    fn spares(&self, group: &Path) -> bool {
        self.spare.iter().any(|spared| group.starts_with(spared))
    }

    /// The processes that have to go, with their group.
    fn victims(&self, root: &Path, kernel_threads: &KernelThreads) -> Vec<(PathBuf, i32)> {
        let own = rustix::process::getpid().as_raw_nonzero().get();
        cgroup::subtree(root)
            .into_iter()
            .filter(|group| !self.spares(group))
            .flat_map(|group| {
                let processes = kernel_threads.others(&group, root);
                processes.into_iter().map(move |pid| (group.clone(), pid))
            })
            .filter(|(_, pid)| *pid != own && !self.named.contains_key(pid))
            .collect()
    }
}

impl Manager {
    /// A handoff is being verified: what its end will have to know is found out while all is answered.
    pub(crate) fn look_for_kernel_threads(&mut self) {
        self.kernel_threads = KernelThreads::look(self.cgroups.root().to_owned());
    }

    /// Sends SIGTERM to everyone but the spared units.
    pub(crate) fn begin_final_kill(&mut self, spare: &[UnitId]) {
        if self.engine.is_soft_rebooting() {
            self.mark(Kind::SoftReboot, Mark::Ending);
            self.look_ahead();
        }
        // Who survives was just found out, with one look at everybody.
        let marked = self.marked.take().unwrap_or_else(|| {
            let marks = self.engine.is_soft_rebooting();
            Marked::look(self.cgroups.root(), marks, &self.kernel_threads)
        });
        let by_setting = |unit: &&UnitId| {
            let definition = self.engine.definition(**unit);
            definition.is_some_and(|definition| definition.unit.survive_final_kill_signal)
        };
        // Others survive by what was found: their marked groups, or some of their processes alone.
        let spare = spare
            .iter()
            .filter(by_setting)
            .filter_map(|unit| self.engine.name(*unit).cloned())
            .filter_map(|name| self.cgroup_of(&name))
            .map(|relative| self.cgroups.path(&relative));
        let spare: Vec<PathBuf> = spare.chain(marked.groups).collect();
        let mut kill = FinalKill {
            spare,
            named: marked.processes,
            strays: BTreeMap::new(),
            killed: false,
            give_up: false,
            nobody: false,
        };
        let mut victims = marked.others;
        victims.retain(|(group, _)| !kill.spares(group));
        kill.nobody = victims.is_empty();
        self.signal_victims(&mut kill, victims, &[SIGTERM, SIGCONT]);
        self.final_kill = Some(kill);
        let grace = settings::final_kill_grace(&self.facts.command_line);
        self.timers
            .set(Alarm::FinalKillGrace, clock::monotonic().plus(grace));
    }

    fn signal_victims(&mut self, kill: &mut FinalKill, victims: Vec<(PathBuf, i32)>, signals: &[i32]) {
        let root = self.cgroups.root().to_owned();
        for (group, pid) in victims {
            let Some(pidfd) = Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok())
            else {
                continue;
            };
            for signal in signals {
                signal_process(&pidfd, *signal);
            }
            // The root and PID 1's own group never become empty, so watch the process itself.
            let watched =
                group != root && self.cgroups.watch(&group).is_ok() && !group.ends_with(cgroup::INIT_SCOPE);
            if !watched
                && !kill.strays.contains_key(&pid)
                && self
                    .poll
                    .watch(Source::Victim(pid), &pidfd, EventFlags::IN)
                    .is_ok()
            {
                kill.strays.insert(pid, pidfd);
            }
        }
    }

    /// A process outside any unit's group ended.
    pub(crate) fn victim_gone(&mut self, pid: i32) {
        let fd = self.final_kill.as_mut().and_then(|kill| kill.strays.remove(&pid));
        self.poll.forget(Source::Victim(pid), fd);
    }

    /// Done when nobody is left.
    pub(crate) fn final_kill_progress(&mut self) {
        // Somebody may have come since.
        self.marked = None;
        let Some(kill) = &self.final_kill else { return };
        crate::fault::place("final-kill");
        let left = match kill.nobody {
            true => Vec::new(),
            false => kill.victims(self.cgroups.root(), &self.kernel_threads),
        };
        if !left.is_empty() && !kill.give_up {
            return;
        }
        if !left.is_empty() {
            error!("{} process(es) could not be ended: {:?}", left.len(), left);
        }
        self.timers.cancel(Alarm::FinalKillGrace);
        if let Some(kill) = self.final_kill.take() {
            for (pid, fd) in kill.strays {
                self.poll.forget(Source::Victim(pid), Some(fd));
            }
        }
        self.feed(Event::FinalKillDone);
    }

    /// SIGTERM had its time.
    pub(crate) fn final_kill_grace_over(&mut self) {
        let Some(mut kill) = self.final_kill.take() else {
            return;
        };
        if kill.killed {
            kill.give_up = true;
            self.final_kill = Some(kill);
            return;
        }
        kill.killed = true;
        let root = self.cgroups.root().to_owned();
        let left = kill.victims(&root, &self.kernel_threads);
        info!("{} process(es) ignored SIGTERM and are killed", left.len());
        let mut groups: Vec<&Path> = left.iter().map(|(group, _)| group.as_path()).collect();
        groups.dedup();
        for group in groups {
            let mut spared = kill.spare.iter().chain(kill.named.values());
            let holds_spared = spared.any(|spared| spared.starts_with(group));
            if group != root && !group.ends_with(cgroup::INIT_SCOPE) && !holds_spared {
                // One write for the whole group, so no fork gets away.
                let _ = cgroup::kill_all(group);
            }
        }
        // Once more: what forked meanwhile goes, too.
        let left = kill.victims(&root, &self.kernel_threads);
        self.signal_victims(&mut kill, left, &[SIGKILL]);
        self.final_kill = Some(kill);
        self.timers
            .set(Alarm::FinalKillGrace, clock::monotonic().plus(LAST_GRACE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_a_spared_group_is_spared() {
        let kill = FinalKill {
            spare: vec![PathBuf::from("/c/system.slice/a.service")],
            named: BTreeMap::new(),
            strays: BTreeMap::new(),
            killed: false,
            give_up: false,
            nobody: false,
        };
        assert!(kill.spares(Path::new("/c/system.slice/a.service")));
        assert!(kill.spares(Path::new("/c/system.slice/a.service/deep/er")));
        assert!(!kill.spares(Path::new("/c/system.slice/a.services")));
        assert!(!kill.spares(Path::new("/c/system.slice")));
    }
}
