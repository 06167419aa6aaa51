//! The decisions of a service manager, and nothing else.
//!
//! [`Engine::step`] takes one [`Event`] and the [`Now`] at which it was seen, changes the state, and returns the
//! [`Action`]s the manager has to carry out. No system call, no clock, no descriptor, no thread: the same events at
//! the same times give the same actions, so a whole manager can be simulated and replayed.

pub mod action;
pub mod event;
pub mod state;

pub use action::*;
pub use event::*;
pub use state::*;
