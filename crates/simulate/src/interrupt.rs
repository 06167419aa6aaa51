//! A handoff or a crash at every boundary between two events, and the same run without.
//!
//! The two must not differ by a single answer: nobody outside may learn that the program was replaced. A crash gives
//! the engine back as its image, with all ids; a handoff gives another engine that knows units by their names, so the
//! answers are compared by name.

use softboot_engine::{Engine, Resume};

use crate::script::Input;
use crate::world::World;
use crate::{Failure, Run, shrink};

/// What happens to the program after each event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// It crashes, and goes on from its journal.
    Crash,
    /// It hands over to itself.
    Handoff,
}

impl World {
    /// Replaces the engine as that does.
    pub(crate) fn interrupt(&mut self) {
        match self.interruption {
            None => {}
            Some(Interruption::Crash) => self.crash(),
            Some(Interruption::Handoff) => self.resume(Resume::Reexec),
        }
    }

    fn crash(&mut self) {
        let mut image = Vec::new();
        let written = self.engine.image(&mut image);
        let read = written.and_then(|()| Engine::from_image(&image));
        let mut engine = match read {
            Ok(engine) => engine,
            Err(error) => return self.breaks(format!("the image of the engine: {error}")),
        };
        let actions = engine.armed(self.clocks());
        self.engine = engine;
        self.arm_again(actions, false);
    }

    /// The text with names for the ids of units.
    pub(crate) fn named(&self, text: &str) -> String {
        const MARK: &str = "UnitId(";
        let mut named = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(MARK) {
            named.push_str(before);
            let Some((number, after)) = after.split_once(')') else {
                named.push_str(MARK);
                rest = after;
                break;
            };
            let name = self
                .engine
                .ids()
                .find(|id| format!("{id:?}") == format!("{MARK}{number})"));
            match name.and_then(|id| self.engine.name(id)) {
                Some(name) => named.push_str(name.as_str()),
                None => named.push_str(number),
            }
            rest = after;
        }
        named.push_str(rest);
        named
    }
}

/// Plays a seed without and with interruptions. Fails where the two differ, and where a rule is broken.
pub fn compare(seed: u64, length: usize, interruption: Interruption) -> Run {
    let script = crate::script::generate(seed, length);
    let mut result = differ(seed, &script, interruption);
    if result.failure.is_some() {
        let shorter = shrink::shrink(&script, |shorter| {
            differ(seed, shorter, interruption).failure.is_some()
        });
        result.failure = differ(seed, &shorter, interruption).failure;
    }
    result
}

fn differ(seed: u64, script: &[Input], interruption: Interruption) -> Run {
    let calm = crate::play_world(World::traced_by_name(seed), script);
    let mut world = World::traced_by_name(seed);
    world.interruption = Some(interruption);
    let mut run = crate::play_world(world, script);
    let fails = |rule: String| {
        Some(Failure {
            rule,
            script: script.to_vec(),
        })
    };
    if run.failure.is_none() && calm.failure.is_none() && run.trace != calm.trace {
        let place = run
            .trace
            .iter()
            .zip(&calm.trace)
            .take_while(|(a, b)| a == b)
            .count();
        let line = |trace: &[String]| trace.get(place).cloned().unwrap_or_else(|| "nothing".to_owned());
        let event = calm
            .trace
            .iter()
            .take(place + 1)
            .rev()
            .find(|line| !line.starts_with(' '));
        run.failure = fails(format!(
            "{interruption:?} at every event: after {} it does {} instead of {}",
            event.map_or("", String::as_str),
            line(&run.trace).trim(),
            line(&calm.trace).trim(),
        ));
    }
    run.steps += calm.steps;
    run.trace.clear();
    run
}
