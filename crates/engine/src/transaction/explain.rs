//! What a request would do, without doing it.

use serde::{Deserialize, Serialize};
use softboot_unit::{JobMode, UnitName};

use super::apply::Notes;
use super::{Dropped, Refusal, Wish};
use crate::action::RequestError;
use crate::engine::Engine;
use crate::event::{JobId, UnitId};
use crate::jobs::conflict;
use crate::state::JobKind;
use crate::units::Relation;

/// How a job comes to be wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// It is what was asked for.
    Requested,
    /// Mode isolate stops what is not wanted (semantics 2.5).
    Isolate,
    /// Mode triggering stops what would start the unit again.
    Triggering,
    /// The unit of the job before it has this relation to its unit.
    Dependency(Relation),
}

/// One job of a chain, and why the one before it wants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Whose job.
    pub unit: UnitName,
    /// What kind.
    pub job: JobKind,
    /// Why the job before it in the chain wants it; `requested` for the first.
    pub reason: Reason,
}

/// A job that is in the table now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstalledJob {
    /// Its number.
    pub id: JobId,
    /// Whose.
    pub unit: UnitName,
    /// What kind.
    pub job: JobKind,
    /// Begun, as against waiting.
    pub running: bool,
    /// Only Cancel can take it back.
    pub irreversible: bool,
}

/// What a request would do: [`Engine::plan`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The jobs that it would put into the table, one a unit.
    pub jobs: Vec<PlannedJob>,
    /// The jobs that were looked at and left out.
    pub dropped: Vec<DroppedJob>,
    /// Installed jobs that it would cancel.
    pub cancelled: Vec<InstalledJob>,
}

/// A job that would be put into the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedJob {
    /// Whose.
    pub unit: UnitName,
    /// What kind.
    pub job: JobKind,
    /// The request makes no sense without it (semantics 2.4, activate 1).
    pub matters: bool,
    /// How the request comes to want it.
    pub chain: Vec<Link>,
    /// The installed job that it would be merged into.
    pub joins: Option<InstalledJob>,
}

/// A job that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedJob {
    /// Whose.
    pub unit: UnitName,
    /// What kind.
    pub job: JobKind,
    /// Why it was left out.
    pub why: DropReason,
    /// How the request came to look at it.
    pub chain: Vec<Link>,
}

/// Why a job was left out (semantics 2.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DropReason {
    /// It cannot be, and whoever wanted it can do without.
    Impossible(RequestError),
    /// The unit is in that state already.
    Redundant,
    /// It would stop a running unit, which the mode allows only to what matters.
    StopsRunning,
    /// The unit has a contrary job, which the mode allows only what matters to replace.
    ContraryJob,
    /// It broke a circle of orders: these units, each before the next.
    Circle(Vec<UnitName>),
    /// The same request wants this contrary job of the unit, which comes first.
    Contradicts(JobKind),
    /// This job, without which it makes no sense, was left out.
    Without {
        /// Whose job.
        unit: UnitName,
        /// What kind.
        job: JobKind,
    },
    /// Nothing that is left wants it.
    Unneeded,
}

impl Engine {
    /// What a request would do now, or why it would be refused. Nothing changes.
    ///
    /// # Errors
    /// Those that [`crate::Event::Request`] with `manual` would get, with their reasons.
    pub fn plan(&self, kind: JobKind, unit: &UnitName, mode: JobMode) -> Result<Plan, Box<Refusal>> {
        let id = self.check_request(kind, unit, mode, true).map_err(|error| {
            let link = Link {
                unit: unit.clone(),
                job: kind,
                reason: Reason::Requested,
            };
            Box::new(Refusal {
                error,
                unit: unit.clone(),
                job: kind,
                chain: vec![link],
                against: None,
            })
        })?;
        let wish = Wish {
            kind,
            unit: id,
            mode,
            request: None,
            no_late_merge: false,
        };
        let mut notes = Notes::default();
        let (wish, draft, merged) = self.prepare(wish, true, &mut notes)?;
        let mut plan = Plan::default();
        if matches!(wish.mode, JobMode::Isolate | JobMode::Flush) {
            let jobs = self.cleared(&merged);
            plan.cancelled
                .extend(jobs.iter().filter_map(|id| self.installed_job(*id)));
        }
        for (unit, kind) in &merged {
            let key = draft.key_for(*unit, *kind);
            let slot = if *kind == JobKind::Nop {
                self.units[*unit].nop
            } else {
                self.units[*unit].job
            };
            let mut joins = slot.and_then(|id| self.installed_job(id));
            if let Some(job) = joins.take_if(|job| conflict(job.job, *kind)) {
                plan.cancelled.push(job);
            }
            plan.jobs.push(PlannedJob {
                unit: self.units[*unit].name().clone(),
                job: *kind,
                matters: draft.get(key).is_some_and(|job| job.matters),
                chain: self.links(&draft.path(key)),
                joins,
            });
        }
        let name = |unit: UnitId| self.units[unit].name().clone();
        for ((unit, job), why) in draft.dropped() {
            let why = match why {
                Dropped::For(reason) => reason.clone(),
                Dropped::With(key) => DropReason::Without {
                    unit: name(key.0),
                    job: key.1,
                },
            };
            let chain = self.links(&draft.former_path((*unit, *job)));
            plan.dropped.push(DroppedJob {
                unit: name(*unit),
                job: *job,
                why,
                chain,
            });
        }
        for skipped in notes.skipped {
            let mut path = draft.former_path(skipped.by);
            path.push((skipped.key, skipped.reason));
            plan.dropped.push(DroppedJob {
                unit: name(skipped.key.0),
                job: skipped.key.1,
                why: DropReason::Impossible(skipped.error),
                chain: self.links(&path),
            });
        }
        Ok(plan)
    }

    /// The job in a unit's slot.
    pub(super) fn installed(&self, unit: UnitId) -> Option<InstalledJob> {
        self.units[unit].job.and_then(|id| self.installed_job(id))
    }

    fn installed_job(&self, id: JobId) -> Option<InstalledJob> {
        let job = self.jobs.get(id)?;
        Some(InstalledJob {
            id,
            unit: self.units[job.unit].name().clone(),
            job: job.kind,
            running: job.running,
            irreversible: job.irreversible,
        })
    }
}
