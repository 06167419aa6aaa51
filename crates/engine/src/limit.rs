//! Counting events in a window (semantics 1.5, 4.8).

use serde::{Deserialize, Serialize};
use softboot_unit::{RateLimit, Usec};

/// How many events there were in the current window. The window begins with its first event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limiter {
    begin: Option<Usec>,
    count: u32,
}

impl Limiter {
    /// Counts one event at `now`; false when the limit does not allow it.
    pub fn allow(&mut self, limit: RateLimit, now: Usec) -> bool {
        if limit.interval == Usec::ZERO || limit.burst == 0 {
            return true;
        }
        let fresh = self.begin.is_none_or(|begin| now.minus(begin) >= limit.interval);
        if fresh {
            *self = Limiter {
                begin: Some(now),
                count: 0,
            };
        }
        if self.count >= limit.burst {
            return false;
        }
        self.count += 1;
        true
    }

    /// When the next event is allowed that is not now: the end of the window.
    pub fn next_window(&self, limit: RateLimit) -> Usec {
        self.begin.map_or(Usec::ZERO, |begin| begin.plus(limit.interval))
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        *self = Limiter::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_and_the_next_window_begins_anew() {
        let limit = RateLimit {
            interval: Usec::from_secs(10),
            burst: 2,
        };
        let mut limiter = Limiter::default();
        assert!(limiter.allow(limit, Usec::from_secs(1)));
        assert!(limiter.allow(limit, Usec::from_secs(2)));
        assert!(!limiter.allow(limit, Usec::from_secs(10)));
        assert!(limiter.allow(limit, Usec::from_secs(11)));
    }

    #[test]
    fn zero_in_either_part_means_no_limit() {
        for (interval, burst) in [(Usec::ZERO, 1), (Usec::from_secs(1), 0)] {
            let mut limiter = Limiter::default();
            assert!((0..100).all(|_| limiter.allow(RateLimit { interval, burst }, Usec::ZERO)));
        }
    }
}
