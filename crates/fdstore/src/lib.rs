//! An fd store that any daemon can embed: descriptors kept for an owner under a name, across that owner's life.
//!
//! - [`FdStore`] holds descriptors with their identity, oldest first, and finds out in constant time when the same one
//!   comes twice.
//! - [`FdStore::handoff`] writes a manifest into a sealed memfd and executes the next program with everything open;
//!   [`FdStore::inherit`] on the other side checks each descriptor against what it claims to be. What does not match
//!   is put aside, never handed out.
//! - [`FdStore::take`] and [`FdStore::share`] give a descriptor as a type of the standard library, after a look at what
//!   it is.
//! - [`FdStore::put_state`] keeps data beside the descriptors, [`FdStore::state`] reads it in the next program.
//! - [`notify`] speaks sd_notify from both sides, [`listen`] takes what LISTEN_FDS names.
//!
//! Descriptors are `OwnedFd` and `BorrowedFd` in this interface; a number appears only where the kernel's own
//! protocols have one (environment variables, the manifest).
//!
//! What is lost when: a descriptor that was never inserted, when its process ends; everything in the store, when the
//! process that holds it is killed and has not handed over. An entry that is watched for hang-up leaves when its peer
//! does, if its holder does what the protocol says.

mod adopt;
mod clock;
mod envelope;
mod handoff;
mod identity;
mod inherit;
pub mod listen;
mod manifest;
pub mod memfd;
mod name;
pub mod notify;
mod program;
mod record;
mod startup;
mod state;
mod store;
pub mod transfer;
pub mod upgrade;

pub use adopt::{Adopt, AdoptError};
pub use clock::boottime_usec;
pub use envelope::{ManifestError, read_enveloped, write_enveloped};
pub use handoff::{Handoff, HandoffError};
pub use identity::{Access, FdKind, Identity};
pub use inherit::{FromEnvError, InheritError, Inherited, Quarantined};
pub use name::{FdName, NameError};
pub use program::Program;
pub use startup::{Origin, Startup, StartupError};
pub use state::StateError;
pub use store::{Entry, EntryId, FdStore, InsertError, InsertOptions, Inserted, Lifetime, Rule, RunEnd};
