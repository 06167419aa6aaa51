//! Varlink over unix sockets (varlink.org): one JSON object, then one NUL byte, and the descriptors that may come
//! beside it.
//!
//! - [`connection`]: one client's buffers as plain data, for an interface without descriptors. It can be written down
//!   half-way through a message and continued by the next program.
//! - [`descriptors`]: the same with SCM_RIGHTS. Messages name descriptors by their index among those that came with
//!   the message, as other implementations do.
//! - [`client`]: a blocking client with descriptors, for tools and tests.
//!
//! Interfaces live elsewhere: nothing here knows a method.

mod arrivals;
pub mod client;
pub mod connection;
pub mod descriptors;
mod send;

pub use arrivals::MAX_FDS;
