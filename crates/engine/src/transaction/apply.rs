//! Installing (semantics 2.4, activate 8 and 9).

use std::collections::BTreeMap;

use softboot_unit::JobMode;

use super::build::Skipped;
use super::{Draft, Refusal, Wish, word};
use crate::action::{Action, Level, RequestError};
use crate::engine::Engine;
use crate::event::{JobId, UnitId};
use crate::jobs::{Job, conflict, merge};
use crate::state::{JobKind, JobResult};

/// What is worth a line in the log.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) skipped: Vec<Skipped>,
    pub(super) broken: Vec<(UnitId, String)>,
}

impl Engine {
    /// Makes the jobs that a wish means. On an error nothing changed.
    pub(crate) fn enqueue_wish(&mut self, wish: Wish) -> Result<JobId, RequestError> {
        let mut notes = Notes::default();
        let prepared = self.prepare(wish, false, &mut notes);
        for skipped in notes.skipped {
            let requester = self.units[skipped.by.0].name();
            let message = format!("not pulled in by {requester}: {}", skipped.error);
            self.log(Level::Debug, Some(skipped.key.0), message);
        }
        for (victim, message) in notes.broken {
            self.log(Level::Error, Some(victim), message);
        }
        let (wish, _, merged) = prepared.map_err(|refusal| refusal.error)?;
        Ok(self.apply(&wish, &merged))
    }

    /// Everything up to installing: the wish as it is meant now, its jobs with their reasons, and one job a unit.
    pub(super) fn prepare(
        &self,
        wish: Wish,
        remember: bool,
        notes: &mut Notes,
    ) -> Result<(Wish, Draft, BTreeMap<UnitId, JobKind>), Box<Refusal>> {
        if self.ending.is_some() {
            let error = RequestError::ShuttingDown("no new jobs: this userspace is ending".to_owned());
            return Err(self.refusal(error, (wish.unit, wish.kind)));
        }
        let wish = Wish {
            kind: self.collapse(wish.unit, wish.kind),
            ..wish
        };
        let (mut draft, skipped) = self.build(&wish)?;
        notes.skipped = skipped;
        // What a failed pull left behind would only confuse the steps that follow.
        draft.keep_reachable();
        match wish.mode {
            JobMode::Isolate => self.add_isolate(&mut draft),
            JobMode::Triggering => self.add_triggering(&mut draft),
            _ => {}
        }
        if remember {
            draft.remember();
        }
        draft.find_what_matters();
        self.minimise_impact(&mut draft, wish.mode)?;
        self.drop_redundant(&mut draft);
        self.break_cycles(&mut draft, wish.mode, &mut notes.broken)?;
        if self.settle_draft(&mut draft, wish.mode)? {
            // What was left of a contradiction may have been another job than it seemed. Where none was, the draft is the
            // one in which no circle was found.
            self.break_cycles(&mut draft, wish.mode, &mut notes.broken)?;
        }
        let mut merged = self.merge_draft(&draft);
        merged.retain(|unit, kind| *unit == wish.unit || !self.changes_nothing((*unit, *kind)));
        self.refuse_destruction(&draft, &merged, wish.mode)?;
        Ok((wish, draft, merged))
    }

    fn refuse_destruction(
        &self,
        draft: &Draft,
        merged: &BTreeMap<UnitId, JobKind>,
        mode: JobMode,
    ) -> Result<(), Box<Refusal>> {
        for (unit, kind) in merged {
            let Some(installed) = self.units[*unit].job.and_then(|id| self.jobs.get(id)) else {
                continue;
            };
            if !conflict(installed.kind, *kind) {
                continue;
            }
            let strict = matches!(mode, JobMode::Fail | JobMode::Lenient);
            if strict || installed.irreversible {
                let name = self.units[*unit].name();
                let message = format!(
                    "the {} of {} needs a {} of {name}, but {name} has a {} job{}",
                    word(draft.anchor.1),
                    self.units[draft.anchor.0].name(),
                    word(*kind),
                    word(installed.kind),
                    if installed.irreversible {
                        " that must not be reversed"
                    } else {
                        ""
                    },
                );
                let error = RequestError::TransactionIsDestructive(message);
                let key = draft.key_for(*unit, *kind);
                return Err(self.refusal_in(draft, error, key, self.obstacle_job(*unit)));
            }
        }
        Ok(())
    }

    fn apply(&mut self, wish: &Wish, merged: &BTreeMap<UnitId, JobKind>) -> JobId {
        if matches!(wish.mode, JobMode::Isolate | JobMode::Flush) {
            for id in self.cleared(merged) {
                self.finish_job(id, JobResult::Canceled, false);
            }
        }
        let mut anchor = JobId(0);
        for (unit, kind) in merged {
            let id = self.install(*unit, *kind, wish);
            if *unit == wish.unit {
                anchor = id;
            }
        }
        if let Some(request) = wish.request {
            if let Some(job) = self.jobs.get_mut(anchor) {
                job.requests.push(request);
            }
            self.act(Action::RequestQueued { request, job: anchor });
        }
        anchor
    }

    /// Modes isolate and flush: the installed jobs that have to go.
    pub(super) fn cleared(&self, merged: &BTreeMap<UnitId, JobKind>) -> Vec<JobId> {
        let kept =
            |unit: UnitId| merged.contains_key(&unit) || self.units[unit].definition.unit.ignore_on_isolate;
        let gone = self.jobs.iter().filter(|(_, job)| !kept(job.unit));
        gone.map(|(id, _)| id).collect()
    }

    /// The install rule of semantics 2.4.
    fn install(&mut self, unit: UnitId, kind: JobKind, wish: &Wish) -> JobId {
        let slot = if kind == JobKind::Nop {
            self.units[unit].nop
        } else {
            self.units[unit].job
        };
        if let Some(id) = slot
            && let Some(installed) = self.jobs.get(id)
        {
            if conflict(installed.kind, kind) {
                self.finish_job(id, JobResult::Canceled, false);
            } else {
                self.merge_into(id, unit, kind, wish);
                return id;
            }
        }
        let job = Job {
            unit,
            kind,
            running: false,
            irreversible: wish.mode == JobMode::ReplaceIrreversibly,
            ignore_order: wish.mode == JobMode::IgnoreDependencies,
            no_late_merge: wish.no_late_merge,
            requests: Vec::new(),
            begin: self.now.monotonic,
            deadline: None,
            cursor: 0,
        };
        let id = self.jobs.add(job);
        let slots = &mut self.units[unit];
        if kind == JobKind::Nop {
            slots.nop = Some(id);
        } else {
            slots.job = Some(id);
        }
        self.dirty.insert(unit);
        self.act(Action::JobNew { job: id, unit, kind });
        self.arm_job_timeout(id);
        id
    }

    fn merge_into(&mut self, id: JobId, unit: UnitId, kind: JobKind, wish: &Wish) {
        let active = self.units[unit].active().is_active_ish();
        let Some(installed) = self.jobs.get_mut(id) else {
            return;
        };
        let Some(sum) = merge(installed.kind, kind, active) else {
            return;
        };
        installed.irreversible |= wish.mode == JobMode::ReplaceIrreversibly;
        installed.ignore_order |= wish.mode == JobMode::IgnoreDependencies;
        let covered = sum == installed.kind && kind != JobKind::Reload && !wish.no_late_merge;
        if installed.running && covered {
            return;
        }
        let changed = installed.kind != sum;
        installed.kind = sum;
        installed.running = false;
        installed.no_late_merge |= wish.no_late_merge;
        if changed {
            self.dirty.insert(unit);
            self.jobs.wake(id);
        }
        self.jobs.queue(id);
    }
}
