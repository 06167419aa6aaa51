//! Installing (semantics 2.4, activate 8 and 9).

use std::collections::BTreeMap;

use softboot_unit::JobMode;

use super::{Plan, Wish, word};
use crate::action::{Action, RequestError};
use crate::engine::Engine;
use crate::event::{JobId, UnitId};
use crate::jobs::{Job, conflict, merge};
use crate::state::{JobKind, JobResult};

impl Engine {
    /// Makes the jobs that a wish means. On an error nothing changed.
    pub(crate) fn enqueue_wish(&mut self, wish: Wish) -> Result<JobId, RequestError> {
        if self.ending.is_some() {
            return Err(RequestError::ShuttingDown(
                "no new jobs: this userspace is ending".to_owned(),
            ));
        }
        let wish = Wish {
            kind: self.collapse(wish.unit, wish.kind),
            ..wish
        };
        let mut plan = self.build(&wish)?;
        match wish.mode {
            JobMode::Isolate => self.add_isolate(&mut plan),
            JobMode::Triggering => self.add_triggering(&mut plan),
            _ => {}
        }
        plan.find_what_matters();
        self.minimise_impact(&mut plan, wish.mode)?;
        self.drop_redundant(&mut plan);
        self.break_cycles(&mut plan, wish.mode)?;
        let mut merged = self.merge_plan(&mut plan, wish.mode)?;
        merged.retain(|unit, kind| {
            *unit == wish.unit || !self.is_redundant((*unit, *kind)) || self.conflicts_installed(*unit, *kind)
        });
        self.refuse_destruction(&plan, &merged, wish.mode)?;
        Ok(self.apply(&wish, &merged))
    }

    fn refuse_destruction(
        &self,
        plan: &Plan,
        merged: &BTreeMap<UnitId, JobKind>,
        mode: JobMode,
    ) -> Result<(), RequestError> {
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
                    word(plan.anchor.1),
                    self.units[plan.anchor.0].name(),
                    word(*kind),
                    word(installed.kind),
                    if installed.irreversible {
                        " that must not be reversed"
                    } else {
                        ""
                    },
                );
                return Err(RequestError::TransactionIsDestructive(message));
            }
        }
        Ok(())
    }

    fn apply(&mut self, wish: &Wish, merged: &BTreeMap<UnitId, JobKind>) -> JobId {
        if matches!(wish.mode, JobMode::Isolate | JobMode::Flush) {
            for id in self.jobs.ids() {
                let Some(job) = self.jobs.get(id) else { continue };
                let kept =
                    merged.contains_key(&job.unit) || self.units[job.unit].definition.unit.ignore_on_isolate;
                if !kept {
                    self.finish_job(id, JobResult::Canceled, false);
                }
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
