//! The roots that are booted.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use super::shown;
use crate::error::{Context as _, Error};

const DIRECTORIES: [&str; 11] = [
    "dev",
    "etc",
    "proc",
    "root",
    "run",
    "sys",
    "tmp",
    "usr/bin",
    "usr/lib/softboot",
    "usr/sbin",
    "var",
];

/// A root with softbootd and its client, and nothing else: its targets are built in.
pub(super) fn softboot(root: &Path, programs: &Path) -> Result<(), Error> {
    let what = format!("making the root {}", shown(root));
    for directory in DIRECTORIES {
        fs::create_dir_all(root.join(directory)).context(&what)?;
    }
    for (target, name) in [
        ("usr/bin", "bin"),
        ("usr/sbin", "sbin"),
        ("usr/lib", "lib"),
        ("../lib/softboot/softbootd", "usr/sbin/init"),
        ("../run", "var/run"),
    ] {
        symlink(target, root.join(name)).context(&what)?;
    }
    for (program, place) in [
        ("softbootd", "usr/lib/softboot/softbootd"),
        ("softctl", "usr/bin/softctl"),
    ] {
        let from = programs.join(program);
        fs::copy(&from, root.join(place)).context(&format!("copying {}", shown(&from)))?;
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").context(&what)?;
    fs::write(root.join("etc/os-release"), "ID=softboot\nNAME=softboot\n").context(&what)
}

/// A copy, with owners, modes and links.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    let what = format!("copying {} to {}", shown(from), shown(to));
    let output = Command::new("cp")
        .args(["--archive", "--reflink=auto", "--"])
        .args([from, to])
        .stdin(Stdio::null())
        .output()
        .context(&what)?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error {
        what,
        reason: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softbootd_is_the_roots_init() {
        let programs = tempfile::tempdir().unwrap();
        for program in ["softbootd", "softctl"] {
            fs::write(programs.path().join(program), program).unwrap();
        }
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root");
        softboot(&root, programs.path()).unwrap();
        assert_eq!(fs::read_to_string(root.join("sbin/init")).unwrap(), "softbootd");
        let twice = directory.path().join("twice");
        copy(&root, &twice).unwrap();
        assert_eq!(
            fs::read_to_string(twice.join("usr/bin/softctl")).unwrap(),
            "softctl"
        );
        assert!(copy(&directory.path().join("none"), &twice).is_err());
    }
}
