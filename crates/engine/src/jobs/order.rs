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
}
