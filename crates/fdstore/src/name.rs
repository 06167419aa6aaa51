//! Names of descriptors.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The longest name, in bytes.
const MAX_LEN: usize = 255;

/// A name that the fd store protocol can carry: printable ASCII without a colon, at most 255 bytes (semantics 1.1;
/// sd_pid_notify_with_fds(3), FDNAME=). The empty name is valid.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FdName(Arc<str>);

/// Why a text is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Longer than 255 bytes.
    #[error("a descriptor's name has at most {MAX_LEN} bytes, this one has {0}")]
    TooLong(usize),
    /// A byte outside printable ASCII, or a colon.
    #[error("a descriptor's name is printable ASCII without ':'; {0:?} has {1:?}")]
    Character(String, char),
}

impl FdName {
    /// Checks the text.
    pub fn new(text: &str) -> Result<FdName, NameError> {
        if text.len() > MAX_LEN {
            return Err(NameError::TooLong(text.len()));
        }
        match text.chars().find(|c| !matches!(c, ' '..='~') || *c == ':') {
            Some(bad) => Err(NameError::Character(text.to_owned(), bad)),
            None => Ok(FdName(text.into())),
        }
    }

    /// The name of a descriptor that came without one (semantics 1.1).
    pub fn stored() -> FdName {
        FdName("stored".into())
    }

    /// The name of a passed descriptor when nobody gave names (semantics 1.1).
    pub fn unknown() -> FdName {
        FdName("unknown".into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FdName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for FdName {
    type Error = NameError;

    fn try_from(text: String) -> Result<FdName, NameError> {
        FdName::new(&text)
    }
}

impl From<FdName> for String {
    fn from(name: FdName) -> String {
        name.0.as_ref().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_printable_ascii_without_colon() {
        for good in ["", "http", "a b", "~!", &"x".repeat(255)] {
            assert!(FdName::new(good).is_ok(), "{good:?}");
        }
        for bad in ["a:b", "a\n", "ä", "\x7f", &"x".repeat(256)] {
            assert!(FdName::new(bad).is_err(), "{bad:?}");
        }
    }
}
