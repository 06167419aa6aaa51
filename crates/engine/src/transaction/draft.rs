//! The jobs of one transaction and who pulled them in.

use super::explain::DropReason;
use super::path::{Path, path};
use super::web::{Place, Planned, Pull, Web};
use crate::event::UnitId;
use crate::state::JobKind;

/// One job a unit and kind.
pub(crate) type Key = (UnitId, JobKind);

/// Why a job was taken out.
#[derive(Clone, Debug)]
pub(crate) enum Dropped {
    For(DropReason),
    /// Something it needs was taken out.
    With(Key),
}

/// A transaction while it is made.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) anchor: Key,
    jobs: Web,
    /// Every job that was in it, where somebody wants to know what became of them.
    all: Option<Web>,
    /// What was taken out, and why; only with `all`.
    dropped: Vec<(Key, Dropped)>,
}

impl Draft {
    /// With nothing in it: the anchor is the first job that is added.
    pub(crate) fn new(anchor: Key) -> Draft {
        Draft {
            anchor,
            jobs: Web::new(),
            all: None,
            dropped: Vec::new(),
        }
    }

    pub(crate) fn get(&self, key: Key) -> Option<&Planned> {
        self.jobs.at(self.jobs.find(key)?)
    }

    /// The place of a job.
    pub(crate) fn find(&self, key: Key) -> Option<Place> {
        self.jobs.find(key)
    }

    /// The job at a place, if it is still there.
    pub(crate) fn at(&self, place: Place) -> Option<Key> {
        self.jobs.at(place).map(|job| job.key)
    }

    pub(crate) fn keys(&self) -> Vec<Key> {
        let mut keys: Vec<Key> = self.jobs.iter().map(|(_, job)| job.key).collect();
        keys.sort();
        keys
    }

    /// The units with a job, in order.
    pub(crate) fn units(&self) -> Vec<UnitId> {
        let mut units: Vec<UnitId> = self.jobs.iter().map(|(_, job)| job.key.0).collect();
        units.sort();
        units.dedup();
        units
    }

    pub(crate) fn kinds_of(&self, unit: UnitId) -> impl Iterator<Item = JobKind> + '_ {
        self.jobs.of_unit(unit).map(|(_, job)| job.key.1)
    }

    /// Why a job is wanted, and by which.
    pub(crate) fn pulls_of(&self, key: Key) -> impl Iterator<Item = (Option<Key>, Pull)> + '_ {
        let pulls = self.jobs.find(key).map(|place| self.jobs.pulls_of(place));
        pulls
            .into_iter()
            .flatten()
            .map(|pull| (pull.by.and_then(|by| self.at(by)), pull))
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

    /// Adds a job, or one more reason for it.
    pub(crate) fn add(&mut self, key: Key, pull: Pull) -> Place {
        self.jobs.add(key, pull)
    }

    /// A job and all for which it matters, itself first.
    pub(crate) fn with_requesters(&self, key: Key) -> Vec<Key> {
        let mut seen = vec![false; self.jobs.places()];
        let mut found = Vec::new();
        let mut list: Vec<Place> = self.jobs.find(key).into_iter().collect();
        while let Some(place) = list.pop() {
            let Some(seen) = seen.get_mut(place.index()).filter(|seen| !**seen) else {
                continue;
            };
            *seen = true;
            found.extend(self.at(place));
            let mattering = self.jobs.pulls_of(place).filter(|pull| pull.matters);
            list.extend(mattering.filter_map(|pull| pull.by));
        }
        found
    }

    /// Takes a job out and remembers nothing. False if it was not in.
    pub(crate) fn delete(&mut self, key: Key) -> bool {
        self.jobs.find(key).is_some_and(|place| self.jobs.remove(place))
    }

    /// From now on it is remembered what is taken out.
    pub(crate) fn remember(&mut self) {
        self.all = Some(self.jobs.clone());
    }

    /// Takes a job out, with `requesters` also those for which it matters, and remembers why. False if it was not in.
    pub(crate) fn take_out(&mut self, key: Key, requesters: bool, why: impl FnOnce() -> Dropped) -> bool {
        let others = if requesters {
            self.with_requesters(key)
        } else {
            Vec::new()
        };
        if !self.delete(key) {
            return false;
        }
        if self.all.is_some() {
            self.dropped.push((key, why()));
        }
        for other in others.into_iter().filter(|other| *other != key) {
            self.delete(other);
            if self.all.is_some() {
                self.dropped.push((other, Dropped::With(key)));
            }
        }
        true
    }

    /// Takes out every job of a unit, by kind.
    pub(crate) fn take_out_unit(&mut self, unit: UnitId, why: impl Fn() -> Dropped) {
        let first = |draft: &Draft| draft.kinds_of(unit).next();
        while let Some(kind) = first(self) {
            self.take_out((unit, kind), false, &why);
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
        let idle = |job: &&Planned| job.key != anchor && job.is_unwanted();
        let mut list: Vec<Key> = self
            .jobs
            .iter()
            .map(|(_, job)| job)
            .filter(idle)
            .map(|job| job.key)
            .collect();
        list.sort();
        while let Some(key) = list.pop() {
            let Some(place) = self.jobs.find(key) else {
                continue;
            };
            self.take_out(key, false, unneeded);
            let targets = self.jobs.wanted_by(place);
            list.extend(
                targets
                    .filter_map(|(target, _)| self.jobs.at(target))
                    .filter(idle)
                    .map(|job| job.key),
            );
        }
    }

    /// Takes out what the anchor does not lead to: jobs that want each other may outlive the one that failed.
    pub(crate) fn keep_reachable(&mut self) {
        let mut reached = vec![false; self.jobs.places()];
        let mut list: Vec<Place> = self.jobs.find(self.anchor).into_iter().collect();
        while let Some(place) = list.pop() {
            if let Some(reached) = reached.get_mut(place.index()).filter(|reached| !**reached) {
                *reached = true;
                list.extend(self.jobs.wanted_by(place).map(|(target, _)| target));
            }
        }
        let lost = |place: &Place| reached.get(place.index()) == Some(&false);
        let lost: Vec<Place> = self.jobs.iter().map(|(place, _)| place).filter(lost).collect();
        for place in lost {
            self.jobs.remove(place);
        }
    }

    /// Walks the mattering pulls from the anchor (2.4, activate 1).
    pub(crate) fn find_what_matters(&mut self) {
        let mut list: Vec<Place> = self.jobs.find(self.anchor).into_iter().collect();
        while let Some(place) = list.pop() {
            let Some(job) = self.jobs.at_mut(place) else {
                continue;
            };
            if std::mem::replace(&mut job.matters, true) {
                continue;
            }
            let mattering = self.jobs.wanted_by(place).filter(|(_, pull)| pull.matters);
            list.extend(mattering.map(|(target, _)| target));
        }
    }
}
