//! Jobs that wait for each other: a reload may give units orders that no transaction has looked at.
//!
//! A transaction refuses circles (semantics 2.4). Jobs that are installed keep waiting by the orders of the files as they
//! are now, so a reload could leave some of them waiting for each other for ever. Of each such circle the newest job is
//! cancelled, and says why.

use std::collections::BTreeMap;

use crate::action::Level;
use crate::engine::Engine;
use crate::event::JobId;
use crate::state::JobResult;

/// How far the search is with a job.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// It is on the path that is being followed.
    Open,
    /// Nothing that it waits for leads to a circle.
    Done,
}

impl Engine {
    /// Cancels jobs until none waits for itself.
    pub(crate) fn break_circles(&mut self) {
        while let Some(circle) = self.circle_of_jobs(false).or_else(|| self.circle_of_jobs(true)) {
            let Some(newest) = circle.iter().max().copied() else {
                return;
            };
            let names: Vec<String> = circle
                .iter()
                .filter_map(|id| self.jobs.get(*id))
                .map(|job| self.units[job.unit].name().to_string())
                .collect();
            let unit = self.jobs.get(newest).map(|job| job.unit);
            self.log(
                Level::Error,
                unit,
                format!(
                    "its job is cancelled: by the new files these would wait for each other for ever: {}",
                    names.join(", ")
                ),
            );
            self.finish_job(newest, JobResult::Canceled, true);
        }
    }

    /// Jobs of which each waits for the next, and the last for the first.
    fn circle_of_jobs(&self, restarted: bool) -> Option<Vec<JobId>> {
        let mut marks: BTreeMap<JobId, Mark> = BTreeMap::new();
        for start in self.jobs.ids() {
            if marks.contains_key(&start) {
                continue;
            }
            // Each job of the path with what it waits for and was not looked at.
            let mut path = vec![(start, self.blockers(start, restarted))];
            marks.insert(start, Mark::Open);
            while let Some((id, left)) = path.last_mut() {
                let Some(next) = left.pop() else {
                    marks.insert(*id, Mark::Done);
                    path.pop();
                    continue;
                };
                match marks.get(&next) {
                    Some(Mark::Done) => {}
                    Some(Mark::Open) => {
                        let ids = path.iter().map(|(id, _)| *id);
                        return Some(ids.skip_while(|id| *id != next).collect());
                    }
                    None => {
                        marks.insert(next, Mark::Open);
                        path.push((next, self.blockers(next, restarted)));
                    }
                }
            }
        }
        None
    }
}
