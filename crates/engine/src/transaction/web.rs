//! Which jobs of a transaction there are, and which of them want which.
//!
//! Every unit may want the same target, and all of them may be taken out one after another, so no job is searched for
//! among those that want another. Jobs and pulls stay where they once were put: a job that is taken out is only marked,
//! and with it what it pulled does not count any more.

use std::iter::successors;
use std::num::NonZeroU32;

use super::Key;
use super::explain::Reason;
use super::numbers::ByUnit;
use crate::event::UnitId;

/// A job's place. A job that was taken out and comes again gets another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place(NonZeroU32);

/// A pull's place.
#[derive(Clone, Copy, Debug)]
struct PullPlace(NonZeroU32);

/// Why a job is in the draft.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pull {
    /// The job that needs it; `None`: the request itself.
    pub(crate) by: Option<Place>,
    /// Without it the other job makes no sense.
    pub(crate) matters: bool,
    /// It is a stop that a Conflicts= asks for.
    pub(crate) conflicts: bool,
    /// How the other job comes to want it.
    pub(crate) reason: Reason,
}

/// One job of the draft.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) key: Key,
    /// There is a chain of mattering pulls from the anchor to it.
    pub(crate) matters: bool,
    /// It was not taken out.
    present: bool,
    /// How many pulls want it.
    wanted: u32,
    /// The next job of the same unit, by kind.
    sibling: Option<Place>,
    pulls: Chain,
    pulled_by: Chain,
}

/// Pulls, oldest first, each of which knows the next.
#[derive(Clone, Copy, Debug, Default)]
struct Chain {
    first: Option<PullPlace>,
    last: Option<PullPlace>,
}

#[derive(Clone, Debug)]
struct Link {
    pull: Pull,
    to: Place,
    /// The next pull by the same job.
    next_by: Option<PullPlace>,
    /// The next pull of the same job.
    next_to: Option<PullPlace>,
}

/// The jobs and their pulls.
#[derive(Clone, Debug)]
pub(super) struct Web {
    jobs: Vec<Planned>,
    links: Vec<Link>,
    /// Of each unit its first job, by kind.
    first: ByUnit<Place>,
}

/// Numbers begin at 1, so that a place which may be none takes no more room.
fn number(index: usize) -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(u32::try_from(index).unwrap_or(u32::MAX))
}

impl Place {
    pub(super) fn index(self) -> usize {
        self.0.get().saturating_sub(1) as usize
    }
}

impl PullPlace {
    fn index(self) -> usize {
        self.0.get().saturating_sub(1) as usize
    }
}

impl Chain {
    /// Puts a pull at the end. Returns the one that was there.
    fn append(&mut self, pull: PullPlace) -> Option<PullPlace> {
        self.first.get_or_insert(pull);
        self.last.replace(pull)
    }
}

impl Web {
    pub(super) fn new() -> Web {
        Web {
            jobs: Vec::new(),
            links: Vec::new(),
            first: ByUnit::new(),
        }
    }

    /// How many places there are, those of jobs that were taken out as well.
    pub(super) fn places(&self) -> usize {
        self.jobs.len()
    }

    /// The job at a place, or that was there.
    pub(super) fn former(&self, place: Place) -> Option<&Planned> {
        self.jobs.get(place.index())
    }

    pub(super) fn at(&self, place: Place) -> Option<&Planned> {
        self.former(place).filter(|job| job.present)
    }

    pub(super) fn at_mut(&mut self, place: Place) -> Option<&mut Planned> {
        self.jobs.get_mut(place.index()).filter(|job| job.present)
    }

    /// Every job, in the order in which they came.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Place, &Planned)> {
        let jobs = self.jobs.iter().enumerate();
        jobs.map(|(index, job)| (Place(number(index)), job))
            .filter(|(_, job)| job.present)
    }

    /// The jobs of a unit, by kind.
    pub(super) fn of_unit(&self, unit: UnitId) -> impl Iterator<Item = (Place, &Planned)> {
        let at = |place: Place| self.former(place).map(|job| (place, job));
        let first = self.first.get(unit).copied();
        successors(first.and_then(at), move |(_, job)| job.sibling.and_then(at))
    }

    pub(super) fn find(&self, (unit, kind): Key) -> Option<Place> {
        self.of_unit(unit)
            .find(|(_, job)| job.key.1 == kind)
            .map(|(place, _)| place)
    }

    /// The jobs that a job wants. One may come twice.
    pub(super) fn wanted_by(&self, place: Place) -> impl Iterator<Item = (Place, Pull)> {
        let at = |place: PullPlace| self.links.get(place.index());
        let first = self.former(place).and_then(|job| job.pulls.first);
        successors(first.and_then(at), move |link| link.next_by.and_then(at))
            .filter(|link| self.at(link.to).is_some())
            .map(|link| (link.to, link.pull))
    }

    /// Why a job is wanted.
    pub(super) fn pulls_of(&self, place: Place) -> impl Iterator<Item = Pull> {
        let at = |place: PullPlace| self.links.get(place.index());
        let first = self.former(place).and_then(|job| job.pulled_by.first);
        successors(first.and_then(at), move |link| link.next_to.and_then(at))
            .map(|link| link.pull)
            .filter(|pull| pull.by.is_none_or(|by| self.at(by).is_some()))
    }

    /// Adds a job, or one more reason for it.
    pub(super) fn add(&mut self, key: Key, pull: Pull) -> Place {
        let to = self.find(key).unwrap_or_else(|| self.put(key));
        let new = PullPlace(number(self.links.len()));
        self.links.push(Link {
            pull,
            to,
            next_by: None,
            next_to: None,
        });
        let requester = pull.by.and_then(|by| self.jobs.get_mut(by.index()));
        if let Some(last) = requester.and_then(|job| job.pulls.append(new))
            && let Some(last) = self.links.get_mut(last.index())
        {
            last.next_by = Some(new);
        }
        if let Some(job) = self.jobs.get_mut(to.index()) {
            job.wanted = job.wanted.saturating_add(1);
            if let Some(last) = job.pulled_by.append(new)
                && let Some(last) = self.links.get_mut(last.index())
            {
                last.next_to = Some(new);
            }
        }
        to
    }

    fn put(&mut self, key: Key) -> Place {
        let new = Place(number(self.jobs.len()));
        let before = self
            .of_unit(key.0)
            .take_while(|(_, job)| job.key.1 < key.1)
            .last();
        let before = before.map(|(place, _)| place);
        let sibling = match before {
            Some(before) => self
                .jobs
                .get_mut(before.index())
                .and_then(|job| job.sibling.replace(new)),
            None => self.first.insert(key.0, new),
        };
        self.jobs.push(Planned {
            key,
            matters: false,
            present: true,
            wanted: 0,
            sibling,
            pulls: Chain::default(),
            pulled_by: Chain::default(),
        });
        new
    }

    /// Takes a job out. False if it was not in.
    pub(super) fn remove(&mut self, place: Place) -> bool {
        let Some(job) = self.at_mut(place) else {
            return false;
        };
        job.present = false;
        let (unit, sibling) = (job.key.0, job.sibling);
        let mut next = job.pulls.first;
        let before = self.of_unit(unit).find(|(_, job)| job.sibling == Some(place));
        match (before.map(|(before, _)| before), sibling) {
            (Some(before), _) => {
                if let Some(before) = self.jobs.get_mut(before.index()) {
                    before.sibling = sibling;
                }
            }
            (None, Some(sibling)) => {
                self.first.insert(unit, sibling);
            }
            (None, None) => self.first.remove(unit),
        }
        while let Some(link) = next.and_then(|next| self.links.get(next.index())) {
            next = link.next_by;
            if let Some(target) = self.jobs.get_mut(link.to.index()) {
                target.wanted = target.wanted.saturating_sub(1);
            }
        }
        true
    }
}

impl Planned {
    /// Nobody wants it any more.
    pub(super) fn is_unwanted(&self) -> bool {
        self.wanted == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::JobKind as K;

    fn pull(by: Option<Place>) -> Pull {
        Pull {
            by,
            matters: true,
            conflicts: false,
            reason: Reason::Requested,
        }
    }

    fn kinds(web: &Web, unit: u32) -> Vec<K> {
        web.of_unit(UnitId(unit)).map(|(_, job)| job.key.1).collect()
    }

    #[test]
    fn the_jobs_of_a_unit_are_told_by_kind_whatever_comes_and_goes() {
        let mut web = Web::new();
        for kind in [K::Reload, K::Start, K::Restart, K::Stop] {
            web.add((UnitId(7), kind), pull(None));
            web.add((UnitId(u32::MAX), kind), pull(None));
        }
        assert_eq!(kinds(&web, 7), [K::Start, K::Stop, K::Reload, K::Restart]);
        for (kind, rest) in [
            (K::Stop, vec![K::Start, K::Reload, K::Restart]),
            (K::Start, vec![K::Reload, K::Restart]),
            (K::Restart, vec![K::Reload]),
            (K::Reload, vec![]),
        ] {
            let place = web.find((UnitId(7), kind)).unwrap();
            assert!(web.remove(place));
            assert!(!web.remove(place));
            assert_eq!(kinds(&web, 7), rest);
        }
        web.add((UnitId(7), K::Stop), pull(None));
        assert_eq!(kinds(&web, 7), [K::Stop]);
        assert_eq!(kinds(&web, u32::MAX), [K::Start, K::Stop, K::Reload, K::Restart]);
    }

    #[test]
    fn a_job_that_comes_again_is_not_wanted_by_those_that_wanted_it_before() {
        let mut web = Web::new();
        let anchor = web.add((UnitId(0), K::Start), pull(None));
        let other = web.add((UnitId(1), K::Start), pull(Some(anchor)));
        let stop = web.add((UnitId(2), K::Stop), pull(Some(other)));
        assert_eq!(web.wanted_by(other).count(), 1);
        web.remove(stop);
        let again = web.add((UnitId(2), K::Stop), pull(Some(anchor)));
        assert_ne!(stop, again);
        assert_eq!(web.wanted_by(other).count(), 0);
        web.remove(other);
        assert!(!web.at(again).unwrap().is_unwanted());
        assert_eq!(web.pulls_of(again).count(), 1);
    }

    #[test]
    fn pulls_by_what_was_taken_out_do_not_count() {
        let mut web = Web::new();
        let anchor = web.add((UnitId(0), K::Start), pull(None));
        let target = web.add((UnitId(1), K::Start), pull(Some(anchor)));
        let one = web.add((UnitId(2), K::Start), pull(Some(anchor)));
        web.add((UnitId(1), K::Start), pull(Some(one)));
        web.add((UnitId(1), K::Start), pull(Some(one)));
        let by: Vec<_> = web.pulls_of(target).map(|pull| pull.by).collect();
        assert_eq!(by, [Some(anchor), Some(one), Some(one)]);
        web.remove(one);
        assert_eq!(web.pulls_of(target).count(), 1);
        assert!(!web.at(target).unwrap().is_unwanted());
        web.remove(anchor);
        assert!(web.at(target).unwrap().is_unwanted());
    }
}
