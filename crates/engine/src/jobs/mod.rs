//! Jobs: what is to be done with a unit, and who waits for it (semantics 2.1, 2.6, 2.7).
//!
//! | state | means | leaves it when |
//! |---|---|---|
//! | waiting | in the table, not begun | no job that goes first is left, and the unit lets it begin |
//! | running | the unit was told | the unit reaches a state that ends the job (`finish`) |
//!
//! A waiting job is only looked at again when something changed for it: it remembers *one* job it waits for, and is
//! queued when that one ends or changes its kind; where it stopped looking, it goes on. So a job that waits for ten
//! thousand others costs ten thousand looks in all, not each time.

mod circle;
mod finish;
mod order;
mod run;
mod table;
mod timeout;

pub(crate) use run::Begun;
pub(crate) use table::{Job, JobTable};

use crate::state::JobKind;

/// Two jobs of one unit cannot both be done (semantics 2.2).
pub(crate) fn conflict(a: JobKind, b: JobKind) -> bool {
    a != JobKind::Nop && b != JobKind::Nop && (a == JobKind::Stop) != (b == JobKind::Stop)
}

/// The one job that does what two jobs of a unit ask for, given whether the unit is active (semantics 2.2). `None`
/// when they contradict each other.
pub(crate) fn merge(a: JobKind, b: JobKind, active: bool) -> Option<JobKind> {
    use JobKind as K;
    if conflict(a, b) {
        return None;
    }
    Some(match (a, b) {
        (K::Nop, other) | (other, K::Nop) => other,
        (K::Stop, K::Stop) => K::Stop,
        (K::Restart, _) | (_, K::Restart) => K::Restart,
        (K::Start, K::Reload) | (K::Reload, K::Start) => {
            if active {
                K::Reload
            } else {
                K::Start
            }
        }
        (K::Start, _) | (_, K::Start) => K::Start,
        (K::Reload, _) | (_, K::Reload) => K::Reload,
        (a, _) => a,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use JobKind as K;

    #[test]
    fn the_merge_table_of_semantics_2_2() {
        let kinds = [K::Start, K::VerifyActive, K::Stop, K::Reload, K::Restart];
        let none = None;
        let down = [
            [
                Some(K::Start),
                Some(K::Start),
                none,
                Some(K::Start),
                Some(K::Restart),
            ],
            [
                Some(K::Start),
                Some(K::VerifyActive),
                none,
                Some(K::Reload),
                Some(K::Restart),
            ],
            [none, none, Some(K::Stop), none, none],
            [
                Some(K::Start),
                Some(K::Reload),
                none,
                Some(K::Reload),
                Some(K::Restart),
            ],
            [
                Some(K::Restart),
                Some(K::Restart),
                none,
                Some(K::Restart),
                Some(K::Restart),
            ],
        ];
        for (a, row) in kinds.iter().zip(down) {
            for (b, expected) in kinds.iter().zip(row) {
                assert_eq!(merge(*a, *b, false), expected, "{a:?} with {b:?}");
                assert_eq!(conflict(*a, *b), expected.is_none());
            }
        }
        assert_eq!(merge(K::Start, K::Reload, true), Some(K::Reload));
    }
}
