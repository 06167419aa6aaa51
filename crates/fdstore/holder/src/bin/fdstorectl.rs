//! fdstorectl: the command line of fdstored.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use holder::ctl::{Cli, run};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.json();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            let status = error.status();
            let line = if json {
                serde_json::json!({ "error": error.to_string(), "status": status }).to_string()
            } else {
                format!("fdstorectl: {error}")
            };
            // Nobody is left to tell when this fails too.
            let _ = writeln!(std::io::stderr(), "{line}");
            ExitCode::from(status)
        }
    }
}
