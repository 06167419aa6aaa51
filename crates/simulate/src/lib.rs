//! The engine in a made-up world: processes that hang, lie and crash, clocks that jump, users who ask for anything.
//!
//! A run is a seed: it gives the units ([`scene`]) and a script of inputs ([`script`]); [`world`] plays them against
//! the engine and checks the rules of [`rules`] after each. Nothing else decides, so the same seed gives the same run.
//! A broken rule comes with the shortest script that `shrink` finds.

mod deliver;
mod in_place;
pub mod interrupt;
mod kernel;
pub mod more;
pub mod random;
pub mod rules;
pub mod scene;
pub mod script;
mod shrink;
pub mod transitions;
pub mod world;

use script::Input;
use world::World;

/// What one seed gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Events that the engine was given.
    pub steps: u64,
    /// A sum over everything that the engine answered.
    pub sum: u64,
    /// The answers, one a line, where asked for.
    pub trace: Vec<String>,
    /// The rule that was broken, and the shortest script that breaks it.
    pub failure: Option<Failure>,
}

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which, and by what.
    pub rule: String,
    /// The inputs that lead there.
    pub script: Vec<Input>,
}

/// Plays a seed with a script of `length` inputs.
pub fn run(seed: u64, length: usize, trace: bool) -> Run {
    let script = script::generate(seed, length);
    let mut result = play(seed, &script, trace);
    if let Some(failure) = &mut result.failure {
        failure.script = shrink::shrink(&script, |shorter| play(seed, shorter, false).failure.is_some());
        if let Some(short) = play(seed, &failure.script, false).failure {
            failure.rule = short.rule;
        }
    }
    result
}

/// Plays a given script.
pub fn play(seed: u64, script: &[Input], trace: bool) -> Run {
    play_world(World::new(seed, trace), script)
}

fn play_world(mut world: World, script: &[Input]) -> Run {
    let mut failure = None;
    for input in script {
        world.input(*input);
        failure = world.broken.take();
        if failure.is_some() {
            break;
        }
    }
    if failure.is_none() {
        world.quiet();
        failure = world.broken.take();
    }
    Run {
        steps: world.steps,
        sum: world.sum,
        trace: world.trace.unwrap_or_default(),
        failure: failure.map(|rule| Failure {
            rule,
            script: script.to_vec(),
        }),
    }
}
