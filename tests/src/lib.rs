//! End-to-end scenarios: what must hold of a running system, whatever it runs in.
//!
//! The scenarios of [`guest`] run inside the system under test, as the program `softboot-scenario`; [`container`] and
//! the crate `softboot-qemu` provide such a system, and [`suite`] runs a selection of scenarios in either.

pub mod container;
pub mod error;
pub mod guest;
pub mod reference;
pub mod suite;
