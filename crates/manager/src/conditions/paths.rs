//! What is at a path.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use softboot_unit::ConditionKind;

pub(super) fn test(kind: ConditionKind, argument: &str) -> bool {
    use ConditionKind as C;
    let path = Path::new(argument);
    match kind {
        C::PathExists => path.exists(),
        C::PathExistsGlob => super::glob::any_path(argument),
        C::PathIsDirectory => path.is_dir(),
        C::PathIsSymbolicLink => path.is_symlink(),
        C::PathIsMountPoint => path.exists() && crate::setup::is_mount_point(argument).unwrap_or(false),
        C::PathIsReadWrite => writable(path),
        C::PathIsEncrypted => encrypted(path),
        C::PathIsSocket => fs::metadata(path).is_ok_and(|about| about.file_type().is_socket()),
        C::DirectoryNotEmpty => fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some()),
        C::FileNotEmpty => fs::metadata(path).is_ok_and(|about| about.is_file() && about.len() > 0),
        C::FileIsExecutable => {
            path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
        }
        C::NeedsUpdate => needs_update(path),
        _ => false,
    }
}

/// The file system is not mounted read-only.
fn writable(path: &Path) -> bool {
    rustix::fs::statvfs(path).is_ok_and(|about| !about.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
}

/// The block device below is one that dm-crypt makes, or is on one.
fn encrypted(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|about| {
        let (major, minor) = (rustix::fs::major(about.dev()), rustix::fs::minor(about.dev()));
        device_is_encrypted(&Path::new("/sys/dev/block").join(format!("{major}:{minor}")), 8)
    })
}

fn device_is_encrypted(device: &Path, depth: u32) -> bool {
    if fs::read_to_string(device.join("dm/uuid")).is_ok_and(|uuid| uuid.starts_with("CRYPT-")) {
        return true;
    }
    let Some(depth) = depth.checked_sub(1) else {
        return false;
    };
    let below = fs::read_dir(device.join("slaves"));
    below.is_ok_and(|entries| {
        entries
            .flatten()
            .any(|entry| device_is_encrypted(&entry.path(), depth))
    })
}

/// `/etc` or `/var` was last brought up to date before `/usr` changed (systemd.offline-updates(7),
/// systemd-update-done.service(8)).
fn needs_update(path: &Path) -> bool {
    if !writable(path) {
        return false;
    }
    let Ok(usr) = fs::metadata("/usr") else {
        return false;
    };
    fs::metadata(path.join(".updated")).map_or(true, |done| {
        (done.mtime(), done.mtime_nsec()) < (usr.mtime(), usr.mtime_nsec())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ConditionKind as C;

    #[test]
    fn paths_are_what_they_are() {
        assert!(test(C::PathIsDirectory, "/proc") && !test(C::PathIsDirectory, "/proc/version"));
        assert!(test(C::PathIsSymbolicLink, "/proc/self"));
        assert!(test(C::PathIsMountPoint, "/proc") && !test(C::PathIsMountPoint, "/proc/1"));
        assert!(test(C::DirectoryNotEmpty, "/proc"));
        assert!(test(C::FileIsExecutable, "/bin/sh") && !test(C::FileIsExecutable, "/bin"));
        assert!(!test(C::PathIsEncrypted, "/proc"));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_str().unwrap();
        assert!(!test(C::DirectoryNotEmpty, path));
        assert!(test(C::PathIsReadWrite, path));
        assert!(test(C::NeedsUpdate, path));
        std::fs::write(directory.path().join(".updated"), "").unwrap();
        assert!(!test(C::NeedsUpdate, path), "done after the last change of /usr");
    }
}
