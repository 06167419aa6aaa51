//! The distribution's kernel for virtual machines.

use super::apt::{Apt, Package};
use super::{Error, PackageStore, stamp};
use crate::progress::Progress;
use std::path::{Path, PathBuf};

/// A kernel with its modules, unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelPackage {
    /// The kernel image.
    pub vmlinuz: PathBuf,
    /// Its `lib/modules/VERSION`.
    pub modules_dir: PathBuf,
    /// Its version, as `uname -r` gives it.
    pub version: String,
    /// Its configuration, where the package has it.
    pub config: Option<PathBuf>,
}

impl PackageStore {
    /// The kernel that the distribution's package for virtual machines depends on, and its modules. Served from the
    /// cache when it was fetched before.
    ///
    /// # Errors
    /// As [`PackageStore::fetch`]; an architecture without such a package; a package without a kernel in it.
    pub fn kernel(&self, progress: &mut dyn Progress) -> Result<KernelPackage, Error> {
        const KEY: &str = "kernel";
        if let Some(roots) = stamp::read(&self.cache, KEY) {
            let paths: Vec<&Path> = roots.iter().map(|root| root.path.as_path()).collect();
            return find(&paths, KEY);
        }
        let apt = Apt::new(&self.cache)?;
        let roots = self.fetch_resolved(&apt, "resolving the kernel", resolve, progress)?;
        let paths: Vec<&Path> = roots.iter().map(|root| root.path.as_path()).collect();
        let kernel = find(&paths, roots.first().map_or(KEY, |root| &root.name))?;
        stamp::write(&self.cache, KEY, &roots)?;
        Ok(kernel)
    }
}

/// Names of the packages that depend on the current kernel for virtual machines: Debian's, then Ubuntu's.
fn candidates(architecture: &str) -> Vec<String> {
    match architecture {
        "amd64" | "arm64" => vec![
            format!("linux-image-cloud-{architecture}"),
            "linux-image-virtual".into(),
            "linux-image-kvm".into(),
            "linux-image-generic".into(),
        ],
        other => vec![
            format!("linux-image-{other}"),
            "linux-image-virtual".into(),
            "linux-image-generic".into(),
        ],
    }
}

/// The kernel's own package and those with its modules.
fn resolve(apt: &Apt<'_>) -> Result<Vec<(String, String)>, Error> {
    let architecture = apt.architecture()?;
    for name in candidates(&architecture) {
        let Some(meta) = apt.show(&name)? else { continue };
        for image in names(&meta, "linux-image-") {
            let Some(image) = apt.show(&image)? else { continue };
            let mut wanted = vec![(image.name.clone(), image.version.clone())];
            // Ubuntu keeps the modules in a package of their own; Debian does not.
            for modules in names(&image, "linux-modules-") {
                if let Some(modules) = apt.show(&modules)? {
                    wanted.push((modules.name, modules.version));
                }
            }
            return Ok(wanted);
        }
    }
    Err(Error::NoKernel(architecture))
}

fn names(package: &Package, prefix: &str) -> Vec<String> {
    package
        .depends
        .iter()
        .flatten()
        .filter(|name| name.starts_with(prefix))
        .cloned()
        .collect()
}

/// The kernel among unpacked packages.
fn find(roots: &[&Path], package: &str) -> Result<KernelPackage, Error> {
    let missing = |what: &str| Error::Kernel {
        package: package.into(),
        what: what.into(),
    };
    let vmlinuz = roots
        .iter()
        .filter_map(|root| std::fs::read_dir(root.join("boot")).ok())
        .flatten()
        .filter_map(Result::ok)
        .find(|entry| entry.file_name().to_string_lossy().starts_with("vmlinu"))
        .map(|entry| entry.path())
        .ok_or_else(|| missing("kernel image below boot/"))?;
    let name = vmlinuz
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let version = name.split_once('-').map(|(_, version)| version.to_owned());
    let version = version.ok_or_else(|| missing("version in the name of its kernel image"))?;
    let modules_dir = roots
        .iter()
        .flat_map(|root| ["lib/modules", "usr/lib/modules"].map(|dir| root.join(dir).join(&version)))
        .find(|dir| dir.join("kernel").is_dir())
        .ok_or_else(|| missing("modules below lib/modules"))?;
    let config = roots
        .iter()
        .map(|root| root.join("boot").join(format!("config-{version}")))
        .find(|path| path.is_file());
    Ok(KernelPackage {
        vmlinuz,
        modules_dir,
        version,
        config,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_and_modules_may_be_in_two_packages() {
        let dir = tempfile::tempdir().unwrap();
        let (image, modules) = (dir.path().join("image"), dir.path().join("modules"));
        std::fs::create_dir_all(image.join("boot")).unwrap();
        std::fs::write(image.join("boot/vmlinuz-6.8.0-1-generic"), "").unwrap();
        assert!(
            find(&[&image], "linux-image")
                .unwrap_err()
                .to_string()
                .contains("modules")
        );
        std::fs::create_dir_all(modules.join("lib/modules/6.8.0-1-generic/kernel")).unwrap();
        let kernel = find(&[&image, &modules], "linux-image").unwrap();
        assert_eq!(kernel.version, "6.8.0-1-generic");
        assert!(kernel.modules_dir.starts_with(&modules) && kernel.config.is_none());
    }
}
