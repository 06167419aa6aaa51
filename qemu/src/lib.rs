//! Runs the test machine.
pub mod channel;
pub mod machine;
