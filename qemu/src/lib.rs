//! Runs the test machine.
pub mod channel;
pub mod error;
pub mod fault;
pub mod kernel;
pub mod machine;
