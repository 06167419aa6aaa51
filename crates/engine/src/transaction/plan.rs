//! The jobs of one transaction and who pulled them in.

use std::collections::BTreeMap;

use crate::event::UnitId;
use crate::state::JobKind;

/// One job a unit and kind.
pub(crate) type Key = (UnitId, JobKind);

/// Why a job is in the plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pull {
    /// The job that needs it; `None`: the request itself.
    pub(crate) by: Option<Key>,
    /// Without it the other job makes no sense.
    pub(crate) matters: bool,
    /// It is a stop that a Conflicts= asks for.
    pub(crate) conflicts: bool,
}

/// One job of the plan.
#[derive(Clone, Debug, Default)]
pub(crate) struct Planned {
    pub(crate) pulled_by: Vec<Pull>,
    pub(crate) pulls: Vec<Key>,
    /// There is a chain of mattering pulls from the anchor to it.
    pub(crate) matters: bool,
}

/// A transaction while it is made.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) anchor: Key,
    jobs: BTreeMap<Key, Planned>,
}

impl Plan {
    pub(crate) fn new(anchor: Key) -> Plan {
        Plan {
            anchor,
            jobs: BTreeMap::new(),
        }
    }

    pub(crate) fn get(&self, key: Key) -> Option<&Planned> {
        self.jobs.get(&key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &Planned)> + '_ {
        self.jobs.iter().map(|(key, job)| (*key, job))
    }

    pub(crate) fn keys(&self) -> Vec<Key> {
        self.jobs.keys().copied().collect()
    }

    /// The units with a job, in order.
    pub(crate) fn units(&self) -> Vec<UnitId> {
        let mut units: Vec<UnitId> = self.jobs.keys().map(|(unit, _)| *unit).collect();
        units.dedup();
        units
    }

    pub(crate) fn kinds_of(&self, unit: UnitId) -> impl Iterator<Item = JobKind> + '_ {
        self.jobs
            .range((unit, JobKind::Start)..=(unit, JobKind::ReloadOrStart))
            .map(|((_, kind), _)| *kind)
    }

    pub(crate) fn has_unit(&self, unit: UnitId) -> bool {
        self.kinds_of(unit).next().is_some()
    }

    /// Adds a job, or one more reason for it. True when it is new.
    pub(crate) fn add(&mut self, key: Key, pull: Pull) -> bool {
        if let Some(by) = pull.by
            && let Some(requester) = self.jobs.get_mut(&by)
        {
            requester.pulls.push(key);
        }
        let new = !self.jobs.contains_key(&key);
        self.jobs.entry(key).or_default().pulled_by.push(pull);
        new
    }

    /// Takes a job out; with `requesters` also those for which it matters. Returns what was taken out.
    pub(crate) fn delete(&mut self, key: Key, requesters: bool) -> Vec<Key> {
        let mut gone = Vec::new();
        let mut list = vec![key];
        while let Some(key) = list.pop() {
            let Some(job) = self.jobs.remove(&key) else {
                continue;
            };
            for target in job.pulls {
                if let Some(target) = self.jobs.get_mut(&target) {
                    target.pulled_by.retain(|pull| pull.by != Some(key));
                }
            }
            if requesters {
                list.extend(
                    job.pulled_by
                        .iter()
                        .filter(|pull| pull.matters)
                        .filter_map(|pull| pull.by),
                );
            }
            gone.push(key);
        }
        gone
    }

    /// Takes out what nobody needs any more (2.4, activate 4).
    pub(crate) fn collect_garbage(&mut self) {
        let anchor = self.anchor;
        let idle = |key: Key, job: &Planned| key != anchor && job.pulled_by.is_empty();
        let mut list: Vec<Key> = self
            .iter()
            .filter(|(key, job)| idle(*key, job))
            .map(|(key, _)| key)
            .collect();
        while let Some(key) = list.pop() {
            let targets = self.get(key).map(|job| job.pulls.clone()).unwrap_or_default();
            self.delete(key, false);
            list.extend(
                targets
                    .into_iter()
                    .filter(|key| self.get(*key).is_some_and(|job| idle(*key, job))),
            );
        }
    }

    /// Walks the mattering pulls from the anchor (2.4, activate 1).
    pub(crate) fn find_what_matters(&mut self) {
        let mut wanted: BTreeMap<Key, Vec<Key>> = BTreeMap::new();
        for (key, job) in self.iter() {
            for by in job
                .pulled_by
                .iter()
                .filter(|pull| pull.matters)
                .filter_map(|pull| pull.by)
            {
                wanted.entry(by).or_default().push(key);
            }
        }
        let mut list = vec![self.anchor];
        while let Some(key) = list.pop() {
            let Some(job) = self.jobs.get_mut(&key) else {
                continue;
            };
            if std::mem::replace(&mut job.matters, true) {
                continue;
            }
            list.extend(wanted.remove(&key).unwrap_or_default());
        }
    }
}
