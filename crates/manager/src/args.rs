//! The command line. The kernel passes words of its own command line to PID 1, so as PID 1 unknown words are no error.

use std::io::Write as _;
use std::process::ExitCode;

const HELP: &str = "\
softbootd: a PID 1 that restarts all of userspace without its clients noticing

Usage: softbootd             run as PID 1 of a machine or a container
       softbootd --verify    check a handoff (run by a softbootd that is about to
                             re-exec; not for people)
       softbootd --version | --help

Kernel command line: softboot.unit=UNIT or systemd.unit=UNIT starts UNIT in place of
default.target. Talk to a running softbootd with softctl.

Exit codes: 0 done; 1 the handoff was refused, or softbootd is not PID 1;
2 unknown option.
";

/// What to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// PID 1.
    Init,
    /// The child that checks a handoff before the old program lets go.
    Verify,
    /// The child that rehearses a change of the root, and becomes the one that checks.
    RehearseRoot,
    /// The child that changes the root.
    SwitchRoot,
    /// The child that looks after a terminal when the service that had it is gone.
    LeaveTerminal,
    /// The child that removes what a service leaves behind.
    Clean,
    /// Print the version.
    Version,
    /// Print the help text.
    Help,
}

/// Reads the arguments after the program's name.
pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Mode, String> {
    let pid_1 = rustix::process::getpid().is_init();
    for argument in arguments {
        match argument.as_str() {
            "--verify" => return Ok(Mode::Verify),
            "--rehearse-root" => return Ok(Mode::RehearseRoot),
            "--switch-root" => return Ok(Mode::SwitchRoot),
            crate::process::CLEAN => return Ok(Mode::Clean),
            crate::process::LEAVE_TERMINAL => return Ok(Mode::LeaveTerminal),
            "--version" => return Ok(Mode::Version),
            "--help" | "-h" => return Ok(Mode::Help),
            _ if pid_1 => {}
            other => return Err(other.to_owned()),
        }
    }
    Ok(Mode::Init)
}

pub(crate) fn print_help() -> ExitCode {
    print(HELP)
}

pub(crate) fn print_version() -> ExitCode {
    print(&format!("softbootd {}\n", env!("CARGO_PKG_VERSION")))
}

pub(crate) fn print_usage_error(argument: &str) -> ExitCode {
    let mut err = std::io::stderr().lock();
    let _ = writeln!(
        err,
        "softbootd: unknown argument {argument:?}; see softbootd --help"
    );
    ExitCode::from(2)
}

fn print(text: &str) -> ExitCode {
    // A closed pipe is the reader's choice, not a failure.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(words: &[&str]) -> Result<Mode, String> {
        parse(words.iter().map(|w| (*w).to_owned()))
    }

    #[test]
    fn words_choose_the_mode() {
        assert_eq!(mode(&[]), Ok(Mode::Init));
        assert_eq!(mode(&["--verify"]), Ok(Mode::Verify));
        assert_eq!(mode(&["--rehearse-root"]), Ok(Mode::RehearseRoot));
        assert_eq!(mode(&["--switch-root"]), Ok(Mode::SwitchRoot));
        assert_eq!(
            mode(&["--leave-terminal", "/dev/tty1", "reset"]),
            Ok(Mode::LeaveTerminal)
        );
        assert_eq!(mode(&["--clean", "/", "/run", "a", ""]), Ok(Mode::Clean));
        assert_eq!(mode(&["-h"]), Ok(Mode::Help));
        assert_eq!(mode(&["--version"]), Ok(Mode::Version));
    }

    #[test]
    fn a_person_is_told_of_a_wrong_word() {
        assert_eq!(mode(&["--frobnicate"]), Err("--frobnicate".to_owned()));
    }
}
