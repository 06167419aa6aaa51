//! Kernel modules with what they depend on, in load order.
//!
//! Debian's kernel package has no `modules.dep`: it is made by depmod(8) when the package is configured, which
//! unpacking alone does not. Where it is missing, the map is read from the modules themselves: the `depends=` entry
//! of their `.modinfo` section names the modules whose symbols they use.
//!
//! A name means the same with `-` as with `_` (modprobe(8)).

mod decompress;
mod modinfo;
mod tree;

pub use tree::{Closure, Module, ModuleTree};

use std::path::PathBuf;

/// File in the guest with the paths of the modules to load, one a line, in load order: each after all it depends
/// on. What reads it needs nothing but finit_module(2).
pub const LOAD_ORDER: &str = "/etc/modules-load.order";

/// What can go wrong with modules.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A module file is damaged.
    #[error("{} is no good kernel module: {what}", path.display())]
    Bad {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// No such module, neither as a file nor in the kernel.
    #[error("the kernel {version} has no module {name}, wanted by {wanted_by}")]
    Unknown {
        /// The name.
        name: String,
        /// Who wanted it: the chain.
        wanted_by: String,
        /// Version of the kernel.
        version: String,
    },
    /// Modules depend on each other in a ring.
    #[error("the modules {ring} depend on each other in a ring")]
    Ring {
        /// Names, in order.
        ring: String,
    },
}

#[cfg(test)]
mod tests;
