//! Unit files from the disk.

use std::fs;
use std::io;
use std::path::Path;

use softboot_unit::files::{DirEntry, FileProvider};
use softboot_unit::{Definition, Loader, Specifiers, UnitName};

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
}

/// Loads `names` and every unit they mention that `known` does not have.
pub(crate) fn closure(names: &[UnitName], known: &dyn Fn(&UnitName) -> bool) -> Vec<Definition> {
    let disk = Disk;
    Loader::new(&disk, unit_path(), specifiers()).load_closure(names, known)
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
