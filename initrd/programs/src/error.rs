//! What can go wrong in these programs.

use std::io;

/// A failure, with what was being done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call failed.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, and to what.
        doing: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// Started in a way that it cannot work with.
    #[error("{0}")]
    Usage(String),
    /// The manager's descriptors or its notify socket could not be used.
    #[error("{doing}: {reason}")]
    Manager {
        /// What was being done.
        doing: &'static str,
        /// Why it did not work.
        reason: String,
    },
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

/// The exit code of a program that ended with `result`; an error is printed first.
pub fn exit(program: &str, result: Result<(), Error>) -> std::process::ExitCode {
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{program}: {error}");
            match error {
                Error::Usage(_) => std::process::ExitCode::from(2),
                _ => std::process::ExitCode::FAILURE,
            }
        }
    }
}
