//! Re-exec coordinator: a manager's state in a sealed memfd, checked by the next program before the old one lets go.
//!
//! - [`snapshot`]: all state that is not a descriptor, as JSON in an envelope with magic, version, length, checksum.
//! - [`journal`]: what happened since, for the program that comes after a crash.
//! - [`inspect`]: the same files for people, however damaged they are.
//! - [`unknown`]: what another version wrote and this one does not know.
//! - [`verify`]: the next program is run in a child, with duplicates of every descriptor, and says yes or no.
//!
//! Committing is [`fdstore::Handoff::exec`]. What the state means is the manager's business, not this crate's.

pub mod inspect;
pub mod journal;
pub mod snapshot;
pub mod unknown;
pub mod verify;
