//! What can go wrong in a scenario or around it.

use std::io;
use std::time::Duration;

/// A failure, with what was being done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system under test is not as it must be.
    #[error("{0}")]
    Check(String),
    /// Something that has to happen did not, in this time.
    #[error("waited {} s for this, and it did not come: {what}", .limit.as_secs())]
    Timeout {
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
    },
    /// A system call failed.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, and to what.
        doing: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// PID 1 refused a request, or its answer was not understood.
    #[error("{request}: {reason}")]
    Control {
        /// What was asked.
        request: String,
        /// What came back.
        reason: String,
    },
    /// A scenario cannot be run here, and nothing is wrong.
    #[error("{0}")]
    Skipped(String),
    /// The test machine failed.
    #[error(transparent)]
    Vm(#[from] softboot_qemu::error::VmError),
    /// The command line is wrong.
    #[error("{0}")]
    Usage(String),
}

/// Says what was being done when a call failed.
pub trait Context<T> {
    /// The same result, with `doing` in its error.
    ///
    /// # Errors
    /// The error that it already was.
    fn doing(self, doing: impl Into<String>) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> Context<T> for Result<T, E> {
    fn doing(self, doing: impl Into<String>) -> Result<T, Error> {
        self.map_err(|error| Error::Io {
            doing: doing.into(),
            source: error.into(),
        })
    }
}
