//! A holder of descriptors for systems without a service manager that keeps them, and for descriptors that belong to
//! no service: `fdstored` keeps them, `fdstorectl` talks to it.
//!
//! - [`config`]: quotas and access rules. Nothing is allowed that no rule allows.
//! - [`api`]: the interface `io.softboot.FdStore` as both sides see it.
//! - [`daemon`]: the holder, one thread around an epoll loop.
//! - [`ctl`]: the command line.
//!
//! The store itself, its identities and the handoff over execve are the crate `fdstore`'s.

pub mod api;
pub mod config;
pub mod ctl;
pub mod daemon;
pub mod duration;
pub mod log;
pub mod pattern;
