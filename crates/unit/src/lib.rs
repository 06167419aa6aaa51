//! The unit-file language: names, parsing, drop-ins, specifiers, typed settings, diagnostics.
//!
//! Pure: files come through a [`files::FileProvider`] that the caller passes in, so the same code loads a running
//! system, another root, a test fixture or an archive.
//!
//! | step | module |
//! |---|---|
//! | which files make a unit | `lookup` |
//! | text to assignments | `syntax` |
//! | `%` specifiers | [`specifier`] |
//! | assignments to typed settings | `settings`, `value` |
//! | implicit and default dependencies | `implicit` |
//! | contradictions | `check` |
//! | what a survivor of a soft-reboot has to say | [`recipe`] |
//! | which sockets a soft-reboot leaves open | [`stays_open`] |
//! | enabling, disabling, masking | [`install`] |
//! | everything a unit mentions | [`Loader::load_closure`] |

mod builtin;
mod check;
pub mod escape;
pub mod expand;
pub mod files;
mod implicit;
pub mod install;
mod listings;
mod loader;
mod lookup;
pub mod model;
pub mod name;
pub mod recipe;
mod settings;
pub mod specifier;
mod stay;
mod syntax;
mod value;

pub use listings::Listings;
pub use loader::{Loader, closure_of, mentioned};
pub use lookup::{default_paths, search_paths};
pub use model::*;
pub use name::{NameError, UnitKind, UnitName};
pub use specifier::Specifiers;
pub use stay::{nodes, stays_open};
pub use value::signal_name;
