//! The unit-file language: names, parsing, drop-ins, specifiers, typed settings, diagnostics.
//!
//! Pure: files come through a [`FileProvider`](files::FileProvider) that the caller passes in, so the same code
//! loads a running system, another root, a test fixture or an archive.

pub mod model;
pub mod name;

pub use model::*;
pub use name::{NameError, UnitKind, UnitName};
