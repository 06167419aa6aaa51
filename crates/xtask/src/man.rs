//! `cargo xtask man`: softctl's manual pages and completions.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::exit::Failure;
use crate::places::Places;

/// What `--help` adds.
pub(crate) const HELP: &str = "\
Examples:
  cargo xtask man target/man       softctl.1, a page for each verb, softboot-inspect.1, and
                                   the completions of bash, zsh and fish
  man -l target/man/softctl.1

softctl writes them from the definition of its command line.";

/// Options of the task.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Where to; it is made if it is not there
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,
}

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<u8, Failure> {
    let places = Places::new();
    let directory = std::path::absolute(&options.directory)
        .map_err(|error| Failure::host("finding the directory", error))?;
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(&places.root)
        .args([
            "run",
            "--quiet",
            "--package",
            "softboot-softctl",
            "--bin",
            "softctl",
            "--",
            "generate",
        ])
        .arg(&directory)
        .stdin(Stdio::null())
        .status()
        .map_err(|error| Failure::host("running cargo", error))?;
    if !status.success() {
        return Err(Failure::Host(format!(
            "softctl could not write to {}",
            directory.display()
        )));
    }
    println!("written to {}", directory.display());
    Ok(0)
}
