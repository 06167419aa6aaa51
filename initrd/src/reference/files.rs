//! The files that no package has because maintainer scripts, the installer or the first boot make them.

use super::Error;
use super::tool::{Tool, checked};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// Links that the distribution's base package has, for roots without it: everything lies below /usr.
const LINKS: [(&str, &str); 4] = [
    ("bin", "usr/bin"),
    ("sbin", "usr/sbin"),
    ("lib", "usr/lib"),
    ("lib64", "usr/lib64"),
];

/// Mount points, and what has to be there to boot.
const DIRECTORIES: [&str; 13] = [
    "dev",
    "etc/systemd/system",
    "proc",
    "root",
    "run",
    "sys",
    "tmp",
    "usr/bin",
    "usr/lib64",
    "usr/sbin",
    "var/lib",
    "var/log",
    "var/tmp",
];

/// What the maintainer scripts of the stock form's packages enable when they are installed. Presets would enable more.
const ENABLED: [&str; 9] = [
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "fstrim.timer",
    "getty@.service",
    "remote-fs.target",
    "systemd-pstore.service",
    "systemd-timesyncd.service",
    "systemd-userdbd.socket",
    "tpm-udev.path",
];

/// Any will do; that there is one says that this is not the first boot.
const MACHINE_ID: &str = "5f0e1d2c3b4a49588776655443322110\n";
const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n";
const GROUP: &str = "root:x:0:\nnogroup:x:65534:\n";

/// What has to be there before packages are unpacked, so that their files below /bin come to lie in /usr/bin.
pub(super) fn links(root: &Path) -> Result<(), Error> {
    for directory in DIRECTORIES {
        let path = root.join(directory);
        fs::create_dir_all(&path).map_err(Error::of_file(&path))?;
    }
    for (name, target) in LINKS {
        let path = root.join(name);
        symlink(target, &path).map_err(Error::of_file(&path))?;
    }
    Ok(())
}

/// What every form needs to boot.
pub(super) fn base(root: &Path, version: &str) -> Result<(), Error> {
    write(root, "etc/machine-id", MACHINE_ID)?;
    write(root, "etc/hostname", "reference\n")?;
    for (file, own, master) in [
        ("etc/passwd", PASSWD, "usr/share/base-passwd/passwd.master"),
        ("etc/group", GROUP, "usr/share/base-passwd/group.master"),
    ] {
        let text = fs::read_to_string(root.join(master)).unwrap_or_else(|_| own.to_owned());
        write(root, file, &text)?;
    }
    if !root.join("etc/os-release").exists() {
        let text = format!("ID=reference\nNAME=\"systemd {version}\"\n");
        write(root, "etc/os-release", &text)?;
    }
    for (name, target) in [("var/run", "../run"), ("usr/sbin/init", "../lib/systemd/systemd")] {
        let path = root.join(name);
        // systemd-sysv and base-files have them.
        if path.symlink_metadata().is_err() {
            symlink(target, &path).map_err(Error::of_file(&path))?;
        }
    }
    Ok(())
}

/// What the maintainer scripts of systemd, dbus and udev come to: users, and what is enabled.
pub(super) fn as_installed(root: &Path) -> Result<(), Error> {
    let option = format!("--root={}", root.display());
    let run = |program: &str, arguments: &[&str]| {
        let mut command = Tool::of(root, program)?.command();
        checked(command.arg(&option).args(arguments))
    };
    run("/usr/bin/systemd-sysusers", &[])?;
    let enable: Vec<&str> = std::iter::once("enable").chain(ENABLED).collect();
    run("/usr/bin/systemctl", &enable)
}

pub(super) fn write(root: &Path, name: &str, text: &str) -> Result<(), Error> {
    let path = root.join(name);
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(Error::of_file(directory))?;
    }
    fs::write(&path, text).map_err(Error::of_file(&path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_gets_what_it_needs_to_boot_and_keeps_what_packages_brought() {
        let root = tempfile::tempdir().unwrap();
        links(root.path()).unwrap();
        write(root.path(), "etc/os-release", "ID=mine\n").unwrap();
        write(
            root.path(),
            "usr/share/base-passwd/passwd.master",
            "root:*:0:0::/:/x\n",
        )
        .unwrap();
        base(root.path(), "262-1").unwrap();
        let read = |name: &str| fs::read_to_string(root.path().join(name)).unwrap();
        assert_eq!(
            (read("etc/os-release"), read("etc/passwd")),
            ("ID=mine\n".into(), "root:*:0:0::/:/x\n".into())
        );
        assert_eq!(read("etc/group"), GROUP);
        assert_eq!(read("etc/machine-id").trim().len(), 32);
        let init = fs::read_link(root.path().join("sbin/init")).unwrap();
        assert_eq!(init, Path::new("../lib/systemd/systemd"));
    }
}
