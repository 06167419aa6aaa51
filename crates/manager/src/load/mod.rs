//! Unit files from the disk.

mod sources;
mod watch;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use softboot_unit::files::{DirEntry, FileProvider};
use softboot_unit::{Definition, Listings, Loader, Specifiers, UnitName};

pub(crate) use sources::{Sources, closure_with_sources};
pub(crate) use watch::Watch;

/// The root file system as the unit language sees it.
pub(crate) struct Disk;

impl FileProvider for Disk {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn list(&self, directory: &str) -> io::Result<Vec<DirEntry>> {
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(Vec::new());
            }
            Err(error) => return Err(error),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            // Most are no links, and the directory says so without another question.
            let link_target = if entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
                let target = fs::read_link(Path::new(directory).join(&name)).ok();
                target.and_then(|target| target.into_os_string().into_string().ok())
            } else {
                None
            };
            found.push(DirEntry { name, link_target });
        }
        Ok(found)
    }

    /// A file system tells the time of a change in steps, of two seconds at worst (FAT). What has just changed may change
    /// again within one, and look the same.
    fn stamp(&self, directory: &str) -> Option<softboot_unit::files::Stamp> {
        const STEP: Duration = Duration::from_secs(2);
        let data = fs::metadata(directory).ok()?;
        let age = SystemTime::now().duration_since(data.modified().ok()?).ok()?;
        (age > STEP).then(|| softboot_unit::files::Stamp {
            device: data.dev(),
            inode: data.ino(),
            modified: (data.mtime(), data.mtime_nsec()),
            changed: (data.ctime(), data.ctime_nsec()),
        })
    }
}

/// Loads `names` and every unit they mention that `known` does not have.
pub(crate) fn closure(
    names: &[UnitName],
    known: &dyn Fn(&UnitName) -> bool,
    listings: &Listings,
) -> Vec<Definition> {
    Loader::with_listings(&Disk, unit_path(), specifiers(), listings).load_closure(names, known)
}

/// `$SYSTEMD_UNIT_PATH` replaces the list; a trailing colon appends the defaults (semantics 5.1).
fn unit_path() -> Vec<String> {
    let Ok(value) = std::env::var("SYSTEMD_UNIT_PATH") else {
        return softboot_unit::default_paths();
    };
    let mut paths: Vec<String> = value
        .split(':')
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect();
    if paths.is_empty() || value.ends_with(':') {
        paths.extend(softboot_unit::default_paths());
    }
    paths
}

/// The files that [`specifiers`] reads and that may change, by their directories.
const SPECIFIER_FILES: [(&str, &str); 3] = [
    ("/etc", "os-release"),
    ("/usr/lib", "os-release"),
    ("/etc", "machine-id"),
];

/// What `%` specifiers tell of this system. Read from files that cannot block for long, and from the kernel.
fn specifiers() -> Specifiers {
    let line = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let uname = rustix::system::uname();
    let text = |value: &std::ffi::CStr| value.to_string_lossy().into_owned();
    let release = fs::read_to_string("/etc/os-release")
        .or_else(|_| fs::read_to_string("/usr/lib/os-release"))
        .unwrap_or_default();
    Specifiers {
        host_name: text(uname.nodename()),
        machine_id: line("/etc/machine-id"),
        boot_id: line("/proc/sys/kernel/random/boot_id").replace('-', ""),
        kernel_release: text(uname.release()),
        architecture: text(uname.machine()),
        os_release: release
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.trim_matches(['"', '\'']).to_owned()))
            .collect(),
        ..Specifiers::default()
    }
}
