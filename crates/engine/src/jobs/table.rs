//! The job table and its run queue.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use softboot_unit::Usec;

use crate::event::{JobId, RequestId, UnitId};
use crate::state::JobKind;

/// One job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) unit: UnitId,
    pub(crate) kind: JobKind,
    pub(crate) running: bool,
    pub(crate) irreversible: bool,
    pub(crate) ignore_order: bool,
    /// An automatic restart: a later reload or start must not hide in it while it runs.
    pub(crate) no_late_merge: bool,
    /// Who waits for it.
    pub(crate) requests: Vec<RequestId>,
    /// When it came into the table.
    pub(crate) begin: Usec,
    /// When its time is over.
    pub(crate) deadline: Option<Usec>,
    /// The neighbour at which the search for a job that goes first stopped.
    pub(crate) cursor: usize,
}

/// All jobs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct JobTable {
    list: BTreeMap<JobId, Job>,
    last: u32,
    runnable: BTreeSet<JobId>,
    /// Those for which a client waits already: their turn comes before all others'.
    #[serde(default)]
    urgent: BTreeSet<JobId>,
    /// Who is to be queued when a job ends.
    blocked_on: BTreeMap<JobId, Vec<JobId>>,
}

impl JobTable {
    pub(crate) fn get(&self, id: JobId) -> Option<&Job> {
        self.list.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: JobId) -> Option<&mut Job> {
        self.list.get_mut(&id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (JobId, &Job)> + '_ {
        self.list.iter().map(|(id, job)| (*id, job))
    }

    pub(crate) fn ids(&self) -> Vec<JobId> {
        self.list.keys().copied().collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The last number given out.
    pub(crate) fn last(&self) -> u32 {
        self.last
    }

    /// Numbers go on after this one.
    pub(crate) fn continue_after(&mut self, last: u32) {
        self.last = last;
    }

    /// Puts a job in, under a number that is not 0 and not in use.
    pub(crate) fn add(&mut self, job: Job) -> JobId {
        loop {
            self.last = self.last.wrapping_add(1);
            let id = JobId(self.last);
            if self.last != 0 && !self.list.contains_key(&id) {
                self.insert(id, job);
                return id;
            }
        }
    }

    /// Puts a job in under a number it had before.
    pub(crate) fn insert(&mut self, id: JobId, job: Job) {
        self.list.insert(id, job);
        self.runnable.insert(id);
    }

    /// Takes a job out; those that waited for it are looked at again.
    pub(crate) fn remove(&mut self, id: JobId) -> Option<Job> {
        let job = self.list.remove(&id)?;
        self.runnable.remove(&id);
        self.urgent.remove(&id);
        self.wake(id);
        Some(job)
    }

    /// A client waits for what this job starts.
    pub(crate) fn hurry(&mut self, id: JobId) {
        if self.list.contains_key(&id) {
            self.urgent.insert(id);
        }
    }

    /// Whether a client waits for what it starts.
    pub(crate) fn is_urgent(&self, id: JobId) -> bool {
        self.urgent.contains(&id)
    }

    /// Those that waited for `id` are looked at again.
    pub(crate) fn wake(&mut self, id: JobId) {
        for waiter in self.blocked_on.remove(&id).unwrap_or_default() {
            self.queue(waiter);
        }
    }

    /// `waiter` is looked at again when `blocker` ends.
    pub(crate) fn block(&mut self, waiter: JobId, blocker: JobId) {
        self.blocked_on.entry(blocker).or_default().push(waiter);
    }

    /// Looks at a job again, if it waits.
    pub(crate) fn queue(&mut self, id: JobId) {
        if self.list.get(&id).is_some_and(|job| !job.running) {
            self.runnable.insert(id);
        }
    }

    pub(crate) fn queue_all_waiting(&mut self) {
        self.blocked_on.clear();
        self.runnable.extend(
            self.list
                .iter()
                .filter(|(_, job)| !job.running)
                .map(|(id, _)| *id),
        );
    }

    pub(crate) fn next_runnable(&mut self) -> Option<JobId> {
        let urgent = self.urgent.intersection(&self.runnable).next().copied();
        match urgent {
            Some(id) => self.runnable.take(&id),
            None => self.runnable.pop_first(),
        }
    }

    /// Nobody waits for this request any more; its job goes on.
    pub(crate) fn drop_request(&mut self, request: RequestId) {
        for job in self.list.values_mut() {
            job.requests.retain(|waiting| *waiting != request);
        }
    }
}
