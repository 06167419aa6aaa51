//! A few seconds of simulation in every test run; `cargo xtask simulate` goes on from there.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "in a test program a panic is how a failure shows"
)]

use softboot_simulate::interrupt::{Interruption, compare};

#[test]
fn no_rule_is_broken() {
    let mut steps = 0;
    for seed in 0..120 {
        let run = softboot_simulate::run(seed, 300, false);
        steps += run.steps;
        assert_eq!(run.failure, None, "seed {seed}");
    }
    assert!(steps > 20_000, "{steps} steps are no test");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..10 {
        let first = softboot_simulate::run(seed, 200, true);
        assert!(!first.trace.is_empty());
        assert_eq!(first, softboot_simulate::run(seed, 200, true), "seed {seed}");
        assert_ne!(first.sum, softboot_simulate::run(seed + 1000, 200, false).sum);
    }
}

/// A handoff or a crash at every event boundary: the run goes on as if nothing had been.
#[test]
fn nobody_learns_that_the_program_was_replaced() {
    for interruption in [Interruption::Crash, Interruption::Handoff] {
        let mut steps = 0;
        for seed in 0..25 {
            let run = compare(seed, 200, interruption);
            steps += run.steps;
            assert_eq!(run.failure, None, "seed {seed}");
        }
        assert!(steps > 5_000, "{steps} steps are no test");
    }
}

/// Each of these found a fault once, of the engine or of the fake kernel.
#[test]
fn seeds_that_broke_a_rule_hold_it_now() {
    for (seed, inputs) in [
        (141, 1000),
        (385, 1000),
        (709, 1000),
        (1273, 1000),
        (3361, 1000),
        (8630, 400),
        (36_336, 500),
        (1_000_120, 300),
    ] {
        let run = softboot_simulate::run(seed, inputs, false);
        assert_eq!(run.failure, None, "seed {seed}");
    }
}

/// The same for handoffs: what had to be forgotten was kept, and what followed from a waiting client was forgotten.
#[test]
fn seeds_that_learned_of_a_handoff_do_so_no_more() {
    for seed in [981_002, 981_030] {
        let run = compare(seed, 1000, Interruption::Handoff);
        assert_eq!(run.failure, None, "seed {seed}");
    }
}
