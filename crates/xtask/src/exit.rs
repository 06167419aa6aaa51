//! The exit codes of `cargo xtask`, and the error that carries one.

use softboot_initrd::reference;
use softboot_qemu::error::VmError;
use std::process::ExitCode;

/// What the help says about exit codes.
pub(crate) const HELP: &str = "\
Exit codes:
  0      done; the guest powered off, or its console was left
  0-255  `vm -- COMMAND`: exactly the command's status; 128+N if signal N ended it,
         126 or 127 if it could not be started
  1      something failed on the host; the message says what
  2      wrong usage
  3      something is missing that cannot be had without you: the message has the command to type
  4      the guest panicked, hung, or ended unexpectedly; the console's last lines are printed
  5      the kernel failed in its own code, twice: the machine's fault, no verdict on what was tested
  6      what to compare with cannot be had from here (`greyout --against`); nothing is broken
  124    a time limit was reached
With --json the last line says which of these it was, where a command's status could be mistaken for one.";

/// A task that failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Something on the host.
    #[error("{0}")]
    Host(String),
    /// Something has to be installed or fetched first.
    #[error("{0}")]
    Missing(String),
    /// What to compare with cannot be had from here.
    #[error("there is nothing to compare with: {0}")]
    Unreachable(String),
    /// The machine.
    #[error(transparent)]
    Vm(#[from] VmError),
}

impl Failure {
    /// A failure on the host, from what was being done and what happened.
    pub(crate) fn host(doing: &str, error: impl std::fmt::Display) -> Self {
        Self::Host(format!("{doing}: {error}"))
    }

    /// One word for `--json`.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Host(_) => "host",
            Self::Missing(_) => "missing",
            Self::Unreachable(_) => "unreachable",
            Self::Vm(error) => match error {
                VmError::Panic { .. } => "panic",
                VmError::Hang { .. } => "hang",
                VmError::UnexpectedExit { .. } => "unexpected-exit",
                VmError::MachineFault { .. } => "machine-fault",
                VmError::Timeout { .. } => "timeout",
                VmError::Refused { .. } => "refused",
                VmError::Agent(_) => "agent",
                VmError::Share(_) => "share",
                VmError::Io { .. } => "host",
            },
        }
    }

    /// The status of the process.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Host(_) => 1,
            Self::Missing(_) => 3,
            Self::Unreachable(_) => 6,
            Self::Vm(error) => match error {
                VmError::Panic { .. } | VmError::Hang { .. } | VmError::UnexpectedExit { .. } => 4,
                VmError::Agent(_) => 4,
                VmError::MachineFault { .. } => 5,
                VmError::Timeout { .. } => 124,
                VmError::Refused { code, .. } => *code,
                VmError::Share(_) => 3,
                VmError::Io { .. } => 1,
            },
        }
    }
}

impl From<reference::Error> for Failure {
    fn from(error: reference::Error) -> Self {
        match error.is_unreachable() {
            true => Self::Unreachable(error.to_string()),
            false => Self::Host(error.to_string()),
        }
    }
}

impl From<Failure> for ExitCode {
    fn from(failure: Failure) -> Self {
        Self::from(failure.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use softboot_qemu::error::Tail;

    #[test]
    fn the_guests_failures_and_the_machines_have_codes_of_their_own() {
        let panic = VmError::Panic {
            reason: String::new(),
            tail: Tail::default(),
        };
        let fault = VmError::MachineFault {
            oops: softboot_qemu::fault::Oops::default(),
            tail: Tail::default(),
        };
        assert_eq!((Failure::from(panic).code(), Failure::from(fault).code()), (4, 5));
        let refused = VmError::Refused {
            reason: String::new(),
            code: 127,
        };
        assert_eq!(Failure::from(refused).code(), 127);
        let old = reference::Error::TooOld {
            suite: String::new(),
            version: String::new(),
        };
        assert_eq!(Failure::from(old).code(), 6);
    }
}
