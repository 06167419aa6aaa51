//! Why a figure could not be taken.

/// What was being done, and what came of it.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {reason}")]
pub struct Error {
    /// What was being done.
    pub what: String,
    /// Why it went wrong.
    pub reason: String,
}

/// Says what was being done.
pub trait Context<T> {
    /// On failure the error gets this text.
    fn context(self, what: &str) -> Result<T, Error>;
}

impl<T, E: std::fmt::Display> Context<T> for Result<T, E> {
    fn context(self, what: &str) -> Result<T, Error> {
        self.map_err(|error| Error {
            what: what.to_owned(),
            reason: error.to_string(),
        })
    }
}

impl<T> Context<T> for Option<T> {
    fn context(self, what: &str) -> Result<T, Error> {
        self.ok_or_else(|| Error {
            what: what.to_owned(),
            reason: "it is missing".to_owned(),
        })
    }
}
