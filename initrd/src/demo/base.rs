//! What every system has: directories, device nodes, users.

use super::Error;
use crate::image::{Device, Image};

const REASON: &str = "base system";

/// Directories, and links for the merged /usr (file-hierarchy(7)). First, so that all that follows lands where these
/// links point.
pub(super) fn directories(image: &mut Image) -> Result<(), Error> {
    for (path, target) in [
        ("/bin", "usr/bin"),
        ("/sbin", "usr/sbin"),
        ("/lib", "usr/lib"),
        ("/lib64", "usr/lib64"),
    ] {
        image.add_symlink(path, target, REASON)?;
    }
    for path in [
        "/dev",
        "/etc",
        "/home",
        "/mnt",
        "/opt",
        "/proc",
        "/run",
        "/srv",
        "/sys",
        "/usr/bin",
        "/usr/sbin",
        "/usr/lib",
        "/usr/lib64",
        "/var",
        "/var/cache",
        "/var/lib",
        "/var/log",
        "/var/spool",
    ] {
        image.add_dir(path, 0o755, REASON)?;
    }
    image.add_dir("/root", 0o700, REASON)?;
    for path in ["/tmp", "/var/tmp"] {
        image.add_dir(path, 0o1777, REASON)?;
    }
    image.add_symlink("/var/run", "../run", REASON)?;
    // The kernel opens /dev/console for PID 1 before anything could mount a devtmpfs.
    image.add_device("/dev/console", 0o600, Device::character(5, 1), REASON)?;
    image.add_device("/dev/null", 0o666, Device::character(1, 3), REASON)?;
    Ok(())
}

/// Small files, where nobody gave one.
pub(super) fn files(image: &mut Image) -> Result<(), Error> {
    let files: [(&str, &str); 7] = [
        (
            "/etc/passwd",
            "root:x:0:0:root:/root:/bin/sh\n\
             www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n\
             nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
        ),
        (
            "/etc/group",
            "root:x:0:\ntty:x:5:\nwww-data:x:33:\nnogroup:x:65534:\n",
        ),
        // Without it glibc would look for a name service that is not there.
        (
            "/etc/nsswitch.conf",
            "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n",
        ),
        ("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"),
        ("/etc/hostname", "softboot\n"),
        ("/etc/shells", "/bin/sh\n"),
        (
            "/usr/lib/os-release",
            "NAME=softboot\nID=softboot\nPRETTY_NAME=\"softboot demo image\"\n",
        ),
    ];
    for (path, text) in files {
        if image.get(path).is_none() {
            image.add_file(path, 0o644, text.as_bytes(), REASON)?;
        }
    }
    if image.get("/etc/os-release").is_none() {
        image.add_symlink("/etc/os-release", "../usr/lib/os-release", REASON)?;
    }
    Ok(())
}
