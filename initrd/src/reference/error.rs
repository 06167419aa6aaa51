//! Why there is no reference root.

use super::OLDEST;
use crate::{elf, packages};
use std::path::{Path, PathBuf};

/// What can go wrong with a reference root.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The suite or its packages.
    #[error(transparent)]
    Packages(#[from] packages::Error),
    /// A program of the root.
    #[error(transparent)]
    Elf(#[from] elf::Error),
    /// It would be a path, or more than one word.
    #[error(
        "{0:?} is no name of a suite: letters, digits, '-', '_' and '.' only, and no '.' at its beginning"
    )]
    BadSuite(String),
    /// The suite has no systemd.
    #[error("the suite {suite} has no systemd in its component main; name another suite")]
    NoSystemd {
        /// The suite.
        suite: String,
    },
    /// The suite's systemd is too old.
    #[error("the suite {suite} has systemd {version}, and {OLDEST} or later is needed; name a newer suite")]
    TooOld {
        /// The suite.
        suite: String,
        /// What it has.
        version: String,
    },
    /// A file or directory.
    #[error("cannot build the root at {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A program that helps to build it failed.
    #[error("`{command}` failed: {output}")]
    Program {
        /// The exact command, to try by hand.
        command: String,
        /// The end of what it printed.
        output: String,
    },
}

impl Error {
    /// Whether the suite cannot be had from here, so that there is nothing to compare with and nothing is broken.
    pub fn is_unreachable(&self) -> bool {
        use packages::Error as Of;
        match self {
            Self::NoSystemd { .. } | Self::TooOld { .. } => true,
            Self::Packages(error) => matches!(
                error,
                Of::NoTool { .. }
                    | Of::NoMirror
                    | Of::Unreachable { .. }
                    | Of::Unsigned { .. }
                    | Of::Download { .. }
            ),
            Self::BadSuite(_) | Self::Elf(_) | Self::File { .. } | Self::Program { .. } => false,
        }
    }

    pub(super) fn of_file(path: &Path) -> impl Fn(std::io::Error) -> Self + use<'_> {
        |source| Self::File {
            path: path.to_owned(),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_to_be_had_is_told_apart_from_what_is_broken() {
        let unreachable = packages::Error::Unreachable {
            suite: "s".into(),
            command: "c".into(),
            output: "o".into(),
        };
        assert!(Error::from(unreachable).is_unreachable());
        let broken = Error::of_file(Path::new("/x"))(std::io::ErrorKind::StorageFull.into());
        assert!(!broken.is_unreachable());
    }
}
