//! How often programs in a row have crashed, and what that leaves to believe of their journal.
//!
//! It travels in the environment, which is written before the crash it counts, into memory that is read-only then: to count
//! a crash takes neither a descriptor nor anything of the journal.

use std::ffi::CString;
use std::io;

use serde::{Deserialize, Serialize};
use softboot_unit::Usec;

use crate::clock;

/// The variable with the crashes so far, as JSON.
pub(crate) const TRIES: &str = "SOFTBOOT_CRASHES";
/// More crashes than this in [`CRASH_TIME`] lead to safe mode.
pub(super) const CRASHES: usize = 5;
pub(super) const CRASH_TIME: Usec = Usec::from_secs(60);
/// So many programs in a row may crash between having read a journal and one of their own.
const ATTEMPTS: usize = 20;
/// Levels that believe something.
const STEPS: usize = 5;
/// A boot that believes nothing is tried so many times.
const BOOTS: usize = 3;

/// How much is believed of what the program before has left. Each program that crashes over it leaves less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// All.
    All,
    /// Not the last step: the engine may not survive it.
    NotTheLastStep,
    /// Nor events that are still in the queue.
    NotTheQueue,
    /// What it says about descriptors: all else begins anew.
    Descriptors,
    /// Which descriptors there were when it began.
    Manifest,
    /// Nothing: descriptors are what they are.
    Nothing,
    /// This has crashed again and again as well.
    GiveUp,
}

/// How far the program has come that a crash would end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Stage {
    /// It writes a journal of its own.
    #[default]
    InCharge,
    /// It reads the one of the program before, or does again what that says.
    Reading,
    /// It has done that.
    Replayed,
}

/// What the next program has to know if this one crashes now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct Tries {
    stage: Stage,
    /// Programs that have crashed while they went on from this journal.
    begun: usize,
    /// Those among them that crashed before they had done again what it says.
    in_vain: usize,
    /// CLOCK_MONOTONIC of the crashes of the last minute.
    pub(super) times: Vec<Usec>,
    /// There have been too many.
    pub(super) safe_mode: bool,
}

impl Tries {
    /// Of a program that is in charge.
    pub(super) fn of(times: &[Usec], safe_mode: bool) -> Tries {
        Tries {
            times: times.to_vec(),
            safe_mode,
            ..Tries::default()
        }
    }

    /// Of a program that comes after a crash, because of `why`.
    pub(crate) fn after_crash(why: &str) -> Tries {
        let text = std::env::var(TRIES).unwrap_or_default();
        let before: Tries = serde_json::from_str(&text).unwrap_or_default();
        before.another(was_sent(why), clock::monotonic())
    }

    /// The variable for the next program.
    pub(crate) fn assignment(&self) -> io::Result<CString> {
        Ok(CString::new(format!("{TRIES}={}", serde_json::to_string(self)?))?)
    }

    /// What was left has been read and done again: a crash from here on is nothing against it.
    pub(super) fn replayed(&mut self) {
        self.stage = Stage::Replayed;
    }

    /// True if it was tried before.
    pub(crate) fn again(&self) -> bool {
        self.begun > 0
    }

    /// There was a crash, and this program is the next to try. `sent`: somebody has sent the signal, which is nothing
    /// against the journal.
    fn another(mut self, sent: bool, now: Usec) -> Tries {
        if self.stage != Stage::InCharge && !sent {
            self.begun = self.begun.saturating_add(1);
            self.in_vain = self
                .in_vain
                .saturating_add(usize::from(self.stage == Stage::Reading));
        }
        self.stage = Stage::Reading;
        self.times.retain(|crash| now.minus(*crash) < CRASH_TIME);
        self.times.push(now);
        self.safe_mode |= self.times.len() > CRASHES;
        self
    }

    /// What is left to believe.
    pub(crate) fn trust(&self) -> Trust {
        let beyond = self.begun.checked_sub(ATTEMPTS);
        match self.in_vain.max(beyond.map_or(0, |more| more.saturating_add(3))) {
            0 => Trust::All,
            1 => Trust::NotTheLastStep,
            2 => Trust::NotTheQueue,
            3 => Trust::Descriptors,
            4 => Trust::Manifest,
            level if level < STEPS + BOOTS => Trust::Nothing,
            _ => Trust::GiveUp,
        }
    }

    /// Why it is not more, in words.
    pub(crate) fn reason(&self) -> String {
        match self.in_vain {
            in_vain @ 3.. => format!("going on from it has crashed {in_vain} times"),
            _ => format!("{} programs before this one have tried in vain", self.begun),
        }
    }
}

/// Whether the signal came from a process other than PID 1, as a kill(1) does.
pub(super) fn was_sent(why: &str) -> bool {
    let sender = why.rsplit_once(" from process ").map(|(_, sender)| sender);
    sender.is_some_and(|sender| sender != "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each of so many programs in a row believes that crash before they have read the journal.
    fn trusts(tries: &mut Tries, programs: usize) -> Vec<Trust> {
        let mut trust = || {
            *tries = tries.clone().another(false, Usec(1));
            tries.trust()
        };
        (0..programs).map(|_| trust()).collect()
    }

    #[test]
    fn each_program_that_crashes_over_a_journal_leaves_less_to_believe() {
        let expected = [
            Trust::All,
            Trust::NotTheLastStep,
            Trust::NotTheQueue,
            Trust::Descriptors,
            Trust::Manifest,
            Trust::Nothing,
            Trust::Nothing,
            Trust::Nothing,
            Trust::GiveUp,
            Trust::GiveUp,
        ];
        assert_eq!(trusts(&mut Tries::default(), expected.len()), expected);
    }

    #[test]
    fn a_signal_that_somebody_sends_is_nothing_against_the_journal() {
        let mut tries = Tries::default();
        for sent in [true, false] {
            tries = tries.another(sent, Usec(1));
        }
        for stage in [Stage::Reading, Stage::Replayed] {
            for _ in 0..40 {
                tries.stage = stage;
                tries = tries.another(true, Usec(1));
                assert_eq!(tries.trust(), Trust::NotTheLastStep);
            }
        }
    }

    #[test]
    fn who_has_read_the_journal_may_crash_more_often_but_not_for_ever() {
        let mut tries = Tries::default();
        let mut trust = Vec::new();
        for _ in 0..60 {
            tries = tries.another(false, Usec(1));
            trust.push(tries.trust());
            if tries.trust() == Trust::All {
                tries.replayed();
            }
        }
        assert!(trust[..=ATTEMPTS - 1].iter().all(|trust| *trust == Trust::All));
        assert_eq!(trust[ATTEMPTS], Trust::Descriptors);
        assert_eq!(trust.last(), Some(&Trust::GiveUp));
    }

    #[test]
    fn many_crashes_in_a_short_time_lead_to_safe_mode_and_old_ones_are_forgotten() {
        let mut tries = Tries::default();
        for crash in 1..=CRASHES {
            tries = tries.another(true, Usec::from_secs(crash as u64));
        }
        assert!(!tries.safe_mode);
        let later = tries.clone().another(true, Usec::from_secs(62));
        assert_eq!((later.safe_mode, later.times.len()), (false, CRASHES - 1));
        let soon = tries.another(true, Usec::from_secs(6));
        assert!(soon.safe_mode);
        assert!(
            soon.another(true, Usec::from_secs(600)).safe_mode,
            "it stays until a re-exec"
        );
    }

    #[test]
    fn it_comes_over_as_it_was_and_nothing_comes_of_what_is_not_it() {
        let tries = Tries::of(&[Usec(5)], true).another(false, Usec(7));
        let text = serde_json::to_string(&tries).unwrap();
        assert_eq!(serde_json::from_str::<Tries>(&text).unwrap(), tries);
        assert!(serde_json::from_str::<Tries>("x").is_err());
        assert_eq!(serde_json::from_str::<Tries>("{}").unwrap(), Tries::default());
    }
}
