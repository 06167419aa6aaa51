//! Which job goes first (semantics 2.6).

use crate::engine::Engine;
use crate::event::JobId;
use crate::state::JobKind;
use crate::units::Relation;

impl Engine {
    /// A job that has to end before `id` may begin.
    ///
    /// Only the job of the *later* unit (the one with After=) decides: if it is a stop or restart it goes first,
    /// otherwise the other does.
    pub(crate) fn blocker(&mut self, id: JobId) -> Option<JobId> {
        let job = self.jobs.get(id)?;
        if job.ignore_order || job.kind == JobKind::Nop {
            return None;
        }
        let unit = &self.units[job.unit];
        let (after, before) = (unit.partners(Relation::After), unit.partners(Relation::Before));
        let total = after.len() + before.len();
        let goes_down = matches!(job.kind, JobKind::Stop | JobKind::Restart);
        let mut found = None;
        for step in 0..total {
            let place = (job.cursor + step) % total;
            let (partner, partner_is_later) = match after.get(place) {
                Some(partner) => (*partner, false),
                None => match before.get(place - after.len()) {
                    Some(partner) => (*partner, true),
                    None => continue,
                },
            };
            let Some(other_id) = self.units[partner].job else {
                continue;
            };
            let Some(other) = self.jobs.get(other_id) else {
                continue;
            };
            let blocks = if partner_is_later {
                matches!(other.kind, JobKind::Stop | JobKind::Restart)
            } else {
                !goes_down
            };
            if blocks && !other.ignore_order {
                found = Some((place, other_id));
                break;
            }
        }
        let (place, other) = found?;
        self.jobs.get_mut(id)?.cursor = place;
        Some(other)
    }

    /// Every job that has to end before a waiting one may begin; none for one that runs. With `restarted` as it will be
    /// when every restart has stopped its unit: then it is a start, which waits for others than its stop did.
    pub(crate) fn blockers(&self, id: JobId, restarted: bool) -> Vec<JobId> {
        let turns = |kind| restarted && kind == JobKind::Restart;
        let Some(job) = self.jobs.get(id).filter(|job| !job.running || turns(job.kind)) else {
            return Vec::new();
        };
        if job.ignore_order || job.kind == JobKind::Nop {
            return Vec::new();
        }
        let goes_down = |kind| match kind {
            JobKind::Stop => true,
            JobKind::Restart => !restarted,
            _ => false,
        };
        let unit = &self.units[job.unit];
        let earlier = unit
            .partners(Relation::After)
            .iter()
            .map(|partner| (partner, false));
        let later = unit
            .partners(Relation::Before)
            .iter()
            .map(|partner| (partner, true));
        earlier
            .chain(later)
            .filter_map(|(partner, partner_is_later)| {
                let other_id = self.units[*partner].job?;
                let other = self.jobs.get(other_id)?;
                let blocks = if partner_is_later {
                    goes_down(other.kind)
                } else {
                    !goes_down(job.kind)
                };
                (blocks && !other.ignore_order).then_some(other_id)
            })
            .collect()
    }
}
