//! Transactions the slow way: sets of jobs and links, every rule of semantics 2.4 as one plain loop over all of them.

use std::collections::{BTreeMap, BTreeSet};

use softboot_engine::{ActiveState, JobKind};
use softboot_unit::{DependencyKind as D, JobMode};

pub(crate) type Key = (usize, JobKind);

/// Everything that decides.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// (a, kind, b): a's file has kind=b.
    pub(crate) dependencies: BTreeSet<(usize, D, usize)>,
    pub(crate) missing: BTreeSet<usize>,
    pub(crate) active: Vec<ActiveState>,
    /// The installed job, and whether it is irreversible.
    pub(crate) installed: Vec<Option<(JobKind, bool)>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Link {
    by: Key,
    to: Key,
    matters: bool,
    conflicts: bool,
}

struct Draft<'a> {
    facts: &'a Facts,
    mode: JobMode,
    anchor: Key,
    jobs: BTreeSet<Key>,
    links: Vec<Link>,
    matter: BTreeSet<Key>,
}

fn contrary(a: JobKind, b: JobKind) -> bool {
    a != JobKind::Nop && b != JobKind::Nop && (a == JobKind::Stop) != (b == JobKind::Stop)
}

impl Facts {
    fn is_up(&self, unit: usize) -> bool {
        self.active[unit].is_active_ish() || self.active[unit] == ActiveState::Activating
    }

    fn forward(&self, unit: usize, kind: D) -> Vec<usize> {
        let on = |(a, k, b): &(usize, D, usize)| (*a == unit && *k == kind).then_some(*b);
        self.dependencies.iter().filter_map(on).collect()
    }

    fn backward(&self, unit: usize, kind: D) -> Vec<usize> {
        let of = |(a, k, b): &(usize, D, usize)| (*b == unit && *k == kind).then_some(*a);
        self.dependencies.iter().filter_map(of).collect()
    }

    fn has_contrary(&self, (unit, kind): Key) -> bool {
        self.installed[unit].is_some_and(|(installed, _)| contrary(installed, kind))
    }

    fn redundant(&self, (unit, kind): Key) -> bool {
        match kind {
            JobKind::Start | JobKind::VerifyActive => self.active[unit].is_active_ish(),
            JobKind::Stop => self.active[unit].is_inactive_ish(),
            JobKind::Nop => true,
            _ => false,
        }
    }

    /// The table of pulls, without propagated stops, which look at the rest of the transaction.
    fn pulls(&self, key: Key, mode: JobMode, anchor: Key) -> Vec<Link> {
        let (unit, kind) = key;
        let mut links = Vec::new();
        if matches!(mode, JobMode::IgnoreDependencies | JobMode::IgnoreRequirements) {
            return links;
        }
        let mut pull = |units: Vec<usize>, kind: JobKind, matters: bool, conflicts: bool| {
            links.extend(units.into_iter().map(|to| Link {
                by: key,
                to: (to, kind),
                matters,
                conflicts,
            }));
        };
        if matches!(kind, JobKind::Start | JobKind::Restart) {
            pull(self.forward(unit, D::Requires), JobKind::Start, true, false);
            pull(self.forward(unit, D::BindsTo), JobKind::Start, true, false);
            pull(self.forward(unit, D::Wants), JobKind::Start, false, false);
            pull(self.forward(unit, D::Upholds), JobKind::Start, false, false);
            pull(
                self.forward(unit, D::Requisite),
                JobKind::VerifyActive,
                true,
                false,
            );
            pull(self.forward(unit, D::Conflicts), JobKind::Stop, true, true);
            pull(self.backward(unit, D::Conflicts), JobKind::Stop, false, false);
        }
        let restarts = kind == JobKind::Restart || (mode == JobMode::RestartDependencies && key == anchor);
        for relation in [D::Requires, D::Requisite, D::BindsTo, D::PartOf] {
            let users = self.backward(unit, relation);
            if kind == JobKind::Stop {
                pull(users, JobKind::Stop, true, false);
            } else if restarts {
                let up = users.into_iter().filter(|user| self.is_up(*user)).collect();
                pull(up, JobKind::Restart, true, false);
            }
        }
        links
    }
}

/// The jobs that a request makes, one a unit, or the word of the refusal.
pub(crate) fn transaction(
    facts: &Facts,
    key: Key,
    mode: JobMode,
) -> Result<BTreeMap<usize, JobKind>, &'static str> {
    let mut draft = Draft {
        facts,
        mode,
        anchor: key,
        jobs: BTreeSet::new(),
        links: Vec::new(),
        matter: BTreeSet::new(),
    };
    draft.build()?;
    draft.add_isolate();
    draft.find_what_matters();
    draft.minimise_impact()?;
    draft.drop_redundant();
    draft.break_circles()?;
    draft.settle_contradictions()?;
    draft.break_circles()?;
    draft.merged()
}

impl Draft<'_> {
    /// All that can be reached, without what is impossible: a missing unit, and what strongly needs the impossible.
    fn build(&mut self) -> Result<(), &'static str> {
        let mut all = BTreeSet::from([self.anchor]);
        let mut links = Vec::new();
        let mut grown = true;
        while grown {
            links = all
                .iter()
                .flat_map(|key| self.facts.pulls(*key, self.mode, self.anchor))
                .collect::<Vec<_>>();
            let before = all.len();
            all.extend(links.iter().map(|link| link.to));
            grown = all.len() > before;
        }
        let missing = |(unit, kind): Key| kind != JobKind::Stop && self.facts.missing.contains(&unit);
        let mut impossible: BTreeSet<Key> = all.iter().copied().filter(|key| missing(*key)).collect();
        loop {
            let before = impossible.len();
            let strong = links
                .iter()
                .filter(|link| link.matters && impossible.contains(&link.to));
            let more: Vec<Key> = strong.map(|link| link.by).collect();
            impossible.extend(more);
            if impossible.len() == before {
                break;
            }
        }
        if impossible.contains(&self.anchor) {
            return Err("no-such-unit");
        }
        // What only the impossible wanted is not wanted.
        self.jobs.insert(self.anchor);
        loop {
            let before = self.jobs.len();
            let pulled = links
                .iter()
                .filter(|link| self.jobs.contains(&link.by))
                .map(|link| link.to);
            let more: Vec<Key> = pulled.filter(|key| !impossible.contains(key)).collect();
            self.jobs.extend(more);
            if self.jobs.len() == before {
                break;
            }
        }
        self.links = links;
        self.tidy_links();
        Ok(())
    }

    fn tidy_links(&mut self) {
        let jobs = &self.jobs;
        self.links
            .retain(|link| jobs.contains(&link.by) && jobs.contains(&link.to));
    }

    /// Takes out what has no requester.
    fn collect(&mut self) {
        while self.mode != JobMode::Isolate {
            let wanted: BTreeSet<Key> = self.links.iter().map(|link| link.to).collect();
            let before = self.jobs.len();
            let anchor = self.anchor;
            self.jobs.retain(|key| *key == anchor || wanted.contains(key));
            self.tidy_links();
            if self.jobs.len() == before {
                break;
            }
        }
    }

    fn remove(&mut self, key: Key, requesters: bool) {
        let mut gone = BTreeSet::from([key]);
        let mut grown = requesters;
        while grown {
            let before = gone.len();
            let strong = self.links.iter().filter(|l| l.matters && gone.contains(&l.to));
            let more: Vec<Key> = strong.map(|link| link.by).collect();
            gone.extend(more);
            grown = gone.len() > before;
        }
        self.jobs.retain(|key| !gone.contains(key));
        self.tidy_links();
    }

    fn add_isolate(&mut self) {
        if self.mode != JobMode::Isolate {
            return;
        }
        for unit in 0..self.facts.active.len() {
            let idle = self.facts.active[unit].is_inactive_ish() && self.facts.installed[unit].is_none();
            if idle || self.jobs.iter().any(|(other, _)| *other == unit) {
                continue;
            }
            let to = (unit, JobKind::Stop);
            self.jobs.insert(to);
            self.links.push(Link {
                by: self.anchor,
                to,
                matters: true,
                conflicts: false,
            });
        }
    }

    fn find_what_matters(&mut self) {
        self.matter.insert(self.anchor);
        loop {
            let before = self.matter.len();
            let strong = self
                .links
                .iter()
                .filter(|link| link.matters && self.matter.contains(&link.by));
            let more: Vec<Key> = strong.map(|link| link.to).collect();
            self.matter.extend(more);
            if self.matter.len() == before {
                break;
            }
        }
    }

    fn minimise_impact(&mut self) -> Result<(), &'static str> {
        if !matches!(self.mode, JobMode::Fail | JobMode::Lenient) {
            return Ok(());
        }
        for key in self.jobs.clone() {
            let hurts = (key.1 == JobKind::Stop && self.facts.is_up(key.0)) || self.facts.has_contrary(key);
            if hurts && !self.matter.contains(&key) {
                self.remove(key, true);
            } else if hurts && self.mode == JobMode::Lenient {
                return Err("transaction-is-destructive");
            }
        }
        Ok(())
    }

    fn of_unit(&self, unit: usize) -> Vec<Key> {
        self.jobs
            .iter()
            .copied()
            .filter(|(other, _)| *other == unit)
            .collect()
    }

    fn drop_redundant(&mut self) {
        for unit in 0..self.facts.active.len() {
            let list = self.of_unit(unit);
            let needless = |key: &Key| {
                *key != self.anchor && self.facts.redundant(*key) && !self.facts.has_contrary(*key)
            };
            if list.iter().all(needless) {
                for key in list {
                    self.remove(key, false);
                }
            }
        }
    }

    fn break_circles(&mut self) -> Result<(), &'static str> {
        if self.mode == JobMode::IgnoreDependencies {
            return Ok(());
        }
        loop {
            self.collect();
            let Some(circle) = self.circle(false).or_else(|| self.circle(true)) else {
                return Ok(());
            };
            let idle = |unit: &&usize| {
                let list = self.of_unit(**unit);
                !list.is_empty() && list.iter().all(|key| !self.matter.contains(key))
            };
            let Some(victim) = circle.iter().rev().find(idle) else {
                return Err("transaction-order-is-cyclic");
            };
            for key in self.of_unit(*victim) {
                self.remove(key, true);
            }
        }
    }

    /// Whether the job that the unit will have takes it down, if it has one.
    fn goes_down(&self, unit: usize, restarted: bool) -> Option<bool> {
        let mut kinds: Vec<JobKind> = self.of_unit(unit).into_iter().map(|key| key.1).collect();
        kinds.retain(|kind| *kind != JobKind::Nop);
        if let Some((installed, _)) = self.facts.installed[unit]
            && !kinds.iter().any(|kind| contrary(*kind, installed))
        {
            kinds.push(installed);
        }
        let stop = (unit, JobKind::Stop);
        let other = kinds.iter().find(|kind| contrary(**kind, JobKind::Stop));
        match (kinds.contains(&JobKind::Stop), other) {
            (false, None) => None,
            (true, None) => Some(true),
            (false, Some(_)) => Some(kinds.contains(&JobKind::Restart) && !restarted),
            (true, Some(other)) => Some(
                match (self.matter.contains(&stop), self.matter.contains(&(unit, *other))) {
                    (false, false) => self.links.iter().any(|link| link.to == stop && link.conflicts),
                    (stop, other) => stop && !other,
                },
            ),
        }
    }

    /// The first circle of a walk along the order in which jobs run, units in order.
    fn circle(&self, restarted: bool) -> Option<Vec<usize>> {
        let mut done = BTreeSet::new();
        let roots = (0..self.facts.active.len()).filter(|unit| !self.of_unit(*unit).is_empty());
        roots
            .into_iter()
            .filter(|root| self.goes_down(*root, restarted).is_some())
            .find_map(|root| self.walk(&mut vec![root], &mut done, restarted))
    }

    fn walk(&self, path: &mut Vec<usize>, done: &mut BTreeSet<usize>, restarted: bool) -> Option<Vec<usize>> {
        let unit = *path.last()?;
        if done.contains(&unit) {
            return None;
        }
        let mut later: BTreeSet<usize> = self.facts.backward(unit, D::After).into_iter().collect();
        later.extend(self.facts.forward(unit, D::Before));
        let mut earlier: BTreeSet<usize> = self.facts.backward(unit, D::Before).into_iter().collect();
        earlier.extend(self.facts.forward(unit, D::After));
        let later = later
            .into_iter()
            .filter(|next| self.goes_down(*next, restarted) == Some(false));
        let earlier = earlier
            .into_iter()
            .filter(|_| self.goes_down(unit, restarted) == Some(true));
        for next in later.chain(earlier) {
            let ordered = self.goes_down(next, restarted).is_some();
            if let Some(place) = path.iter().position(|other| *other == next) {
                return Some(path[place..].to_vec());
            }
            if ordered {
                path.push(next);
                if let Some(circle) = self.walk(path, done, restarted) {
                    return Some(circle);
                }
                path.pop();
            }
        }
        done.insert(unit);
        None
    }

    fn settle_contradictions(&mut self) -> Result<(), &'static str> {
        loop {
            let pair = self.jobs.iter().find_map(|key| {
                let stop = (key.0, JobKind::Stop);
                (contrary(key.1, JobKind::Stop) && self.jobs.contains(&stop)).then_some((*key, stop))
            });
            let Some((other, stop)) = pair else { return Ok(()) };
            let victim = match (self.matter.contains(&other), self.matter.contains(&stop)) {
                (true, true) => return Err("transaction-jobs-are-conflicting"),
                (true, false) => stop,
                (false, true) => other,
                (false, false) if self.links.iter().any(|l| l.to == stop && l.conflicts) => other,
                (false, false) => stop,
            };
            self.remove(victim, true);
            self.collect();
        }
    }

    fn merged(&self) -> Result<BTreeMap<usize, JobKind>, &'static str> {
        let mut result = BTreeMap::new();
        for unit in 0..self.facts.active.len() {
            let kinds: Vec<JobKind> = self.of_unit(unit).into_iter().map(|key| key.1).collect();
            let has = |kind: JobKind| kinds.contains(&kind);
            let kind = if has(JobKind::Restart) {
                JobKind::Restart
            } else if has(JobKind::Stop) {
                JobKind::Stop
            } else if has(JobKind::Reload)
                && (!has(JobKind::Start) || self.facts.active[unit].is_active_ish())
            {
                JobKind::Reload
            } else if has(JobKind::Start) {
                JobKind::Start
            } else if has(JobKind::VerifyActive) {
                JobKind::VerifyActive
            } else if has(JobKind::Nop) {
                JobKind::Nop
            } else {
                continue;
            };
            let key = (unit, kind);
            if unit != self.anchor.0 && self.facts.redundant(key) && !self.facts.has_contrary(key) {
                continue;
            }
            if self.facts.has_contrary(key) {
                let strict = matches!(self.mode, JobMode::Fail | JobMode::Lenient);
                if strict || self.facts.installed[unit].is_some_and(|(_, irreversible)| irreversible) {
                    return Err("transaction-is-destructive");
                }
            }
            result.insert(unit, kind);
        }
        Ok(result)
    }
}
