//! Faults of a workload file: file, line, column and reason.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Why there is no workload.
#[derive(Debug, thiserror::Error)]
pub enum WorkloadError {
    /// The file cannot be read.
    #[error("{path}: {error}", path = path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// It has faults.
    #[error("{}", lines(faults))]
    Faults {
        /// All that were found, at least one.
        faults: Vec<Fault>,
    },
}

fn lines(faults: &[Fault]) -> String {
    faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("\n")
}

/// A fault and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file.
    pub path: PathBuf,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What is wrong, and what would be right.
    pub reason: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault {
            path,
            line,
            column,
            reason,
        } = self;
        write!(f, "{}:{line}:{column}: {reason}", path.display())
    }
}

/// A fault, by its place in the text.
#[derive(Clone, Debug)]
pub(super) struct Wrong {
    span: Range<usize>,
    reason: String,
}

impl Wrong {
    pub(super) fn new(span: Range<usize>, reason: impl Into<String>) -> Wrong {
        Wrong {
            span,
            reason: reason.into(),
        }
    }

    pub(super) fn at(self, text: &str, path: &Path) -> Fault {
        let before = text.get(..self.span.start.min(text.len())).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |end| end.saturating_add(1));
        let in_line = before.get(line_start..).unwrap_or_default();
        Fault {
            path: path.to_owned(),
            line: before.matches('\n').count().saturating_add(1),
            column: in_line.chars().count().saturating_add(1),
            reason: self.reason,
        }
    }
}
