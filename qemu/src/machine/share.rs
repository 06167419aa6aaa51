//! Directories of the host in the guest: by virtiofs or 9p, whichever both sides have.
//!
//! The distributions' cloud kernels have virtiofs as a module and no 9p; general kernels have both. virtiofs
//! needs its server `virtiofsd` on the host and is preferred, being a real POSIX file system.

use std::path::{Path, PathBuf};

/// Where distributions put the virtiofs server; it is no command for users, so not in PATH.
const SERVERS: [&str; 3] = [
    "/usr/libexec/virtiofsd",
    "/usr/lib/qemu/virtiofsd",
    "/usr/lib/virtiofsd",
];

/// How a directory is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// Through this server.
    Virtiofs {
        /// Path of `virtiofsd`.
        server: PathBuf,
    },
    /// By QEMU itself.
    Plan9,
}

impl Method {
    /// The type and options for mount(8) in the guest.
    #[must_use]
    pub fn mount_options(&self) -> (&'static str, &'static str) {
        match self {
            Self::Virtiofs { .. } => ("virtiofs", "rw"),
            Self::Plan9 => ("9p", "trans=virtio,version=9p2000.L,msize=262144"),
        }
    }

    /// The kernel modules that the guest has to load for it.
    #[must_use]
    pub fn modules(&self) -> &'static [&'static str] {
        match self {
            Self::Virtiofs { .. } => &["virtiofs"],
            Self::Plan9 => &["9pnet_virtio", "9p"],
        }
    }
}

/// A shared directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The directory on the host.
    pub directory: PathBuf,
    /// Its name for mount(8) in the guest.
    pub tag: String,
    /// Chosen by [`choose`].
    pub method: Method,
}

/// Why a directory cannot be shared.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ShareError {
    /// Not there, or a file.
    #[error("{} cannot be shared: it is not a directory", .0.display())]
    NotADirectory(PathBuf),
    /// The guest's kernel has neither file system.
    #[error("the guest's kernel has neither virtiofs nor 9p: choose another with --kernel")]
    NoDriver,
    /// The kernel has only virtiofs and the host has no server for it.
    #[error(
        "the guest's kernel shares directories only by virtiofs, and virtiofsd is not on this host: \
         install it (apt-get install virtiofsd, on Debian 12 and older qemu-system-common)"
    )]
    NoServer,
}

/// Chooses how to share `directory` with a guest whose modules lie in `modules`.
///
/// # Errors
/// The directory is none, or no method works on both sides.
pub fn choose(directory: &Path, tag: &str, modules: Option<&Path>) -> Result<Share, ShareError> {
    if !directory.is_dir() {
        return Err(ShareError::NotADirectory(directory.to_owned()));
    }
    let server = SERVERS.iter().map(PathBuf::from).find(|path| path.exists());
    let has = |name: &str| modules.is_some_and(|modules| has_module(modules, name));
    let method = decide(has("virtiofs"), has("9p") && has("9pnet_virtio"), server)?;
    Ok(Share {
        directory: directory.to_owned(),
        tag: tag.to_owned(),
        method,
    })
}

fn decide(virtiofs: bool, plan9: bool, server: Option<PathBuf>) -> Result<Method, ShareError> {
    match (virtiofs, plan9, server) {
        (true, _, Some(server)) => Ok(Method::Virtiofs { server }),
        (_, true, _) => Ok(Method::Plan9),
        (true, false, None) => Err(ShareError::NoServer),
        (false, false, _) => Err(ShareError::NoDriver),
    }
}

/// Whether a kernel has a module, loadable or built in.
fn has_module(modules: &Path, name: &str) -> bool {
    let file = format!("/{name}.ko");
    // A package that is only unpacked has no modules.dep yet, but always the list in order.
    ["modules.dep", "modules.order", "modules.builtin"]
        .iter()
        .any(|list| {
            let text = std::fs::read_to_string(modules.join(list)).unwrap_or_default();
            text.lines().any(|line| {
                let path = line.split(':').next().unwrap_or_default();
                path.contains(&file)
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virtiofs_is_preferred_and_a_missing_server_is_named() {
        let server = Some(PathBuf::from("/s"));
        let virtiofs = Method::Virtiofs { server: "/s".into() };
        assert_eq!(decide(true, true, server.clone()), Ok(virtiofs));
        assert_eq!(decide(true, true, None), Ok(Method::Plan9));
        assert_eq!(decide(true, false, None), Err(ShareError::NoServer));
        assert_eq!(decide(false, false, server), Err(ShareError::NoDriver));
    }

    #[test]
    fn modules_count_whether_loadable_or_built_in() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(
            dir.path().join("modules.dep"),
            "kernel/fs/fuse/virtiofs.ko.xz: kernel/fs/fuse/fuse.ko\n",
        )
        .unwrap();
        std::fs::write(dir.path().join("modules.builtin"), "kernel/fs/9p/9p.ko\n").unwrap();
        assert!(has_module(dir.path(), "virtiofs"));
        assert!(has_module(dir.path(), "9p"));
        assert!(
            !has_module(dir.path(), "fuse"),
            "only a dependency, its own line is missing"
        );
    }
}
