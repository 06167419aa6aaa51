//! Which processes there are. The pidfds are in the fd store, found by the ids kept here.

use std::collections::HashMap;

use fdstore::EntryId;
use serde::{Deserialize, Serialize};
use softboot_engine::ProcId;
use softboot_unit::UnitName;

use crate::tracked::Tracked;

/// One process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Process {
    /// Whose.
    pub(crate) unit: UnitName,
    /// Its number.
    pub(crate) pid: i32,
    /// True when the number is no child of PID 1, so its end is seen through the pidfd.
    #[serde(default)]
    pub(crate) alien: bool,
    /// True until its exec is known to have succeeded or failed.
    #[serde(default)]
    pub(crate) exec_pending: bool,
    /// True when a failed exec was reported already, so its exit is not news.
    #[serde(default)]
    pub(crate) failed: bool,
    /// Its pidfd. Entry ids are stable over a handoff.
    pub(crate) pidfd: EntryId,
    /// The pipe that reports its exec, while that is open.
    pub(crate) exec_status: Option<EntryId>,
}

/// All processes, by token and by number.
#[derive(Debug, Default)]
pub(crate) struct Processes {
    by_id: Tracked<ProcId, Process>,
    by_pid: HashMap<i32, ProcId>,
}

impl Processes {
    pub(crate) fn restore(saved: Tracked<ProcId, Process>) -> Processes {
        let by_pid = saved.iter().map(|(id, process)| (process.pid, *id)).collect();
        Processes { by_id: saved, by_pid }
    }

    pub(crate) fn saved(&self) -> &Tracked<ProcId, Process> {
        &self.by_id
    }

    pub(crate) fn tracked(&mut self) -> &mut Tracked<ProcId, Process> {
        &mut self.by_id
    }

    pub(crate) fn insert(&mut self, id: ProcId, process: Process) {
        self.by_pid.insert(process.pid, id);
        self.by_id.insert(id, process);
    }

    pub(crate) fn get(&self, id: ProcId) -> Option<&Process> {
        self.by_id.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: ProcId) -> Option<&mut Process> {
        self.by_id.get_mut(&id)
    }

    pub(crate) fn find_pid(&self, pid: i32) -> Option<ProcId> {
        self.by_pid.get(&pid).copied()
    }

    pub(crate) fn remove(&mut self, id: ProcId) -> Option<Process> {
        let process = self.by_id.remove(&id)?;
        // The number may belong to a newer process already.
        if self.by_pid.get(&process.pid) == Some(&id) {
            self.by_pid.remove(&process.pid);
        }
        Some(process)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ProcId, &Process)> {
        self.by_id.iter().map(|(id, process)| (*id, process))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32) -> Process {
        Process {
            unit: UnitName::new("a.service").unwrap(),
            pid,
            alien: false,
            exec_pending: false,
            failed: false,
            pidfd: EntryId(1),
            exec_status: None,
        }
    }

    #[test]
    fn a_number_used_again_is_not_lost_with_its_old_owner() {
        let mut table = Processes::default();
        table.insert(ProcId(1), process(100));
        table.insert(ProcId(2), process(100));
        table.remove(ProcId(1));
        assert_eq!(table.find_pid(100), Some(ProcId(2)));
    }
}
