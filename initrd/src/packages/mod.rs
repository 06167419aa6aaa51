//! The distribution's packages, fetched and unpacked below a cache directory. Nothing is installed on the host, and
//! no root is needed: `apt-get download` and `dpkg-deb -x` write where they are told.
//!
//! **What comes along.** The packages asked for, and of what they depend on only the libraries (archive section
//! `libs`), without recommends: the rest of a Debian dependency tree (init systems, maintainer script helpers, perl)
//! is for installing, not for running a program in an image. libc is taken from the host where the host has it, as the
//! packages come from the host's own distribution and release and so fit it.
//!
//! **Offline.** A set of packages that was fetched once is written down in `packages.json` in the cache, with names and
//! versions; asked for again it is served from there without a call to apt. To get newer versions, remove the cache.

mod apt;
mod kernel;
mod stamp;
mod suite;

pub use kernel::KernelPackage;
pub use suite::{Suite, Trust};

use crate::progress::Progress;
use apt::Apt;
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

/// What can go wrong with packages.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A tool is not on this machine.
    #[error(
        "cannot run {tool}, which is needed to get {what}: {source}; this needs Debian or Ubuntu (packages apt and dpkg)"
    )]
    NoTool {
        /// `apt-get` and so on.
        tool: String,
        /// What it was for.
        what: String,
        /// The cause.
        source: std::io::Error,
    },
    /// apt does not know a package.
    #[error(
        "apt knows no package {package} here; its lists may be empty or old: run `sudo apt-get update` and try again"
    )]
    Unknown {
        /// The package.
        package: String,
    },
    /// A package could not be downloaded.
    #[error(
        "cannot download the package {package}: `{command}` failed; is there a network? It said: {output}"
    )]
    Download {
        /// The package.
        package: String,
        /// The exact command, to try by hand.
        command: String,
        /// The end of what it printed.
        output: String,
    },
    /// A package could not be unpacked.
    #[error("cannot unpack the package {package}: `{command}` failed: {output}")]
    Unpack {
        /// The package.
        package: String,
        /// The exact command, to try by hand.
        command: String,
        /// The end of what it printed.
        output: String,
    },
    /// The cache cannot be used.
    #[error("cannot use the package cache at {}: {source}", path.display())]
    Cache {
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The kernel package is not built as expected.
    #[error("the kernel package {package} has no {what}")]
    Kernel {
        /// The package.
        package: String,
        /// What is missing.
        what: String,
    },
    /// apt's sources name no mirror.
    #[error(
        "apt's sources on this machine name no mirror of a distribution (`apt-get indextargets` lists none with the \
         component main); add one to /etc/apt/sources.list.d"
    )]
    NoMirror,
    /// The mirror does not give out the suite.
    #[error(
        "the suite {suite} cannot be had from the mirror of apt's sources: `{command}` failed; is there a network, and \
         does the mirror have the suite? It said: {output}"
    )]
    Unreachable {
        /// The suite.
        suite: String,
        /// The exact command, to try by hand.
        command: String,
        /// The end of what it printed.
        output: String,
    },
    /// The suite is signed by none of the keys of this machine.
    #[error(
        "the suite {suite} is signed by no key that this machine has. Install a newer debian-archive-keyring \
         (`apt-get install debian-archive-keyring`), or allow packages that nobody vouches for. `{command}` said: {output}"
    )]
    Unsigned {
        /// The suite.
        suite: String,
        /// The exact command, to try by hand.
        command: String,
        /// The end of what it printed.
        output: String,
    },
    /// No kernel package is known for this machine.
    #[error("no kernel package is known for the architecture {0}; give a kernel with --kernel")]
    NoKernel(String),
}

/// One package, unpacked.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PackageRoot {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The directory that holds its files as they would be below `/`.
    pub path: PathBuf,
}

/// The cache.
#[derive(Debug, Clone)]
pub struct PackageStore {
    cache: PathBuf,
}

impl PackageStore {
    /// A cache in this directory, which is created when first needed.
    #[must_use]
    pub fn new(cache_dir: impl Into<PathBuf>) -> Self {
        Self {
            cache: cache_dir.into(),
        }
    }

    /// The packages and their libraries, those asked for first. Served from the cache when they were fetched before.
    ///
    /// # Errors
    /// No apt, an unknown package, no network: each says the package and the command to type.
    pub fn fetch(&self, names: &[&str], progress: &mut dyn Progress) -> Result<Vec<PackageRoot>, Error> {
        let mut sorted: Vec<&str> = names.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let key = sorted.join(" ");
        if let Some(roots) = stamp::read(&self.cache, &key) {
            return Ok(roots);
        }
        let apt = Apt::new(&self.cache)?;
        let roots = self.fetch_resolved(&apt, "resolving packages", |apt| resolve(apt, names), progress)?;
        stamp::write(&self.cache, &key, &roots)?;
        Ok(roots)
    }

    /// Finds out what to fetch, and fetches it. Lists older than the archive name versions that are gone, and packages that
    /// are replaced by others: then once more with new lists.
    fn fetch_resolved(
        &self,
        apt: &Apt<'_>,
        what: &str,
        resolve: impl Fn(&Apt<'_>) -> Result<Vec<(String, String)>, Error>,
        progress: &mut dyn Progress,
    ) -> Result<Vec<PackageRoot>, Error> {
        let mut fetch = || {
            progress.step(what, 0, 0);
            let wanted = resolve(apt)?;
            progress.step(what, 1, 1);
            self.fetch_exact(apt, &wanted, progress)
        };
        match fetch() {
            Err(error @ Error::Download { .. }) => {
                if apt.update()? {
                    fetch()
                } else {
                    Err(error)
                }
            }
            other => other,
        }
    }

    /// Downloads and unpacks these (name, version), each into a directory of its own.
    fn fetch_exact(
        &self,
        apt: &Apt<'_>,
        wanted: &[(String, String)],
        progress: &mut dyn Progress,
    ) -> Result<Vec<PackageRoot>, Error> {
        let mut roots = Vec::new();
        for (index, (name, version)) in wanted.iter().enumerate() {
            progress.step(&format!("package {name}"), index as u64, wanted.len() as u64);
            let path = self
                .cache
                .join(format!("{name}_{}", version.replace([':', '/'], "%")));
            if !path.is_dir() {
                apt.download_and_unpack(name, version, &path)?;
            }
            roots.push(PackageRoot {
                name: name.clone(),
                version: version.clone(),
                path,
            });
        }
        progress.step("packages", wanted.len() as u64, wanted.len() as u64);
        Ok(roots)
    }
}

/// The packages asked for and the libraries they need, by breadth.
fn resolve(apt: &Apt<'_>, names: &[&str]) -> Result<Vec<(String, String)>, Error> {
    let host_has_libc = host_has_libc();
    let mut queue: VecDeque<Vec<String>> = names.iter().map(|&name| vec![name.to_owned()]).collect();
    let asked = queue.len();
    let mut seen: BTreeMap<String, ()> = BTreeMap::new();
    let mut wanted = Vec::new();
    let mut index = 0;
    while let Some(alternatives) = queue.pop_front() {
        let required = index < asked;
        index += 1;
        if alternatives.iter().any(|name| seen.contains_key(name)) {
            continue;
        }
        let found = alternatives.iter().find_map(|name| match apt.show(name) {
            Ok(Some(package)) => Some(Ok(package)),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        });
        let package = match found {
            Some(package) => package?,
            None if required => {
                return Err(Error::Unknown {
                    package: alternatives.join(" | "),
                });
            }
            // A virtual package; one that provides a library is never virtual alone.
            None => continue,
        };
        seen.extend(alternatives.into_iter().map(|name| (name, ())));
        let libc = package.name == "libc6" || package.name == "libgcc-s1";
        if !required && (!package.is_library() || (libc && host_has_libc)) {
            continue;
        }
        queue.extend(package.depends);
        wanted.push((package.name, package.version));
    }
    Ok(wanted)
}

/// Whether the host's own libc is where programs of this architecture look for it.
fn host_has_libc() -> bool {
    let Ok(own) = std::env::current_exe().and_then(std::fs::read) else {
        return false;
    };
    let Ok(object) = crate::elf::Object::parse(&own) else {
        return false;
    };
    object
        .default_directories()
        .iter()
        .any(|directory| Path::new(directory).join("libc.so.6").exists())
}

#[cfg(test)]
mod tests;
