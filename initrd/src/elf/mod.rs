//! Which libraries a program needs, read from the ELF file: nothing foreign is run, as `ldd` would.
//!
//! The rules are those of ld.so(8) as they hold in the guest: the interpreter from `PT_INTERP`; each `DT_NEEDED`
//! looked for in `DT_RPATH` (of the object and of those that loaded it, and only where the object has no
//! `DT_RUNPATH`), then `DT_RUNPATH` of the object itself, then the default directories. `ld.so.cache` and
//! `ld.so.conf` are not read: the guest has neither.

mod closure;
mod parse;

pub use closure::{Library, Roots, closure};
pub use parse::Object;

use std::path::PathBuf;

/// What can go wrong with an ELF file or its libraries.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read.
    #[error("cannot read {}, wanted by {wanted_by}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The chain of those who wanted it.
        wanted_by: String,
        /// The cause.
        source: std::io::Error,
    },
    /// A file is not an ELF file that can be understood.
    #[error("{}, wanted by {wanted_by}, is no good ELF file: {what}", path.display())]
    Bad {
        /// The file.
        path: PathBuf,
        /// The chain of those who wanted it.
        wanted_by: String,
        /// What is wrong with it.
        what: String,
    },
    /// A library is nowhere.
    #[error("the library {name} was not found; wanted by {wanted_by}; looked in {}", looked_in.join(", "))]
    Missing {
        /// Its name, as `DT_NEEDED` or `PT_INTERP` has it.
        name: String,
        /// The chain of those who wanted it, nearest first.
        wanted_by: String,
        /// Directories.
        looked_in: Vec<String>,
    },
}

#[cfg(test)]
mod tests;
