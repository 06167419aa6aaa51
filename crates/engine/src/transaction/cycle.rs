//! Orders that bite their tail (semantics 2.4, activate 5).
//!
//! What counts is the order in which the jobs would run (2.6), not that of the files: units that stop do so in the reverse
//! order, so files that no start could follow may be followed by a stop.

use std::slice::Iter;

use softboot_unit::{JobMode, UnitName};

use super::numbers::ByUnit;
use super::{Draft, DropReason, Dropped, Obstacle, Refusal, word};
use crate::action::RequestError;
use crate::engine::Engine;
use crate::event::UnitId;
use crate::state::JobKind;
use crate::units::Relation;

impl Engine {
    /// Takes jobs that do not matter out of the draft until no order is a circle.
    pub(super) fn break_cycles(
        &self,
        draft: &mut Draft,
        mode: JobMode,
        broken: &mut Vec<(UnitId, String)>,
    ) -> Result<(), Box<Refusal>> {
        if mode == JobMode::IgnoreDependencies {
            return Ok(());
        }
        loop {
            if mode != JobMode::Isolate {
                draft.collect_garbage();
            }
            let Some(circle) = self.find_cycle(draft) else {
                return Ok(());
            };
            let units: Vec<UnitName> = circle
                .iter()
                .map(|unit| self.units[*unit].name().clone())
                .collect();
            let names: Vec<&str> = units.iter().map(UnitName::as_str).collect();
            let path = names.join(" before ");
            let victim = circle.iter().rev().copied().find(|unit| {
                let mut keys = draft.kinds_of(*unit).map(|kind| (*unit, kind)).peekable();
                keys.peek().is_some() && keys.all(|key| draft.get(key).is_some_and(|job| !job.matters))
            });
            let Some(victim) = victim else {
                let anchor = self.units[draft.anchor.0].name();
                let job = word(draft.anchor.1);
                let message = format!(
                    "the {job} of {anchor} cannot be ordered, and every job of the circle matters: {path}"
                );
                let error = RequestError::TransactionOrderIsCyclic(message);
                return Err(self.refusal_in(draft, error, draft.anchor, Obstacle::Circle(units)));
            };
            let message = format!("its job was taken out to break a circle of orders: {path}");
            broken.push((victim, message));
            let kinds: Vec<_> = draft.kinds_of(victim).collect();
            for kind in kinds {
                draft.take_out((victim, kind), true, || {
                    Dropped::For(DropReason::Circle(units.clone()))
                });
            }
        }
    }

    /// The units of one circle, each of which has its job before the next.
    fn find_cycle(&self, draft: &Draft) -> Option<Vec<UnitId>> {
        let mut walk = Walk::new(self, draft, false);
        let circle = walk.find_cycle();
        if circle.is_some() || !walk.restarts {
            return circle;
        }
        // A restart stops its unit and then starts it: neither may be in a circle. Where the walk met no restart, another
        // would go the same way.
        Walk::new(self, draft, true).find_cycle()
    }
}

/// How far the walk is with a unit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Colour {
    New,
    OnPath,
    Done,
}

/// What the walk knows of a unit.
#[derive(Clone, Copy)]
struct Seen {
    /// Whether its job takes it down; `None` without a job that is ordered.
    down: Option<bool>,
    colour: Colour,
}

/// A unit on the path, and where the path may go on from it.
struct Step<'a> {
    unit: UnitId,
    before: Iter<'a, UnitId>,
    after: Iter<'a, UnitId>,
}

/// A walk from job to job, always to one that has to wait for the last.
struct Walk<'a> {
    engine: &'a Engine,
    draft: &'a Draft,
    /// It is as when every restart has stopped its unit.
    restarted: bool,
    /// A restart was met.
    restarts: bool,
    seen: ByUnit<Seen>,
    path: Vec<Step<'a>>,
}

impl<'a> Walk<'a> {
    fn new(engine: &'a Engine, draft: &'a Draft, restarted: bool) -> Walk<'a> {
        Walk {
            engine,
            draft,
            restarted,
            restarts: false,
            seen: ByUnit::new(),
            path: Vec::new(),
        }
    }

    fn find_cycle(&mut self) -> Option<Vec<UnitId>> {
        for root in self.draft.units() {
            let seen = self.look(root);
            self.enter(root, seen);
            while let Some(step) = self.path.last_mut() {
                // The later unit's job decides which goes first (2.6): a partner before which this unit is has to come
                // up, and one after which it is waits if this unit goes down.
                let (partner, later) = match step.before.next() {
                    Some(partner) => (*partner, true),
                    None => match step.after.next() {
                        Some(partner) => (*partner, false),
                        None => {
                            let unit = step.unit;
                            self.paint(unit, Colour::Done);
                            self.path.pop();
                            continue;
                        }
                    },
                };
                let seen = self.look(partner);
                if later && seen.down != Some(false) {
                    continue;
                }
                if seen.colour == Colour::OnPath {
                    let path = self.path.iter().map(|step| step.unit);
                    return Some(path.skip_while(|unit| *unit != partner).collect());
                }
                self.enter(partner, seen);
            }
        }
        None
    }

    /// Goes on from a unit with a job, if the walk has not been there.
    fn enter(&mut self, unit: UnitId, seen: Seen) {
        let Some(down) = seen.down.filter(|_| seen.colour == Colour::New) else {
            return;
        };
        let known = &self.engine.units[unit];
        let after = if down {
            known.partners(Relation::After)
        } else {
            &[]
        };
        self.path.push(Step {
            unit,
            before: known.partners(Relation::Before).iter(),
            after: after.iter(),
        });
        self.paint(unit, Colour::OnPath);
    }

    fn paint(&mut self, unit: UnitId, colour: Colour) {
        if let Some(seen) = self.seen.get_mut(unit) {
            seen.colour = colour;
        }
    }

    fn look(&mut self, unit: UnitId) -> Seen {
        if let Some(seen) = self.seen.get(unit) {
            return *seen;
        }
        let seen = Seen {
            down: self.goes_down(unit),
            colour: Colour::New,
        };
        self.seen.insert(unit, seen);
        seen
    }

    /// Whether the unit's job takes it down, in the draft or the table; `None` without a job that is ordered.
    fn goes_down(&mut self, unit: UnitId) -> Option<bool> {
        let (mut stop, mut other, mut restart) = (false, None, false);
        for kind in self.draft.kinds_of(unit).filter(|kind| *kind != JobKind::Nop) {
            if kind == JobKind::Stop {
                stop = true;
            } else {
                other = other.or(Some(kind));
                restart |= kind == JobKind::Restart;
            }
        }
        if stop {
            return Some(other.is_none_or(|other| stop_stays(self.draft, unit, other)));
        }
        let installed = self.installed(unit);
        match other {
            None if installed? == JobKind::Stop => return Some(true),
            // They will be one, unless they are contrary.
            _ => restart |= installed == Some(JobKind::Restart),
        }
        self.restarts |= restart;
        Some(restart && !self.restarted)
    }

    fn installed(&self, unit: UnitId) -> Option<JobKind> {
        let jobs = &self.engine.jobs;
        if jobs.is_empty() {
            return None;
        }
        let job = self.engine.units[unit].job.and_then(|id| jobs.get(id))?;
        (!job.ignore_order).then_some(job.kind)
    }
}

/// Of a stop and a contrary job of one unit that are both in the draft: whether the stop is what will be left (activate 6).
pub(super) fn stop_stays(draft: &Draft, unit: UnitId, other: JobKind) -> bool {
    let matters = |kind: JobKind| {
        let key = (unit, kind);
        key == draft.anchor || draft.get(key).is_some_and(|job| job.matters)
    };
    match (matters(JobKind::Stop), matters(other)) {
        (false, false) => draft
            .pulls_of((unit, JobKind::Stop))
            .any(|(_, pull)| pull.conflicts),
        (stop, other) => stop && !other,
    }
}
