//! softboot-greyout: shows what softboot-probe recorded.

use std::process::ExitCode;

use clap::Parser as _;
use softboot_greyout::cli::report::{Cli, main as run};

fn main() -> ExitCode {
    run(Cli::parse())
}
