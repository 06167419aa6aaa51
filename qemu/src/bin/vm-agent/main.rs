//! The host's hand in the guest: runs what the host asks for and passes on what guest programs report.
//!
//! It is meant to run as a unit that survives soft-reboots, so that a command that started one can still
//! return its status. Exit codes: 0 done, 1 failed, 2 usage.

mod commands;
mod notify;
mod serve;
mod transport;

use std::process::ExitCode;

const USAGE: &str = "\
vm-agent: the test machine's agent

usage: vm-agent             serve the host, for ever
       vm-agent ready       tell the host that the guest has finished booting
       vm-agent event JSON  pass an event to the host

Programs can also send datagrams of JSON lines to /run/softboot-vm/events themselves.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        [] => serve::serve(),
        ["ready"] => notify::send_event(notify::READY_EVENT),
        ["event", json] => notify::send_event(json),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vm-agent: {error}");
            ExitCode::FAILURE
        }
    }
}
