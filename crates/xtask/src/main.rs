//! The project's own commands: dispatch only, one file a task.

mod bench;
mod c;
mod exit;
mod fuzz;
mod greyout;
mod greyout_check;
mod guest;
mod initrd;
mod man;
mod places;
mod progress;
mod provision;
mod reference;
mod simulate;
mod test;
mod tidy;
mod vm;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  cargo xtask vm                                boot, with a shell on the console; Ctrl-A X leaves
  cargo xtask vm -- softctl status              boot, run a command, exit with its status
  cargo xtask vm --port 8080:80                 reach the guest's web server at http://127.0.0.1:8080/
  cargo xtask vm --share . -- ls /run/host/share0
  cargo xtask initrd --list                     what is in the image, and who wanted it
  cargo xtask test                              all checks; the same that CI runs
  cargo xtask test vm --scenario page           one scenario in the machine
  cargo xtask bench fdstore                     figures, each beside the bare kernel's
  cargo xtask greyout --against systemd         how long clients wait in a soft-reboot, beside systemd
  cargo xtask tidy                              the repository's own rules alone

Environment:
  SOFTBOOT_KERNEL   a kernel image to boot, where --kernel is not given
  CARGO_TARGET_DIR  where builds, packages, kernel and initrd are kept, instead of target/

Nothing is installed on the host but QEMU, and that only by root. Kernel and packages are fetched once
and unpacked below target/vm; remove that directory to have newer ones.
";

/// softboot's own commands: boot the machine, build its image, check the repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", after_help = format!("{EXAMPLES}\n{}", exit::HELP))]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Boot softboot in QEMU; everything missing is built or fetched first
    #[command(after_help = exit::HELP)]
    Vm(vm::Options),
    /// Build the machine's initrd, or list what is in it and why
    Initrd(initrd::Options),
    /// Run everything that must hold: rules, format, lints, unit tests, container and VM scenarios
    #[command(after_help = test::HELP)]
    Test(test::Options),
    /// Write the header of the C library, or check it
    CHeader(c::header::Options),
    /// Build the C library and install it
    #[command(after_help = c::install::HELP)]
    CInstall(c::install::Options),
    /// Look for inputs that break a rule
    #[command(after_help = fuzz::HELP)]
    Fuzz(fuzz::Options),
    /// Play random worlds against the engine and check its rules
    #[command(after_help = simulate::HELP)]
    Simulate(simulate::Options),
    /// Measure, beside the bare kernel and beside others
    #[command(after_help = bench::HELP)]
    Bench(bench::Options),
    /// Measure how long clients wait in a soft-reboot, beside systemd
    #[command(after_help = greyout::HELP)]
    Greyout(greyout::Options),
    /// Write softctl's manual pages and completions
    #[command(after_help = man::HELP)]
    Man(man::Options),
    /// Check the repository's own rules: who depends on whom, where unsafe code may be, licences, links
    #[command(after_help = tidy::HELP)]
    Tidy(tidy::Options),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Vm(options) => vm::run(&options),
        Task::Initrd(options) => initrd::run(&options),
        Task::Test(options) => test::run(&options),
        Task::CHeader(options) => c::header::run(&options),
        Task::CInstall(options) => c::install::run(&options),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Simulate(options) => simulate::run(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Greyout(options) => greyout::run(&options),
        Task::Man(options) => man::run(&options),
        Task::Tidy(options) => tidy::run(&options),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            eprintln!("xtask: {failure}");
            failure.into()
        }
    }
}
