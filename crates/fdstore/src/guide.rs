//! How to use this crate, a page for each way.

#[doc = include_str!("../docs/exec.md")]
pub mod exec {}

#[doc = include_str!("../docs/child.md")]
pub mod child {}

#[doc = include_str!("../docs/manager.md")]
pub mod manager {}

#[doc = include_str!("../docs/lost.md")]
pub mod lost {}

#[doc = include_str!("../docs/migrating.md")]
pub mod migrating {}
