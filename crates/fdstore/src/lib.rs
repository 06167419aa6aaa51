//! An fd store that any daemon can embed: descriptors kept for an owner under a name, across that owner's life.
//!
//! A daemon that restarts need not refuse, reset or forget anybody. Its sockets, connections and state are descriptors,
//! and descriptors can outlive a program in three ways:
//!
//! | I want | the way | how long clients wait |
//! |---|---|---|
//! | to upgrade in place, same PID, least memory | [over execve](guide::exec) | the new program's start |
//! | to be sure that the new program works before the old one goes | [a child with readiness](guide::child) | not at all |
//! | to survive a crash, or a restart by an init | [a manager or holder keeps them](guide::manager) | until I am started again |
//!
//! All three begin with the same call, which is also the first start of all, with no manager:
//!
//! ```
//! use std::net::TcpListener;
//! use fdstore::Startup;
//!
//! let mut startup = Startup::from_env("my-daemon", None)?;
//! let listener: TcpListener = startup.socket("http", || TcpListener::bind("127.0.0.1:0"))?;
//! startup.ready()?;
//! # drop(listener);
//! # Ok::<(), fdstore::StartupError>(())
//! ```
//!
//! [What is lost when](guide::lost) has the honest table; [`guide::migrating`] is for those who come from another
//! library.
//!
//! # Parts
//! - [`FdStore`] holds descriptors with their identity, oldest first, and finds out in constant time when the same one
//!   comes twice (in logarithmic time among those that share an inode, such as eventfds).
//! - [`FdStore::handoff`] writes a manifest into a sealed memfd and executes the next program with everything open;
//!   [`FdStore::from_env`] on the other side checks each descriptor against what it claims to be. What does not match
//!   is put aside, never handed out.
//! - [`transfer`] does the same to another process, over a socket; [`upgrade`] starts that process and waits until it
//!   is ready.
//! - [`FdStore::take`] and [`FdStore::share`] give a descriptor as a type of the standard library, after a look at what
//!   it is.
//! - [`FdStore::put_state`] keeps data beside the descriptors, [`FdStore::state`] reads it in the next program.
//! - [`notify`] speaks sd_notify from both sides, [`listen`] takes what LISTEN_FDS names.
//!
//! Descriptors are `OwnedFd` and `BorrowedFd` in this interface; a number appears only where the kernel's own
//! protocols have one (environment variables, the manifest). There is no async runtime here: what can wait has a form
//! that does not, and a descriptor to poll.

mod adopt;
mod changes;
mod clock;
mod closer;
mod envelope;
pub mod guide;
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
pub use changes::Change;
pub use clock::boottime_usec;
pub use closer::Closer;
pub use envelope::{EnvelopeHeader, ManifestError, fill_enveloped, read_enveloped, write_enveloped};
pub use handoff::{Handoff, HandoffError};
pub use identity::{Access, FdKind, Identity};
pub use inherit::{FromEnvError, InheritError, Inherited, Quarantined};
pub use name::{FdName, NameError};
pub use program::Program;
pub use startup::{Origin, Startup, StartupError};
pub use state::StateError;
pub use store::{Entry, EntryId, FdStore, InsertError, InsertOptions, Inserted, Lifetime, Rule, RunEnd};
