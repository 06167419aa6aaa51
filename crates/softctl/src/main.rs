//! softctl: the command line client of softbootd.

use std::process::ExitCode;

fn main() -> ExitCode {
    softboot_softctl::softctl()
}
