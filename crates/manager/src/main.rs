//! softbootd: PID 1.
//!
//! One thread, one epoll loop. What happens in the world becomes an event for the engine, what the engine answers
//! becomes a call; nothing is decided here that the engine could decide. See `ARCHITECTURE.md`.

mod args;
mod cgroup;
mod client;
mod clock;
mod conditions;
mod cycles;
mod devices;
mod environment;
mod environment_file;
mod fault;
mod handoff;
mod journal;
mod load;
mod log;
mod mount_table;
mod mounts;
mod notify;
mod obey;
mod owner;
mod paths;
mod process;
mod resources;
mod root;
mod run;
mod setup;
mod shutdown;
mod socket;
mod tracked;
mod unit_log;
mod users;

use std::process::ExitCode;

fn main() -> ExitCode {
    match args::parse(std::env::args().skip(1)) {
        Ok(args::Mode::Help) => args::print_help(),
        Ok(args::Mode::Version) => args::print_version(),
        Ok(args::Mode::Verify) => handoff::verify_main(),
        Ok(args::Mode::RehearseRoot) => root::rehearse_main(),
        Ok(args::Mode::SwitchRoot) => root::switch_main(),
        Ok(args::Mode::LeaveTerminal) => process::leave_terminal_main(),
        Ok(args::Mode::Clean) => process::clean_main(),
        Ok(args::Mode::Init) => run::init_main(),
        Err(error) => args::print_usage_error(&error),
    }
}
