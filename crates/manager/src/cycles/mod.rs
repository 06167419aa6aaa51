//! What the last soft-reboots, re-execs and crashes cost, phase by phase (semantics 7, design "grey-out").
//!
//! A cycle is open from its request on. It crosses the exec in the snapshot, and the next program says what taking over
//! took. After a soft-reboot it is complete when the boot is. Marks are made as things happen, in whatever order they do: a
//! soft-reboot that a unit asked for stops first and verifies then.

mod units;

use serde::{Deserialize, Serialize};
use softboot_control::api::{Cycle, CyclePhase, GreyoutReply, TakingOver};
use softboot_unit::Usec;

use crate::clock;
use crate::handoff::Kind;
use crate::run::Manager;

/// So many are kept.
const KEPT: usize = 8;

/// A phase as the manager sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The next program is asked.
    Verifying,
    /// Units stop in their order.
    Stopping,
    /// The final kill.
    Ending,
    /// The root changes.
    Switching,
    /// The boot's units start.
    Starting,
}

impl Mark {
    fn word(self) -> &'static str {
        match self {
            Mark::Verifying => "verifying",
            Mark::Stopping => "stopping",
            Mark::Ending => "ending what is left",
            Mark::Switching => "switching the root",
            Mark::Starting => "booting",
        }
    }
}

/// The last cycles, and the one under way.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Cycles {
    open: Option<Cycle>,
    past: Vec<Cycle>,
}

impl Cycles {
    /// Something begins. What was open before came to nothing.
    fn begin(&mut self, kind: &str, now: Usec) {
        self.open = Some(Cycle {
            kind: kind.to_owned(),
            requested_usec: now.0,
            ..Cycle::default()
        });
    }

    /// A phase begins, and the one before it ends. Nothing without a cycle.
    fn mark(&mut self, mark: Mark, now: Usec) {
        let Some(cycle) = &mut self.open else { return };
        end_phase(cycle, now.0);
        // While nothing has stopped yet everything is answered.
        let harmless = mark == Mark::Verifying && cycle.phases.is_empty();
        cycle.phases.push(CyclePhase {
            name: mark.word().to_owned(),
            began_usec: now.0,
            took_usec: 0,
            harmless,
        });
    }

    /// The next program is in charge.
    fn taken_over(&mut self, report: &TakingOver) {
        let open = self.open.take().filter(|cycle| cycle.kind == report.kind);
        let mut cycle = open.unwrap_or_else(|| Cycle {
            kind: report.kind.clone(),
            requested_usec: report.began_usec,
            ..Cycle::default()
        });
        let mut at = report.began_usec;
        end_phase(&mut cycle, at);
        for phase in &report.phases {
            cycle.phases.push(CyclePhase {
                name: phase.name.clone(),
                began_usec: at,
                took_usec: phase.usec,
                harmless: false,
            });
            at = at.saturating_add(phase.usec);
        }
        if cycle.kind == Kind::SoftReboot.word() {
            cycle.phases.push(CyclePhase {
                name: Mark::Starting.word().to_owned(),
                began_usec: at,
                ..CyclePhase::default()
            });
        } else {
            cycle.finished_usec = Some(at);
        }
        self.keep(cycle);
    }

    /// This one has happened, or more is known of it now.
    pub(crate) fn keep(&mut self, cycle: Cycle) {
        if self.complete(cycle.clone()) {
            return;
        }
        self.open = None;
        self.past.push(cycle);
        let surplus = self.past.len().saturating_sub(KEPT);
        self.past.drain(..surplus);
    }

    /// More is known of this one. False: nothing was.
    fn complete(&mut self, cycle: Cycle) -> bool {
        let same =
            |known: &&mut Cycle| known.kind == cycle.kind && known.requested_usec == cycle.requested_usec;
        match self.past.iter_mut().find(same) {
            Some(known) => {
                *known = cycle;
                true
            }
            None => false,
        }
    }
}

/// The last phase ends.
fn end_phase(cycle: &mut Cycle, now: u64) {
    if let Some(last) = cycle.phases.last_mut() {
        last.took_usec = now.saturating_sub(last.began_usec);
    }
}

impl Manager {
    /// This program is in charge, and taking over took so long.
    pub(crate) fn note_taken_over(&mut self, report: TakingOver) {
        self.cycles.taken_over(&report);
        self.taken_over = Some(report);
        if let Some(cycle) = self.cycles.past.last().cloned() {
            self.journal_cycle(&cycle);
        }
    }

    /// A phase begins; with it a cycle, if none has begun.
    pub(crate) fn mark(&mut self, kind: Kind, mark: Mark) {
        let now = clock::monotonic();
        if self.cycles.open.is_none() {
            self.complete_cycle();
            self.cycles.begin(kind.word(), now);
            self.clients.timeline.forget_waits();
        }
        self.cycles.mark(mark, now);
    }

    /// Units stopped, and who comes after may not know them.
    pub(crate) fn note_stops(&mut self) {
        if let Some(mut cycle) = self.cycles.open.take() {
            self.stops_of_cycle(&mut cycle);
            self.cycles.open = Some(cycle);
        }
    }

    /// Between events: a soft-reboot that a unit or a signal began is not known by any request; and what was refused or
    /// cancelled is no cycle.
    pub(crate) fn watch_cycle(&mut self) {
        let busy = self.engine.is_stopping();
        match &self.cycles.open {
            None if busy && self.handoff.is_none() => self.mark(Kind::SoftReboot, Mark::Stopping),
            Some(_) if !busy && self.is_quiet() => self.cycles.open = None,
            _ => {}
        }
    }

    /// The last cycle, once its boot is complete: what its units did stands in the time line until they change again. Looked at
    /// when somebody asks, when the next one begins, or a moment after the boot, when services have started.
    pub(crate) fn complete_cycle(&mut self) {
        let Some(finished) = self.facts.boot_finished else {
            return;
        };
        let past = &self.cycles.past;
        let Some(mut cycle) = past.iter().rfind(|cycle| cycle.finished_usec.is_none()).cloned() else {
            return;
        };
        // A crash may have come after it began to boot.
        end_phase(&mut cycle, finished.0);
        cycle.finished_usec = Some(finished.0);
        // In the same program they were left for now, when nobody is away.
        if cycle.units.is_empty() {
            self.stops_of_cycle(&mut cycle);
        }
        self.units_of_cycle(&mut cycle);
        self.journal_cycle(&cycle);
        self.cycles.complete(cycle);
    }

    /// The answer to `Greyout`.
    pub(crate) fn greyout(&mut self, last: u32) -> GreyoutReply {
        self.complete_cycle();
        let mut cycles = self.cycles.past.clone();
        if let Some(cycle) = cycles.last_mut()
            && cycle.finished_usec.is_none()
        {
            end_phase(cycle, clock::monotonic().0);
            self.units_of_cycle(cycle);
        }
        let surplus = cycles
            .len()
            .saturating_sub(usize::try_from(last).unwrap_or(usize::MAX));
        cycles.drain(..surplus);
        GreyoutReply { cycles }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use softboot_control::api::Phase;

    fn report(kind: &str, began_usec: u64) -> TakingOver {
        let phase = |name: &str, usec| Phase {
            name: name.to_owned(),
            usec,
        };
        TakingOver {
            kind: kind.to_owned(),
            began_usec,
            took_usec: 5,
            phases: vec![phase("writing and exec", 3), phase("reading", 2)],
        }
    }

    #[test]
    fn phases_follow_each_other_without_a_gap() {
        let mut cycles = Cycles::default();
        cycles.begin("soft-reboot", Usec(100));
        cycles.mark(Mark::Verifying, Usec(100));
        cycles.mark(Mark::Stopping, Usec(130));
        cycles.mark(Mark::Ending, Usec(150));
        cycles.taken_over(&report("soft-reboot", 160));
        let cycle = cycles.past.first().unwrap();
        let phases: Vec<(&str, u64, u64)> = cycle
            .phases
            .iter()
            .map(|phase| (phase.name.as_str(), phase.began_usec, phase.took_usec))
            .collect();
        assert_eq!(
            phases,
            [
                ("verifying", 100, 30),
                ("stopping", 130, 20),
                ("ending what is left", 150, 10),
                ("writing and exec", 160, 3),
                ("reading", 163, 2),
                ("booting", 165, 0),
            ]
        );
        let harmless: Vec<bool> = cycle.phases.iter().map(|phase| phase.harmless).collect();
        assert_eq!(harmless, [true, false, false, false, false, false]);
        assert_eq!(cycle.finished_usec, None);
    }

    #[test]
    fn who_stops_before_the_next_program_was_asked_is_away_while_it_is_asked() {
        let mut cycles = Cycles::default();
        cycles.begin("soft-reboot", Usec(1));
        cycles.mark(Mark::Stopping, Usec(1));
        cycles.mark(Mark::Verifying, Usec(2));
        assert!(!cycles.open.unwrap().phases[1].harmless);
    }

    #[test]
    fn a_crash_in_between_is_a_cycle_of_its_own_and_few_are_kept() {
        let mut cycles = Cycles::default();
        cycles.begin("reexec", Usec(1));
        cycles.mark(Mark::Verifying, Usec(1));
        cycles.taken_over(&report("crash", 7));
        let crash = cycles.past.last().unwrap();
        assert_eq!((crash.kind.as_str(), crash.requested_usec), ("crash", 7));
        assert_eq!(crash.finished_usec, Some(12));
        assert_eq!(cycles.open, None);
        for at in 20..40 {
            cycles.taken_over(&report("reexec", at));
        }
        assert_eq!(cycles.past.len(), KEPT);
        assert_eq!(cycles.past.last().unwrap().requested_usec, 39);
        let known = Cycle {
            stopped: 5,
            ..cycles.past[2].clone()
        };
        cycles.keep(known.clone());
        assert_eq!((cycles.past.len(), &cycles.past[2]), (KEPT, &known));
    }
}
