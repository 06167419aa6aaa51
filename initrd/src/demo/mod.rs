//! The demo image: our programs, a shell, lighttpd, and what they need.
//!
//! What is given (the trees of files and units, the programs) goes in first. The system's own small files
//! (`/etc/passwd` and so on) follow where nobody gave one.

mod base;
mod daemons;
mod distribution;
mod kernel;
mod programs;
mod tree;

pub use kernel::{OPTIONAL_MODULES, REQUIRED_MODULES};

use crate::image::{self, Image};
use crate::packages::{KernelPackage, PackageRoot};
use crate::{elf, modules};
use std::path::PathBuf;

/// The packages that the demo image is made of, for [`crate::packages::PackageStore::fetch`].
pub const PACKAGES: [&str; 2] = ["busybox-static", "lighttpd"];

/// What can go wrong with building the demo image.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An entry of the image.
    #[error(transparent)]
    Image(#[from] image::Error),
    /// A program or library.
    #[error(transparent)]
    Elf(#[from] elf::Error),
    /// A kernel module.
    #[error(transparent)]
    Modules(#[from] modules::Error),
    /// A directory that was given cannot be read.
    #[error("cannot read {}, given as the {what}: {source}", path.display())]
    Given {
        /// The directory or file.
        path: PathBuf,
        /// What it is for.
        what: &'static str,
        /// The cause.
        source: std::io::Error,
    },
    /// A file of a tree is neither a file nor a directory nor a link.
    #[error("{} cannot go into the image: it is no file, directory or symbolic link", path.display())]
    Strange {
        /// The file.
        path: PathBuf,
    },
    /// PID 1 is not among the programs.
    #[error("there is no softbootd in {}; build it first", dir.display())]
    NoInit {
        /// The directory of programs.
        dir: PathBuf,
    },
    /// None of the packages has a file that is needed.
    #[error("no package has {path}, wanted by {wanted_by}; packages: {}", packages.join(", "))]
    NotPackaged {
        /// Path in the guest.
        path: String,
        /// Who wanted it.
        wanted_by: String,
        /// Names and versions of the packages.
        packages: Vec<String>,
    },
    /// Modules are wanted without a kernel.
    #[error("the modules {} are wanted, but no kernel package is given", .0.join(", "))]
    NoKernel(Vec<String>),
}

/// What the demo image is made of.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// Programs for the guest. Each executable file without a dot in its name goes to `/usr/bin`, but `softbootd` to
    /// `/usr/lib/softboot/softbootd` with `/init` and `/sbin/init` as links to it. Libraries of dynamic ones come
    /// along.
    pub programs_dir: PathBuf,
    /// Unit files, for `/usr/lib/systemd/system`.
    pub units_dir: PathBuf,
    /// A tree for `/`; executable files get mode 0755, others 0644.
    pub files_dir: PathBuf,
    /// The unpacked [`PACKAGES`], libraries included.
    pub packages: Vec<PackageRoot>,
    /// Names of packages that go in as a whole; they must be among `packages`.
    pub whole: Vec<String>,
    /// The kernel whose modules go in. Without one there are none: for containers, and kernels with all built in.
    pub kernel: Option<KernelPackage>,
    /// Modules wanted beside [`REQUIRED_MODULES`] and [`OPTIONAL_MODULES`].
    pub modules: Vec<String>,
}

/// Builds the image.
///
/// # Errors
/// Whatever is missing, damaged or in conflict; names who wanted it.
pub fn build(inputs: &Inputs) -> Result<Image, Error> {
    let mut image = Image::new();
    base::directories(&mut image)?;
    tree::add(
        &mut image,
        &inputs.files_dir,
        "",
        "the image's files (initrd/files)",
        "files of the image",
    )?;
    tree::add(
        &mut image,
        &inputs.units_dir,
        "/usr/lib/systemd/system",
        "the image's units (initrd/units)",
        "units of the image",
    )?;
    let mut roots = elf::Roots::then_host(
        inputs
            .packages
            .iter()
            .map(|package| package.path.clone())
            .collect(),
    );
    roots.0.dedup();
    programs::add(&mut image, &inputs.programs_dir, &roots)?;
    daemons::busybox(&mut image, &inputs.packages, &roots)?;
    daemons::lighttpd(&mut image, &inputs.packages, &roots)?;
    distribution::install(&mut image, &inputs.packages, &inputs.whole, &roots)?;
    kernel::modules(&mut image, inputs.kernel.as_ref(), &inputs.modules)?;
    base::files(&mut image)?;
    Ok(image)
}

/// Adds a program or plugin with its libraries.
fn add_elf(
    image: &mut Image,
    roots: &elf::Roots,
    source: &std::path::Path,
    guest_path: &str,
    reason: &str,
) -> Result<(), Error> {
    image.add_file(guest_path, 0o755, source, reason)?;
    for library in elf::closure(roots, source, guest_path, reason)? {
        // One library, found by two, has one reason: the first.
        image.add_file(
            &library.path,
            0o755,
            library.source,
            &format!("library of {}", library.wanted_by),
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
