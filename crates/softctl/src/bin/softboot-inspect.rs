//! softboot-inspect: what is in a snapshot or a journal.

use std::process::ExitCode;

fn main() -> ExitCode {
    softboot_softctl::softboot_inspect()
}
