//! What is wrong with a configuration, and where.

use std::ops::Range;
use std::path::{Path, PathBuf};

/// Why a configuration is not used. The one that held before still does.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("reading {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line of it is wrong.
    #[error("{}:{line}: {reason}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// A fault at a place of the text.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) span: Option<Range<usize>>,
    pub(super) reason: String,
}

impl Wrong {
    pub(super) fn new(span: Range<usize>, reason: impl Into<String>) -> Wrong {
        Wrong {
            span: Some(span),
            reason: reason.into(),
        }
    }
}

impl ConfigError {
    pub(super) fn at(path: &Path, text: &str, wrong: Wrong) -> ConfigError {
        let start = wrong.span.map_or(0, |span| span.start);
        let before = text.as_bytes().iter().take(start);
        ConfigError::Wrong {
            path: path.to_owned(),
            line: before.filter(|byte| **byte == b'\n').count().saturating_add(1),
            reason: wrong.reason,
        }
    }
}
