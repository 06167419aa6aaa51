//! softboot's control interface: Varlink framing for the server side and the interface's types.
//!
//! Framing follows semantics 8.4: one JSON object, then one NUL byte.
pub mod api;
pub mod connection;
