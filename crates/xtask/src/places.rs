//! Where things lie in the workspace.

use std::path::{Path, PathBuf};

/// The top of the workspace, and what is below `target`.
pub(crate) struct Places {
    /// The directory with the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
    target: PathBuf,
}

impl Places {
    /// Asks cargo's environment; `cargo xtask` sets it.
    pub(crate) fn new() -> Self {
        let manifest =
            std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let manifest = PathBuf::from(manifest);
        let root = manifest.ancestors().nth(2).unwrap_or(&manifest).to_owned();
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let target = std::path::absolute(&target).unwrap_or(target);
        Self { root, target }
    }

    /// Cargo's directory for the static guest programs.
    pub(crate) fn guest_target(&self) -> PathBuf {
        self.target.join("guest")
    }

    /// The guest programs, ready to be packed.
    pub(crate) fn guest_programs(&self) -> PathBuf {
        self.target.join("guest/programs")
    }

    /// Cargo's directory for libfdstore, and where it is installed for a trial.
    pub(crate) fn c_target(&self) -> PathBuf {
        self.target.join("c")
    }

    /// What fuzzing builds and finds.
    pub(crate) fn fuzz(&self, name: &str) -> PathBuf {
        self.target.join("fuzz").join(name)
    }

    /// Kernels and packages.
    pub(crate) fn packages(&self) -> PathBuf {
        self.target.join("vm/packages")
    }

    /// A file of the machine's: the initrd, its stamp, the verdict on KVM.
    pub(crate) fn vm(&self, name: &str) -> PathBuf {
        self.target.join("vm").join(name)
    }

    /// Part of the sources.
    pub(crate) fn source(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.join(path)
    }
}
