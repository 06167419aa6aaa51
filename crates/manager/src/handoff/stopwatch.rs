//! How long each part of taking over took: nobody answers meanwhile.

use softboot_control::api::{Phase, TakingOver};
use softboot_unit::Usec;

use crate::clock;

/// Parts of a stretch of time, one after the other.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    began: Usec,
    last: Usec,
    parts: Vec<(&'static str, Usec)>,
}

impl Stopwatch {
    /// From now on.
    pub(crate) fn start() -> Stopwatch {
        let began = clock::monotonic();
        let parts = Vec::new();
        Stopwatch {
            began,
            last: began,
            parts,
        }
    }

    /// Before this one there was something that began then, and was done by another program.
    pub(crate) fn began_at(&mut self, at: Usec, part: &'static str) {
        if at <= self.began && at != Usec::ZERO {
            self.parts.insert(0, (part, self.began.minus(at)));
            self.began = at;
        }
    }

    /// The part that ends now.
    pub(crate) fn lap(&mut self, part: &'static str) {
        let now = clock::monotonic();
        self.parts.push((part, now.minus(self.last)));
        self.last = now;
    }
}

impl Stopwatch {
    /// What `Describe` says of it.
    pub(crate) fn report(&self, kind: &str) -> TakingOver {
        let phase = |(name, took): &(&str, Usec)| Phase {
            name: (*name).to_owned(),
            usec: took.0,
        };
        TakingOver {
            kind: kind.to_owned(),
            began_usec: self.began.0,
            took_usec: self.last.minus(self.began).0,
            phases: self.parts.iter().map(phase).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_the_whole() {
        let mut stopwatch = Stopwatch::start();
        stopwatch.lap("one");
        stopwatch.began_at(stopwatch.began.minus(Usec(500)), "before");
        stopwatch.lap("two");
        let report = stopwatch.report("reexec");
        let names: Vec<&str> = report.phases.iter().map(|phase| phase.name.as_str()).collect();
        assert_eq!(names, ["before", "one", "two"]);
        assert_eq!(
            report.phases.iter().map(|phase| phase.usec).sum::<u64>(),
            report.took_usec
        );
        // A clock that another program has read wrongly makes no sense of it.
        stopwatch.began_at(stopwatch.last.plus(Usec(1)), "later");
        assert_eq!(stopwatch.report("reexec"), report);
    }
}
