//! How a run of the machine can fail.

use crate::fault::Oops;
use std::io;
use std::time::Duration;

/// The last lines of the console, as they belong below a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tail(pub Vec<String>);

impl std::fmt::Display for Tail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return f.write_str("\nThe console stayed empty.");
        }
        f.write_str("\nThe last lines of the console:")?;
        for line in &self.0 {
            write!(f, "\n  | {line}")?;
        }
        Ok(())
    }
}

/// Why a run of the machine ended, or could not begin.
#[derive(Debug, thiserror::Error)]
pub enum VmError {
    /// The guest's kernel panicked for a reason outside the kernel.
    #[error("the guest panicked: {reason}{tail}")]
    Panic {
        /// The kernel's words.
        reason: String,
        /// The console.
        tail: Tail,
    },
    /// Neither console nor channel moved for too long.
    #[error("the guest hangs: nothing came from it for {} s while waiting for {waiting_for}{tail}", .quiet.as_secs())]
    Hang {
        /// What was waited for.
        waiting_for: String,
        /// How long nothing came.
        quiet: Duration,
        /// The console.
        tail: Tail,
    },
    /// The machine powered off, rebooted, or QEMU ended, when none of it was asked for.
    #[error("the machine ended while waiting for {waiting_for}: {how}{tail}")]
    UnexpectedExit {
        /// What was waited for.
        waiting_for: String,
        /// What QEMU said.
        how: String,
        /// The console.
        tail: Tail,
    },
    /// The kernel failed in code that is not ours: no verdict on what was tested.
    #[error("the machine's fault, not the test's: {oops}{tail}")]
    MachineFault {
        /// What the kernel reported.
        oops: Oops,
        /// The console.
        tail: Tail,
    },
    /// The guest lives, but did not do in time what was asked.
    #[error("{what} took longer than {} s{tail}", .limit.as_secs())]
    Timeout {
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
        /// The console.
        tail: Tail,
    },
    /// The guest could not start a command.
    #[error("{reason}")]
    Refused {
        /// Why, naming the program.
        reason: String,
        /// The status that a shell returns for this: 126 or 127.
        code: u8,
    },
    /// The agent speaks another version of the protocol, or was started anew under a running command.
    #[error("the guest's agent {0}")]
    Agent(String),
    /// A directory cannot be shared with this guest.
    #[error(transparent)]
    Share(#[from] crate::machine::share::ShareError),
    /// The host refused something.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, to what.
        doing: String,
        /// What happened.
        source: io::Error,
    },
}

impl VmError {
    /// Names what was being done when the host refused.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    /// Whether the run says nothing about what was tested and is worth repeating once.
    #[must_use]
    pub fn is_machine_fault(&self) -> bool {
        matches!(self, Self::MachineFault { .. })
    }
}

/// Runs `attempt`; if it fails by the machine's fault, says so through `note` and runs it once more.
///
/// # Errors
/// The error of the last attempt.
pub fn with_repeat<T>(
    mut attempt: impl FnMut() -> Result<T, VmError>,
    note: impl FnOnce(&VmError),
) -> Result<T, VmError> {
    match attempt() {
        Err(error) if error.is_machine_fault() => {
            note(&error);
            attempt()
        }
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault() -> VmError {
        VmError::MachineFault {
            oops: Oops::default(),
            tail: Tail::default(),
        }
    }

    #[test]
    fn only_the_machines_fault_is_repeated_and_only_once() {
        let mut runs = 0;
        let twice = with_repeat(
            || -> Result<(), _> {
                runs += 1;
                Err(fault())
            },
            |_| {},
        );
        assert!(twice.unwrap_err().is_machine_fault());
        assert_eq!(runs, 2);
        let mut runs = 0;
        let error = || VmError::Panic {
            reason: "x".into(),
            tail: Tail::default(),
        };
        assert!(
            with_repeat(
                || -> Result<(), _> {
                    runs += 1;
                    Err(error())
                },
                |_| {}
            )
            .is_err()
        );
        assert_eq!(runs, 1);
    }
}
