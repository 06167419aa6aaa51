//! What clients do wrong is logged, but nobody fills the log with it.

use std::fmt::Display;

use fdstore::boottime_usec;

/// Lines in one second.
const MOST: u32 = 20;

#[derive(Default)]
pub(super) struct Complaints {
    second: u64,
    count: u32,
    left_out: u64,
}

impl Complaints {
    pub(super) fn log(&mut self, text: impl Display) {
        if self.admits(boottime_usec() / 1_000_000) {
            tracing::warn!("{text}");
        }
    }

    fn admits(&mut self, second: u64) -> bool {
        if second != self.second {
            if self.left_out > 0 {
                tracing::warn!("{} more lines like this were left out", self.left_out);
            }
            *self = Complaints {
                second,
                ..Complaints::default()
            };
        }
        self.count = self.count.saturating_add(1);
        if self.count > MOST {
            self.left_out = self.left_out.saturating_add(1);
            return false;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_so_many_lines() {
        let mut complaints = Complaints::default();
        let logged = (0..100).filter(|_| complaints.admits(1)).count();
        assert_eq!(logged, 20);
        assert!(complaints.admits(2));
        assert_eq!(complaints.left_out, 0);
    }
}
