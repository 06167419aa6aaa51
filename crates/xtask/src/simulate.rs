//! `cargo xtask simulate`: the engine in a made-up world, for as long as wanted.

use std::time::Instant;

use softboot_initrd::progress::Progress as _;
use softboot_simulate::interrupt::{Interruption, compare};

use crate::exit::Failure;
use crate::progress::Reporter;

/// What `--help` adds.
pub(crate) const HELP: &str = "\
The same seed gives the same run. A seed that breaks a rule ends the task with exit code 1; the rule and the
shortest list of inputs that breaks it are printed.";

/// Options of the task.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Play these seeds, the last one not included
    #[arg(long, value_name = "A..B", value_parser = range, default_value = "0..1000")]
    seeds: std::ops::Range<u64>,
    /// Play seeds from the first one on until the engine took this many events
    #[arg(long, value_name = "N")]
    steps: Option<u64>,
    /// Play this seed only
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Print what the engine was told and what it answered
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Play each seed without and with this at every event boundary: the answers must not differ
    #[arg(long, value_enum, value_name = "WHAT", conflicts_with = "trace")]
    interrupt: Option<Interrupt>,
    /// Inputs a seed
    #[arg(long, value_name = "N", default_value_t = 1000)]
    inputs: usize,
}

/// What happens to the program after each event.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Interrupt {
    /// It crashes, and goes on from its journal
    Crash,
    /// It hands over to itself
    Handoff,
}

impl From<Interrupt> for Interruption {
    fn from(what: Interrupt) -> Interruption {
        match what {
            Interrupt::Crash => Interruption::Crash,
            Interrupt::Handoff => Interruption::Handoff,
        }
    }
}

fn range(text: &str) -> Result<std::ops::Range<u64>, String> {
    let parse = |text: &str| text.parse().map_err(|_| format!("{text} is not a number"));
    let (first, last) = text
        .split_once("..")
        .ok_or("two numbers with .. between them, as 0..1000")?;
    Ok(parse(first)?..parse(last)?)
}

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<u8, Failure> {
    let mut reporter = Reporter::new();
    let begin = Instant::now();
    let mut seeds = options.seeds.clone();
    if let Some(seed) = options.seed {
        seeds = seed..seed.saturating_add(1);
    } else if options.steps.is_some() {
        seeds.end = u64::MAX;
    }
    let (first, end) = (seeds.start, seeds.end);
    let (mut steps, mut next_line) = (0_u64, 10_u64);
    let mut seed = first;
    while seed < end && options.steps.is_none_or(|wanted| steps < wanted) {
        let run = match options.interrupt {
            Some(what) => compare(seed, options.inputs, what.into()),
            None => softboot_simulate::run(seed, options.inputs, options.trace),
        };
        for line in &run.trace {
            println!("{line}");
        }
        steps += run.steps;
        if let Some(failure) = run.failure {
            println!("seed {seed}: {}", failure.rule);
            for input in &failure.script {
                println!("  {input:?}");
            }
            return Ok(1);
        }
        match options.steps {
            Some(wanted) => reporter.step("simulating", steps.min(wanted), wanted),
            None => reporter.step("simulating", seed - first, end - first),
        }
        seed += 1;
        let seconds = begin.elapsed().as_secs();
        if seconds >= next_line {
            next_line = seconds + 10;
            reporter.say(&format!("{steps} steps, {} a second", steps / seconds.max(1)));
        }
    }
    let rate = steps as f64 / begin.elapsed().as_secs_f64().max(0.001);
    println!(
        "{steps} steps over {} seeds, {rate:.0} a second: no rule was broken",
        seed - first
    );
    Ok(0)
}
