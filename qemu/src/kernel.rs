//! Finds the kernel to boot and says where it came from.
//!
//! A kernel that the user names, by option or by `$SOFTBOOT_KERNEL`, is looked at here. Cached and fetched
//! kernels come from the package store of `softboot-initrd`; the caller tries that when [`find`] returns
//! `None`.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The environment variable that names a kernel.
pub const VARIABLE: &str = "SOFTBOOT_KERNEL";
/// Where the boot protocol's `HdrS` is in a kernel image (Documentation/arch/x86/boot.rst).
const MAGIC_AT: u64 = 0x202;
/// Where the offset of the version text is, counted from 0x200.
const VERSION_POINTER_AT: u64 = 0x20E;

/// A kernel that can be booted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// The image.
    pub image: PathBuf,
    /// The release, as `uname -r` will print it.
    pub version: String,
    /// The directory with its modules (the one that holds `modules.order`), if one was found.
    pub modules: Option<PathBuf>,
    /// Who named it.
    pub source: Source,
}

/// Who named a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// `--kernel`.
    Option,
    /// `$SOFTBOOT_KERNEL`.
    Environment,
    /// The distribution's package, fetched now or before.
    Package,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Option => "from --kernel",
            Self::Environment => "from $SOFTBOOT_KERNEL",
            Self::Package => "from the distribution's package",
        })
    }
}

/// Why a named kernel cannot be booted.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// Distributions that keep /boot for root only.
    #[error(
        "the kernel {} is not readable for this user: copy it as root (install -m 644 {} ./vmlinuz) and \
         name the copy, or leave it out to have the distribution's cloud kernel fetched",
        .0.display(), .0.display()
    )]
    NotReadable(PathBuf),
    /// Missing, or the disk failed.
    #[error("reading the kernel {}: {source}", .path.display())]
    Read {
        /// The image.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// Some other file.
    #[error("{} is not a Linux kernel image for x86 (no HdrS at 0x202): name a vmlinuz or bzImage", .0.display())]
    NotAKernel(PathBuf),
}

/// The kernel named by `--kernel`, else by `$SOFTBOOT_KERNEL`; `None` if neither names one.
///
/// # Errors
/// The named file is missing, not readable, or not a kernel. A named kernel is never silently replaced.
pub fn find(option: Option<&Path>, variable: Option<OsString>) -> Result<Option<Kernel>, KernelError> {
    if let Some(path) = option {
        return inspect(path, Source::Option).map(Some);
    }
    match variable.filter(|value| !value.is_empty()) {
        Some(value) => inspect(Path::new(&value), Source::Environment).map(Some),
        None => Ok(None),
    }
}

/// Reads an image's header and looks for its modules.
///
/// # Errors
/// As for [`find`].
pub fn inspect(path: &Path, source: Source) -> Result<Kernel, KernelError> {
    let version = read_version(path).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => KernelError::NotReadable(path.to_owned()),
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => KernelError::NotAKernel(path.to_owned()),
        _ => KernelError::Read {
            path: path.to_owned(),
            source: error,
        },
    })?;
    let modules = module_places(path, &version)
        .into_iter()
        .find(|place| place.join("modules.order").exists());
    Ok(Kernel {
        image: path.to_owned(),
        version,
        modules,
        source,
    })
}

/// Where modules of an image may lie: beside it, if it is in an unpacked package, or on the host.
fn module_places(image: &Path, version: &str) -> Vec<PathBuf> {
    let beside = image.parent().and_then(Path::parent);
    let mut places: Vec<PathBuf> = beside
        .iter()
        .flat_map(|root| [root.join("lib/modules"), root.join("usr/lib/modules")])
        .collect();
    places.push(PathBuf::from("/lib/modules"));
    places.into_iter().map(|place| place.join(version)).collect()
}

fn read_version(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut magic = [0; 4];
    file.seek(SeekFrom::Start(MAGIC_AT))?;
    file.read_exact(&mut magic)?;
    if &magic != b"HdrS" {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut pointer = [0; 2];
    file.seek(SeekFrom::Start(VERSION_POINTER_AT))?;
    file.read_exact(&mut pointer)?;
    file.seek(SeekFrom::Start(u64::from(u16::from_le_bytes(pointer)) + 0x200))?;
    let mut text = Vec::new();
    file.take(256).read_to_end(&mut text)?;
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    // "6.1.0-9-cloud-amd64 (builder@host) #1 SMP …": the release is the first word.
    let text = String::from_utf8_lossy(text);
    text.split_whitespace()
        .next()
        .map(str::to_owned)
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(version: &str) -> Vec<u8> {
        let mut bytes = vec![0; 0x400];
        bytes[0x202..0x206].copy_from_slice(b"HdrS");
        bytes[0x20E..0x210].copy_from_slice(&0x100u16.to_le_bytes());
        bytes[0x300..0x300 + version.len()].copy_from_slice(version.as_bytes());
        bytes
    }

    #[test]
    fn the_release_is_read_from_the_image_and_modules_are_found_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let modules = dir.path().join("lib/modules/6.1.0-test");
        std::fs::create_dir_all(&modules).unwrap();
        std::fs::create_dir_all(dir.path().join("boot")).unwrap();
        std::fs::write(modules.join("modules.order"), "").unwrap();
        let path = dir.path().join("boot/vmlinuz");
        std::fs::write(&path, image("6.1.0-test (x@y) #1 SMP")).unwrap();
        let kernel = find(Some(&path), Some("/other".into())).unwrap().unwrap();
        assert_eq!(
            (kernel.version.as_str(), kernel.modules),
            ("6.1.0-test", Some(modules))
        );
        assert_eq!(kernel.source, Source::Option);
    }

    #[test]
    fn a_file_that_is_no_kernel_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("text");
        std::fs::write(&path, "hello").unwrap();
        let error = find(None, Some(path.clone().into())).unwrap_err();
        assert!(
            matches!(&error, KernelError::NotAKernel(at) if *at == path),
            "{error}"
        );
    }

    #[test]
    fn nothing_named_means_the_package() {
        assert_eq!(find(None, None).unwrap(), None);
        assert_eq!(find(None, Some(OsString::new())).unwrap(), None);
    }
}
