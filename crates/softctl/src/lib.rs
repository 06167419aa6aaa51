//! softctl, the command line client of softbootd, and softboot-inspect, which looks at what crosses an exec.
//!
//! `cli` is what can be typed, `run` makes the calls, `view` turns answers into text, `exit` knows the exit codes.

mod cli;
mod error;
mod exit;
mod help;
mod inspect;
mod names;
mod paint;
mod run;
mod table;
mod text;
mod time;
mod view;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

/// The program softctl.
pub fn softctl() -> ExitCode {
    match cli::Cli::try_parse_from(cli::with_verb(std::env::args_os())) {
        Ok(typed) => end("softctl", run::run(&typed)),
        Err(error) => match cli::advice(&error) {
            Some(advice) => end("softctl", Err(error::Error::Usage(advice))),
            None => error.exit(),
        },
    }
}

/// The program softboot-inspect.
pub fn softboot_inspect() -> ExitCode {
    end("softboot-inspect", inspect::run(&cli::Inspect::parse()))
}

fn end(program: &str, result: Result<u8, error::Error>) -> ExitCode {
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) if error.is_broken_pipe() => ExitCode::from(exit::OK),
        Err(error) => {
            // Nobody is left to tell when this fails too.
            let _ = writeln!(std::io::stderr(), "{program}: {error}");
            ExitCode::from(exit::code_of(&error))
        }
    }
}
