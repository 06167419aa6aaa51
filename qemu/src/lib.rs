//! Runs the test machine.
