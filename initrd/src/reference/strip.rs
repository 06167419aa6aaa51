//! The fastest fair configuration: PID 1 alone, with the targets that a boot and a soft-reboot go through.
//!
//! What is taken away is what has no part in the workload: a service that does not run cannot hold anything up. What
//! stays is PID 1 as the distribution builds it, with all that it does by itself.

use super::{Error, files};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

const UNITS: &str = "usr/lib/systemd/system";

/// The units that stay, as the package has them.
const KEPT: [&str; 9] = [
    "basic.target",
    "final.target",
    "multi-user.target",
    "shutdown.target",
    "sockets.target",
    "soft-reboot.target",
    "sysinit.target",
    "systemd-soft-reboot.service",
    "umount.target",
];

/// Everything else by which systemd runs programs or adds units of its own accord.
const TAKEN: [&str; 7] = [
    "etc/systemd/system",
    "usr/lib/systemd/system-environment-generators",
    "usr/lib/systemd/system-generators",
    "usr/lib/systemd/system-preset",
    "usr/lib/systemd/system-shutdown",
    "usr/lib/tmpfiles.d",
    "usr/lib/sysusers.d",
];

/// No log, no messages, no accounting; output of services goes nowhere, since nothing would read it.
const CONFIGURATION: &str = "\
[Manager]
LogTarget=null
LogLevel=emerg
ShowStatus=no
DefaultStandardOutput=null
DefaultStandardError=null
DefaultIOAccounting=no
DefaultIPAccounting=no
DefaultMemoryAccounting=no
DefaultTasksAccounting=no
DefaultTimeoutStopSec=10s
";

/// Takes away from a root all that the workload does not need.
pub(super) fn strip(root: &Path) -> Result<(), Error> {
    let units = root.join(UNITS);
    let fail = Error::of_file(&units);
    for entry in fs::read_dir(&units).map_err(&fail)? {
        let entry = entry.map_err(&fail)?;
        if KEPT.iter().any(|kept| entry.file_name() == *kept) {
            continue;
        }
        remove(&entry.path())?;
    }
    for path in TAKEN {
        remove(&root.join(path))?;
    }
    for unit in KEPT {
        // A package that has renamed one would make a root that boots and never reboots.
        let path = units.join(unit);
        fs::metadata(&path).map_err(Error::of_file(&path))?;
    }
    files::write(root, "etc/systemd/system.conf.d/stripped.conf", CONFIGURATION)?;
    let default = root.join("etc/systemd/system/default.target");
    if let Some(directory) = default.parent() {
        fs::create_dir_all(directory).map_err(Error::of_file(directory))?;
    }
    symlink(format!("/{UNITS}/multi-user.target"), &default).map_err(Error::of_file(&default))
}

fn remove(path: &Path) -> Result<(), Error> {
    let Ok(meta) = path.symlink_metadata() else {
        return Ok(());
    };
    let removed = if meta.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    removed.map_err(Error::of_file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_targets_stay_and_a_missing_one_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        for unit in KEPT
            .iter()
            .chain(&["systemd-journald.service", "x.target.wants/y.service"])
        {
            files::write(root.path(), &format!("{UNITS}/{unit}"), "[Unit]\n").unwrap();
        }
        files::write(root.path(), "usr/lib/systemd/system-generators/g", "").unwrap();
        strip(root.path()).unwrap();
        let left = fs::read_dir(root.path().join(UNITS)).unwrap().count();
        assert_eq!(left, KEPT.len());
        assert!(!root.path().join("usr/lib/systemd/system-generators").exists());
        let default = fs::read_link(root.path().join("etc/systemd/system/default.target")).unwrap();
        assert!(default.ends_with("multi-user.target"));

        fs::remove_file(root.path().join(UNITS).join("soft-reboot.target")).unwrap();
        assert!(
            strip(root.path())
                .unwrap_err()
                .to_string()
                .contains("soft-reboot.target")
        );
    }
}
