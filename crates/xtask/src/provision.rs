//! Gets what the machine needs and is not there yet: QEMU, the kernel, the packages, the initrd.

use crate::exit::Failure;
use crate::guest;
use crate::places::Places;
use crate::progress::Reporter;
use softboot_initrd::compress::Compression;
use softboot_initrd::demo;
use softboot_initrd::image::Image;
use softboot_initrd::packages::{KernelPackage, PackageRoot, PackageStore};
use softboot_qemu::kernel::{self, Kernel, Source};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::UNIX_EPOCH;

/// Where scenarios in the virtual machine find it.
const FAULTY: &str = softboot_tests::guest::FAULTY_IN_VM;
const NEXT_KERNEL: &str = softboot_tests::guest::NEXT_KERNEL;
const NEXT_INITRD: &str = softboot_tests::guest::NEXT_INITRD;
const QEMU: &str = "qemu-system-x86_64";

/// QEMU, installed if it is missing and this is root; else the command to type.
pub(crate) fn ensure_qemu(reporter: &Reporter) -> Result<(), Failure> {
    ensure(reporter, "QEMU", QEMU, "qemu-system-x86")
}

/// Installs a program of the host's distribution if it is missing and we are root; else says what to type.
pub(crate) fn ensure(reporter: &Reporter, what: &str, program: &str, package: &str) -> Result<(), Failure> {
    let found = || {
        Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .status()
            .is_ok()
    };
    if found() {
        return Ok(());
    }
    let arguments = ["install", "--yes", "--no-install-recommends", package];
    let manual = format!("apt-get {}", arguments.join(" "));
    if !rustix::process::geteuid().is_root() {
        return Err(Failure::Missing(format!(
            "{what} is not installed. Type:\n\n    sudo {manual}\n"
        )));
    }
    reporter.say(&format!("Installing {what}: {manual}"));
    let install = || {
        Command::new("apt-get")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(std::io::stderr())
            .status()
    };
    let installed = install().is_ok_and(|status| status.success()) || {
        // Fresh machines have no package lists.
        let update = Command::new("apt-get")
            .arg("update")
            .stdin(Stdio::null())
            .stdout(std::io::stderr())
            .status();
        update.is_ok_and(|status| status.success()) && install().is_ok_and(|status| status.success())
    };
    if installed && found() {
        return Ok(());
    }
    Err(Failure::Missing(format!(
        "{what} could not be installed. See the messages above, then type:\n\n    {manual}\n"
    )))
}

/// The kernel: named, else from the package store, which asks the network only once.
pub(crate) fn kernel(
    places: &Places,
    option: Option<&Path>,
    reporter: &mut Reporter,
) -> Result<Kernel, Failure> {
    let named = kernel::find(option, std::env::var_os(kernel::VARIABLE))
        .map_err(|error| Failure::Missing(error.to_string()))?;
    if let Some(kernel) = named {
        return Ok(kernel);
    }
    let package = PackageStore::new(places.packages())
        .kernel(reporter)
        .map_err(|error| Failure::Missing(format!("getting a kernel: {error}")))?;
    let KernelPackage {
        vmlinuz,
        modules_dir,
        version,
        ..
    } = package;
    Ok(Kernel {
        image: vmlinuz,
        version,
        modules: Some(modules_dir),
        source: Source::Package,
    })
}

/// The demo image for a kernel, with all its inputs brought up to date.
pub(crate) struct Demo<'a> {
    places: &'a Places,
    inputs: demo::Inputs,
    /// softbootd with places at which a test makes it crash, for scenarios that need it.
    faulty: Option<PathBuf>,
    /// A kernel and an initrd, for a scenario that goes into them.
    next: Option<(PathBuf, PathBuf)>,
}

impl<'a> Demo<'a> {
    /// Builds the guest's programs and gets the packages; those of `whole` go in with all they have.
    pub(crate) fn prepare(
        places: &'a Places,
        kernel: &Kernel,
        whole: &[&str],
        reporter: &mut Reporter,
    ) -> Result<Self, Failure> {
        let programs_dir = guest::build(places)?;
        let names: Vec<&str> = demo::PACKAGES.iter().chain(whole).copied().collect();
        let packages = PackageStore::new(places.packages())
            .fetch(&names, reporter)
            .map_err(|error| Failure::Missing(format!("getting the image's packages: {error}")))?;
        let package = kernel.modules.clone().map(|modules_dir| KernelPackage {
            vmlinuz: kernel.image.clone(),
            modules_dir,
            version: kernel.version.clone(),
            config: None,
        });
        if package.is_none() {
            let version = &kernel.version;
            reporter.say(&format!(
                "No modules of kernel {version} were found; it must have all it needs built in."
            ));
        }
        let inputs = demo::Inputs {
            programs_dir,
            units_dir: places.source("initrd/units"),
            files_dir: places.source("initrd/files"),
            packages,
            whole: whole.iter().map(|name| (*name).to_owned()).collect(),
            kernel: package,
            modules: Vec::new(),
        };
        Ok(Self {
            places,
            inputs,
            faulty: None,
            next: None,
        })
    }

    /// The same with this program at [`FAULTY`].
    pub(crate) fn with_faulty(mut self, program: PathBuf) -> Self {
        self.faulty = Some(program);
        self
    }

    /// The same with this kernel at [`NEXT_KERNEL`] and this archive at [`NEXT_INITRD`].
    pub(crate) fn with_next(mut self, kernel: PathBuf, initrd: PathBuf) -> Self {
        self.next = Some((kernel, initrd));
        self
    }

    /// The image, for listing.
    pub(crate) fn image(&self) -> Result<Image, Failure> {
        let built = demo::build(&self.inputs).and_then(|mut image| {
            if let Some(program) = &self.faulty {
                image.add_file(FAULTY, 0o755, program.as_path(), "a program for tests")?;
            }
            if let Some((kernel, initrd)) = &self.next {
                image.add_file(NEXT_KERNEL, 0o644, kernel.as_path(), "a kernel to go into")?;
                image.add_file(NEXT_INITRD, 0o644, initrd.as_path(), "its initrd")?;
            }
            Ok(image)
        });
        built.map_err(|error| Failure::host("building the initrd", error))
    }

    /// Writes the archive.
    pub(crate) fn write(&self, to: &Path, compression: Compression) -> Result<(), Failure> {
        let mut archive = Vec::new();
        self.image()?
            .write_cpio(&mut archive)
            .map_err(|error| Failure::host("writing the initrd", error))?;
        let bytes = compression
            .compress(&archive)
            .map_err(|error| Failure::host("compressing the initrd", error))?;
        let failed = |error| Failure::host(&format!("writing {}", to.display()), error);
        if let Some(directory) = to.parent() {
            std::fs::create_dir_all(directory).map_err(failed)?;
        }
        std::fs::write(to, bytes).map_err(failed)
    }

    /// The archive in the cache, written anew only if an input has changed since.
    pub(crate) fn cached(&self, compression: Compression, reporter: &Reporter) -> Result<PathBuf, Failure> {
        // One for each selection of packages, so that two in turns are not built in turns.
        let mut selection: String = self.inputs.whole.iter().map(|name| format!("+{name}")).collect();
        selection.push_str(if self.faulty.is_some() { "+faulty" } else { "" });
        selection.push_str(if self.next.is_some() { "+next" } else { "" });
        let path = self.places.vm(&format!("initrd{selection}-{compression}.img"));
        let stamp_path = path.with_extension("stamp");
        let stamp = self.stamp();
        if path.exists() && std::fs::read_to_string(&stamp_path).is_ok_and(|old| old == stamp) {
            return Ok(path);
        }
        reporter.say("Building the initrd");
        self.write(&path, compression)?;
        // Last: an interrupted run must not leave a stamp for an archive that is not whole.
        std::fs::write(&stamp_path, stamp)
            .map_err(|error| Failure::host("writing the initrd's stamp", error))?;
        Ok(path)
    }

    /// All that the archive depends on, as text: files by size and time, packages by version, and the builder.
    fn stamp(&self) -> String {
        let mut stamp = String::new();
        let inputs = &self.inputs;
        for directory in [&inputs.programs_dir, &inputs.units_dir, &inputs.files_dir] {
            stamp_tree(directory, &mut stamp);
        }
        if let Some(program) = &self.faulty {
            stamp_tree(program, &mut stamp);
        }
        if let Some((kernel, initrd)) = &self.next {
            stamp_tree(kernel, &mut stamp);
            stamp_tree(initrd, &mut stamp);
        }
        if let Ok(builder) = std::env::current_exe() {
            stamp_tree(&builder, &mut stamp);
        }
        for name in &inputs.whole {
            let _ = writeln!(stamp, "whole {name}");
        }
        for PackageRoot { name, version, .. } in &inputs.packages {
            let _ = writeln!(stamp, "package {name} {version}");
        }
        if let Some(kernel) = &inputs.kernel {
            let _ = writeln!(
                stamp,
                "kernel {} {}",
                kernel.version,
                kernel.modules_dir.display()
            );
        }
        stamp
    }
}

fn stamp_tree(path: &Path, stamp: &mut String) {
    let Ok(meta) = std::fs::symlink_metadata(path) else {
        return;
    };
    if meta.is_dir() {
        let mut names: Vec<PathBuf> = std::fs::read_dir(path)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect();
        names.sort();
        for name in names {
            stamp_tree(&name, stamp);
        }
        return;
    }
    let modified = meta
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .unwrap_or_default();
    let _ = writeln!(stamp, "{} {} {}", path.display(), meta.len(), modified.as_nanos());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_changes_with_any_file_below() {
        let directory = std::env::temp_dir().join(format!("xtask-stamp-{}", std::process::id()));
        std::fs::create_dir_all(directory.join("deep")).unwrap();
        std::fs::write(directory.join("deep/file"), "a").unwrap();
        let stamp = || {
            let mut text = String::new();
            stamp_tree(&directory, &mut text);
            text
        };
        let before = stamp();
        assert_eq!(before, stamp());
        std::fs::write(directory.join("deep/file"), "longer").unwrap();
        assert_ne!(before, stamp());
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
