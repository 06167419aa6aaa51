//! softboot's control interface: Varlink framing, the interface's types, and a client.
//!
//! The server half is a state machine over buffers ([`connection`]); whoever serves owns the descriptors. Nothing
//! here blocks except the [`client`], which is for programs outside PID 1.

pub mod api;
pub mod client;
pub mod systemd;

pub use softboot_varlink::connection;
