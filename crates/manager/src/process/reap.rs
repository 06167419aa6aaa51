//! The end of processes, and the outcome of their exec.

use std::collections::BTreeSet;
use std::os::fd::AsFd as _;

use softboot_engine::{ActiveState, Event, ExitStatus, ProcId, UnitId};
use softboot_sys::spawn::{ExecStatus, exec_status};
use softboot_sys::wait;
use softboot_unit::{UnitKind, UnitName};
use tracing::warn;

use crate::cgroup;
use crate::run::{Manager, Source};

const SIGKILL: i32 = 9;

impl Manager {
    /// Takes every zombie there is, and looks whether it was the last of its group. The kernel says so, too, but from a work
    /// queue, and all that follows a unit's end would wait for that.
    pub(crate) fn children_ended(&mut self) {
        let units = self.reap_all();
        // An end may lead to the next process of the group.
        self.drain();
        for name in units {
            let unit = self.engine.unit(&name);
            let stops = |unit: &UnitId| self.engine.active(*unit) == Some(ActiveState::Deactivating);
            let Some((unit, relative)) = unit.filter(stops).zip(self.cgroup_of(&name)) else {
                continue;
            };
            if !cgroup::is_populated(&self.cgroups.path(&relative)) {
                self.feed(Event::CgroupEmpty { unit });
            }
        }
    }

    /// Takes every zombie there is, and says of which units. Notifications come first: a process that said READY and left said
    /// READY (semantics 2.8).
    pub(crate) fn reap_all(&mut self) -> BTreeSet<UnitName> {
        let mut units = BTreeSet::new();
        loop {
            self.receive_notifications();
            match wait::peek() {
                Ok(Some(child)) => {
                    if let Some(process) = self.processes.find_pid(child.pid) {
                        units.extend(self.processes.get(process).map(|process| process.unit.clone()));
                        self.process_ended(process, status(child.status));
                    }
                    crate::fault::place("reap");
                    self.verification_child_ended(child.pid, status(child.status));
                    if let Err(error) = wait::reap(child.pid) {
                        warn!("cannot reap process {}: {error}", child.pid);
                        return units;
                    }
                }
                Ok(None) => return units,
                Err(error) => {
                    warn!("cannot look for ended processes: {error}");
                    return units;
                }
            }
        }
    }

    /// Tells the engine and forgets the process.
    pub(crate) fn process_ended(&mut self, process: ProcId, status: ExitStatus) {
        self.exec_status_readable(process);
        let Some(ended) = self.processes.remove(process) else {
            return;
        };
        if let Some(entry) = ended.exec_status {
            self.drop_entry(Some(Source::ExecStatus(process)), entry);
        }
        self.drop_entry(ended.alien.then_some(Source::Alien(process)), ended.pidfd);
        if status == ExitStatus::Signaled(SIGKILL) {
            self.note_oom(&ended.unit);
        }
        if ended.unit.kind() == UnitKind::Mount {
            // What mount(8) did is known before its end.
            self.mounts.look = true;
            self.look_at_mounts();
        }
        if !ended.failed {
            self.feed(Event::Exited { process, status });
        }
    }

    /// A process was killed: if that was for want of memory, the engine learns it before its death.
    fn note_oom(&mut self, name: &UnitName) {
        let Some((unit, relative)) = self.engine.unit(name).zip(self.cgroup_of(name)) else {
            return;
        };
        let path = self.cgroups.path(&relative);
        if self.cgroups.oom_killed(&path) {
            self.feed(Event::OomKilled { unit });
        }
    }

    /// The exec happened, or did not.
    pub(crate) fn exec_status_readable(&mut self, process: ProcId) {
        let Some(entry) = self
            .processes
            .get(process)
            .and_then(|process| process.exec_status)
        else {
            return;
        };
        let Some(fd) = self.store.fd(entry) else { return };
        let event = match exec_status(fd.as_fd()) {
            Ok(ExecStatus::Pending) => return,
            Ok(ExecStatus::Executed) => Event::Executed { process },
            Ok(ExecStatus::Failed { step, errno, code }) => Event::SpawnFailed {
                process,
                error: format!("{step}: {errno}"),
                code,
            },
            Err(error) => {
                warn!("cannot read whether process {process:?} was executed: {error}");
                Event::Executed { process }
            }
        };
        self.drop_entry(Some(Source::ExecStatus(process)), entry);
        if let Some(known) = self.processes.get_mut(process) {
            known.exec_status = None;
            known.exec_pending = false;
            known.failed = matches!(event, Event::SpawnFailed { .. });
        }
        self.feed(event);
    }
}

fn status(status: wait::ExitStatus) -> ExitStatus {
    match status {
        wait::ExitStatus::Exited(code) => ExitStatus::Exited(code),
        wait::ExitStatus::Signaled(signal) => ExitStatus::Signaled(signal),
        wait::ExitStatus::Dumped(signal) => ExitStatus::Dumped(signal),
    }
}
