//! One job a unit (semantics 2.4, activate 6).

use std::collections::BTreeMap;

use softboot_unit::JobMode;

use super::cycle::stop_stays;
use super::{Draft, DropReason, Dropped, Key, Obstacle, Refusal, word};
use crate::action::RequestError;
use crate::engine::Engine;
use crate::event::UnitId;
use crate::jobs::{conflict, merge};
use crate::state::JobKind;

impl Engine {
    /// Decides contradictions. True when that took something out.
    pub(super) fn settle_draft(&self, draft: &mut Draft, mode: JobMode) -> Result<bool, Box<Refusal>> {
        let mut changed = false;
        let units = draft.units();
        for unit in &units {
            let nop = (*unit, JobKind::Nop);
            if draft.anchor != nop && draft.kinds_of(*unit).any(|kind| kind != JobKind::Nop) {
                changed |= draft.take_out(nop, false, || Dropped::For(DropReason::Redundant));
            }
        }
        // What is taken out for one unit makes no contradiction in another.
        for unit in units {
            while let Some((a, b)) = find_contradiction(draft, unit) {
                let victim = self.choose(draft, a, b)?;
                let rival = if victim == a { b.1 } else { a.1 };
                changed |= draft.take_out(victim, true, || Dropped::For(DropReason::Contradicts(rival)));
                if mode != JobMode::Isolate {
                    draft.collect_garbage();
                }
            }
        }
        Ok(changed)
    }

    /// Merges what each unit has.
    pub(super) fn merge_draft(&self, draft: &Draft) -> BTreeMap<UnitId, JobKind> {
        let of_unit = |unit: UnitId| {
            let active = || self.units[unit].active().is_active_ish();
            let kinds = draft.kinds_of(unit);
            kinds
                .reduce(|sum, kind| merge(sum, kind, active()).unwrap_or(sum))
                .map(|kind| (unit, kind))
        };
        draft.units().into_iter().filter_map(of_unit).collect()
    }

    /// Which of two contradicting jobs of one unit goes.
    fn choose(&self, draft: &Draft, a: Key, b: Key) -> Result<Key, Box<Refusal>> {
        let matters = |key: Key| key == draft.anchor || draft.get(key).is_some_and(|job| job.matters);
        let (stop, other) = if a.1 == JobKind::Stop { (a, b) } else { (b, a) };
        match (matters(stop), matters(other)) {
            (true, false) | (false, _) => {
                let stays = stop_stays(draft, stop.0, other.1);
                Ok(if stays { other } else { stop })
            }
            (true, true) => {
                let name = self.units[stop.0].name();
                let message = format!(
                    "{name} would have to {} ({}) and to stop ({})",
                    word(other.1),
                    self.pulled_by(draft, other),
                    self.pulled_by(draft, stop)
                );
                let error = RequestError::TransactionJobsAreConflicting(message);
                let obstacle = Obstacle::Contrary(self.links(&draft.path(stop)));
                Err(self.refusal_in(draft, error, other, obstacle))
            }
        }
    }

    fn pulled_by(&self, draft: &Draft, key: Key) -> String {
        let mut pulls = draft.pulls_of(key);
        match pulls.find(|(_, pull)| pull.matters).and_then(|(by, _)| by) {
            Some((unit, kind)) => format!("for the {} of {}", word(kind), self.units[unit].name()),
            None => "as was asked for".to_owned(),
        }
    }
}

fn find_contradiction(draft: &Draft, unit: UnitId) -> Option<(Key, Key)> {
    let stop = draft.kinds_of(unit).find(|kind| *kind == JobKind::Stop)?;
    let other = draft.kinds_of(unit).find(|kind| conflict(stop, *kind))?;
    Some(((unit, stop), (unit, other)))
}
