//! The demo image's own small programs, one binary each, and the little that they share.
//!
//! They are real input for the manager: a service that keeps its connections in its fd store, a survivor that checks
//! its connections every millisecond, an inetd-style service, and services that do not want to end.

pub mod clock;
pub mod error;
pub mod manager;
pub mod report;
pub mod signals;
