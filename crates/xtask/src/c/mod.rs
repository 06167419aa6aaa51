//! libfdstore: its header, and its installation.

pub(crate) mod check;
mod drive;
pub(crate) mod header;
pub(crate) mod install;
