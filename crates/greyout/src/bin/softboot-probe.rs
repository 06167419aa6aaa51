//! softboot-probe: makes attempts at a fixed rate, and records each.

use std::process::ExitCode;

use clap::Parser as _;
use softboot_greyout::cli::probe::{Cli, main as run};

fn main() -> ExitCode {
    run(Cli::parse())
}
