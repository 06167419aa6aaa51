//! What test programs with a `main` of their own share.

#![allow(dead_code, reason = "not every program needs all of it")]

use std::process::ExitCode;

pub(crate) type Outcome = Result<(), String>;
pub(crate) type Test = fn() -> Outcome;

pub(crate) fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

pub(crate) fn expect(holds: bool, what: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(what()) }
}

/// How many descriptors this process has open.
pub(crate) fn open_now() -> Result<usize, String> {
    Ok(std::fs::read_dir("/proc/self/fd").map_err(text)?.count())
}

/// For a role that a test plays as another process.
pub(crate) fn exit(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

/// Runs all; `still` must be the same before and after each.
pub(crate) fn run<S: PartialEq + std::fmt::Debug>(
    tests: &[(&str, Test)],
    still: impl Fn() -> Result<S, String>,
) -> ExitCode {
    let mut failed = 0;
    for (name, test) in tests {
        let outcome = still().and_then(|before| {
            test()?;
            let after = still()?;
            expect(after == before, || format!("{before:?} became {after:?}"))
        });
        match outcome {
            Ok(()) => println!("test {name} ... ok"),
            Err(reason) => {
                println!("test {name} ... FAILED: {reason}");
                failed += 1;
            }
        }
    }
    let passed = tests.len().saturating_sub(failed);
    println!("\ntest result: {passed} passed; {failed} failed");
    ExitCode::from(u8::from(failed > 0))
}
