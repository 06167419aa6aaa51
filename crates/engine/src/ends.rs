//! Which end of this userspace is under way, and which of two holds. The targets of the ends do not exclude each other, so
//! without a look at this two of them would run to the same point, and who asked for one would get the other.
//!
//! | another end is asked for | before everything has stopped | in the final kill |
//! |---|---|---|
//! | by a call | refused: who calls gets an answer | refused |
//! | by a signal, Ctrl-Alt-Del among them | the one after which less goes on holds, for nobody can be answered | the same between ends of the machine |
//! | by force | at once | as by a signal |
//!
//! The reference starts both, and whose last job is done first decides.

use softboot_unit::UnitName;

use crate::action::{Level, Objective};
use crate::engine::Engine;
use crate::event::UnitId;
use crate::state::{JobKind, JobResult};
use crate::units::Relation;

/// Targets that end a userspace, by what goes on after them: most first.
const ENDS: [&str; 6] = [
    "soft-reboot.target",
    "kexec.target",
    "reboot.target",
    "exit.target",
    "halt.target",
    "poweroff.target",
];

impl Objective {
    /// The target that leads to it.
    fn target(self) -> &'static str {
        match self {
            Objective::SoftReboot => "soft-reboot.target",
            Objective::Kexec => "kexec.target",
            Objective::Reboot => "reboot.target",
            Objective::Exit => "exit.target",
            Objective::Halt => "halt.target",
            Objective::PowerOff => "poweroff.target",
        }
    }
}

/// The place of a target among [`ENDS`].
fn rank(target: &str) -> Option<usize> {
    ENDS.iter().position(|end| *end == target)
}

impl Engine {
    /// Why `name` cannot be started for who waits for an answer: it is an end, and another one is under way. The same one
    /// may be asked for twice.
    pub fn another_end(&self, name: &UnitName) -> Option<String> {
        let wanted = self.units.find(name)?;
        let place = self.end_of(wanted)?;
        if let Some(ending) = &self.ending {
            let target = ending.objective.target();
            let what = target.trim_end_matches(".target");
            let same = rank(target) == Some(place);
            return (!same).then(|| format!("a {what} is under way and cannot be called off any more"));
        }
        let (_, other) = self.ends_under_way().find(|(_, unit)| *unit != wanted)?;
        let target = self.units[other].name();
        let what = target.as_str().trim_end_matches(".target");
        Some(format!(
            "a {what} is under way; cancel the job of {target} first, or end the system by force"
        ))
    }

    /// The rank of the end that this unit is, under whatever name it is known.
    fn end_of(&self, unit: UnitId) -> Option<usize> {
        let is = |end: &&str| UnitName::new(end).ok().and_then(|name| self.units.find(&name)) == Some(unit);
        ENDS.iter().position(is)
    }

    /// Ends whose target has a job to start it.
    fn ends_under_way(&self) -> impl Iterator<Item = (usize, UnitId)> {
        let starts = |unit: UnitId| {
            let job = self.units[unit].job.and_then(|id| self.jobs.get(id));
            job.is_some_and(|job| job.kind == JobKind::Start)
        };
        let unit = |end: &str| UnitName::new(end).ok().and_then(|name| self.units.find(&name));
        let all = ENDS.iter().enumerate();
        all.filter_map(move |(rank, end)| Some((rank, unit(end)?)))
            .filter(move |(_, unit)| starts(*unit))
    }

    /// Before a target is started that nobody waits for: false if it is an end and gives way to another.
    pub(crate) fn may_end(&mut self, target: UnitId) -> bool {
        let Some(wanted) = self.end_of(target) else {
            return true;
        };
        let stronger = self
            .ends_under_way()
            .find(|(rank, unit)| *rank > wanted && *unit != target);
        let Some((_, stronger)) = stronger else {
            return true;
        };
        let text = format!("not started: {} is under way", self.units[stronger].name());
        self.log(Level::Warning, Some(target), text);
        false
    }

    /// After it has got its job: ends that give way to it are cancelled, with what would carry them out.
    pub(crate) fn give_way_to(&mut self, target: UnitId) {
        if self.end_of(target).is_none() {
            return;
        }
        let others: Vec<UnitId> = self
            .ends_under_way()
            .map(|(_, unit)| unit)
            .filter(|unit| *unit != target)
            .collect();
        for other in others {
            let text = format!("cancelled: {} takes its place", self.units[target].name());
            self.log(Level::Warning, Some(other), text);
            let shared = self.units[target].partners(Relation::Requires);
            let needed = self.units[other].partners(Relation::Requires).iter();
            let needed: Vec<UnitId> = needed.filter(|unit| !shared.contains(unit)).copied().collect();
            // The target first, so that it is cancelled and has not failed.
            for unit in std::iter::once(other).chain(needed) {
                if let Some(id) = self.units[unit].job {
                    self.finish_job(id, JobResult::Canceled, true);
                }
            }
        }
    }

    /// In the final kill: an end after which less goes on takes the place of the one that is under way. What is killed for a
    /// soft-reboot is not all, so that one is not exchanged.
    pub(crate) fn exchange_ending(&mut self, wanted: Objective) {
        let Some(ending) = self.ending.as_mut() else {
            return;
        };
        let current = ending.objective;
        let stronger = rank(wanted.target()) > rank(current.target());
        if ending.is_over() || current == Objective::SoftReboot || !stronger {
            let text = format!(
                "{} is ignored: {} is under way",
                wanted.target(),
                current.target()
            );
            return self.log(Level::Warning, None, text);
        }
        ending.objective = wanted;
        let text = format!("{} takes the place of {}", wanted.target(), current.target());
        self.log(Level::Warning, None, text);
    }
}
