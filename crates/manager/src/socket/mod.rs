//! Listening sockets of socket units: opening, watching, accepting, draining.
//!
//! The descriptors are in the fd store under `port:UNIT`, named by the port's position and labelled with the port
//! itself, so that after a handoff each is matched to the port it was opened for.

mod accept;
mod adopt;
mod matched;
mod open;
mod ports;

pub(crate) use open::{describe as describe_port, kind_word, with_mode};
