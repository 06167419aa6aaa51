//! The jobs of one transaction and who pulled them in.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::explain::{DropReason, Reason};
use crate::event::UnitId;
use crate::state::JobKind;

/// One job a unit and kind.
pub(crate) type Key = (UnitId, JobKind);

/// Why a job is in the draft.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pull {
    /// The job that needs it; `None`: the request itself.
    pub(crate) by: Option<Key>,
    /// Without it the other job makes no sense.
    pub(crate) matters: bool,
    /// It is a stop that a Conflicts= asks for.
    pub(crate) conflicts: bool,
    /// How the other job comes to want it.
    pub(crate) reason: Reason,
}

/// One job of the draft.
#[derive(Clone, Debug, Default)]
pub(crate) struct Planned {
    pub(crate) pulled_by: Vec<Pull>,
    pub(crate) pulls: Vec<Key>,
    /// There is a chain of mattering pulls from the anchor to it.
    pub(crate) matters: bool,
}

/// Why a job was taken out.
#[derive(Clone, Debug)]
pub(crate) enum Dropped {
    For(DropReason),
    /// Something it needs was taken out.
    With(Key),
}

/// Jobs with what each of them is wanted for: from the anchor down.
pub(crate) type Path = Vec<(Key, Reason)>;

/// A transaction while it is made.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) anchor: Key,
    jobs: BTreeMap<Key, Planned>,
    /// Every job that was in it, where somebody wants to know what became of them.
    all: Option<BTreeMap<Key, Planned>>,
    /// What was taken out, and why; only with `all`.
    dropped: Vec<(Key, Dropped)>,
}

impl Draft {
    pub(crate) fn new(anchor: Key) -> Draft {
        Draft {
            anchor,
            jobs: BTreeMap::new(),
            all: None,
            dropped: Vec::new(),
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

    /// The job whose reasons are those of a unit's one merged job.
    pub(crate) fn key_for(&self, unit: UnitId, merged: JobKind) -> Key {
        let kind = self
            .kinds_of(unit)
            .find(|kind| *kind == merged)
            .or_else(|| self.kinds_of(unit).next());
        (unit, kind.unwrap_or(merged))
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

    /// From now on it is remembered what is taken out.
    pub(crate) fn remember(&mut self) {
        self.all = Some(self.jobs.clone());
    }

    /// Takes a job out and remembers why.
    pub(crate) fn take_out(&mut self, key: Key, requesters: bool, why: impl FnOnce() -> Dropped) {
        let gone = self.delete(key, requesters);
        if self.all.is_none() {
            return;
        }
        let mut why = Some(why());
        for other in gone {
            let reason = why.take().unwrap_or(Dropped::With(key));
            self.dropped.push((other, reason));
        }
    }

    /// What was taken out.
    pub(crate) fn dropped(&self) -> &[(Key, Dropped)] {
        &self.dropped
    }

    /// One way from the anchor to a job; over pulls that matter, if there is such a way.
    pub(crate) fn path(&self, to: Key) -> Path {
        path(&self.jobs, self.anchor, to)
    }

    /// The same for a job that was taken out.
    pub(crate) fn former_path(&self, to: Key) -> Path {
        path(self.all.as_ref().unwrap_or(&self.jobs), self.anchor, to)
    }

    /// One way from a job to another that it needs.
    pub(crate) fn path_between(&self, from: Key, to: Key) -> Path {
        path(&self.jobs, from, to)
    }

    /// Takes out what nobody needs any more (2.4, activate 4).
    pub(crate) fn collect_garbage(&mut self) {
        let unneeded = || Dropped::For(DropReason::Unneeded);
        let anchor = self.anchor;
        let idle = |key: Key, job: &Planned| key != anchor && job.pulled_by.is_empty();
        let mut list: Vec<Key> = self
            .iter()
            .filter(|(key, job)| idle(*key, job))
            .map(|(key, _)| key)
            .collect();
        while let Some(key) = list.pop() {
            let targets = self.get(key).map(|job| job.pulls.clone()).unwrap_or_default();
            self.take_out(key, false, unneeded);
            list.extend(
                targets
                    .into_iter()
                    .filter(|key| self.get(*key).is_some_and(|job| idle(*key, job))),
            );
        }
    }

    /// Takes out what the anchor does not lead to: jobs that want each other may outlive the one that failed.
    pub(crate) fn keep_reachable(&mut self) {
        let mut reached = BTreeSet::new();
        let mut list = vec![self.anchor];
        while let Some(key) = list.pop() {
            if let Some(job) = self.jobs.get(&key).filter(|_| reached.insert(key)) {
                list.extend(&job.pulls);
            }
        }
        for key in self.keys() {
            if !reached.contains(&key) {
                self.delete(key, false);
            }
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

/// The shortest way up from `to`, told from `from` down.
fn path(jobs: &BTreeMap<Key, Planned>, from: Key, to: Key) -> Path {
    walk(jobs, from, to, true)
        .or_else(|| walk(jobs, from, to, false))
        .unwrap_or_else(|| vec![(to, Reason::Requested)])
}

fn walk(jobs: &BTreeMap<Key, Planned>, from: Key, to: Key, mattering: bool) -> Option<Path> {
    // Of each job seen: the next one on the way down, and why that is wanted.
    let mut below: BTreeMap<Key, Option<(Key, Reason)>> = BTreeMap::from([(to, None)]);
    let mut list = VecDeque::from([to]);
    while let Some(key) = list.pop_front() {
        if key == from {
            let mut path = vec![(from, Reason::Requested)];
            let mut at = from;
            while let Some(Some((next, reason))) = below.get(&at) {
                path.push((*next, *reason));
                at = *next;
            }
            return Some(path);
        }
        for pull in jobs
            .get(&key)
            .map(|job| job.pulled_by.as_slice())
            .unwrap_or_default()
        {
            if let Some(by) = pull.by
                && (pull.matters || !mattering)
                && !below.contains_key(&by)
            {
                below.insert(by, Some((key, pull.reason)));
                list.push_back(by);
            }
        }
    }
    None
}
