//! softctl: the command line client of softbootd.
//!
//! `cli` is what can be typed, `run` makes the calls, `view` turns answers into text, `exit` knows the exit codes.

mod cli;
mod error;
mod exit;
mod help;
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

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match run::run(&cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) if error.is_broken_pipe() => ExitCode::from(exit::OK),
        Err(error) => {
            // Nobody is left to tell when this fails too.
            let _ = writeln!(std::io::stderr(), "softctl: {error}");
            ExitCode::from(exit::code_of(&error))
        }
    }
}
