//! The API file systems.

use std::ffi::CStr;

use rustix::fs::{AtFlags, CWD, Mode, StatxAttributes, StatxFlags};
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount};
use tracing::{info, warn};

struct ApiMount {
    target: &'static str,
    kind: &'static str,
    flags: MountFlags,
    options: &'static CStr,
    /// Not every kernel or container has it.
    optional: bool,
}

const NOSUID: MountFlags = MountFlags::NOSUID;
const NODEV: MountFlags = MountFlags::NODEV;
const NOEXEC: MountFlags = MountFlags::NOEXEC;
const STRICTATIME: MountFlags = MountFlags::STRICTATIME;

fn table() -> [ApiMount; 8] {
    let plain = |target, kind, flags, options| ApiMount {
        target,
        kind,
        flags,
        options,
        optional: false,
    };
    [
        plain("/proc", "proc", NOSUID | NODEV | NOEXEC, c""),
        plain("/sys", "sysfs", NOSUID | NODEV | NOEXEC, c""),
        plain("/dev", "devtmpfs", NOSUID | STRICTATIME, c"mode=0755,size=4m"),
        plain(
            "/dev/pts",
            "devpts",
            NOSUID | NOEXEC,
            c"mode=0620,gid=5,ptmxmode=0666",
        ),
        plain("/dev/shm", "tmpfs", NOSUID | NODEV | STRICTATIME, c"mode=1777"),
        plain("/run", "tmpfs", NOSUID | NODEV | STRICTATIME, c"mode=0755"),
        plain("/tmp", "tmpfs", NOSUID | NODEV | STRICTATIME, c"mode=1777"),
        ApiMount {
            target: "/sys/fs/cgroup",
            kind: "cgroup2",
            flags: NOSUID | NODEV | NOEXEC,
            options: c"nsdelegate,memory_recursiveprot",
            optional: false,
        },
    ]
}

/// Mounts what is missing with the usual flags and adopts what is there (initrd hand-over, container, re-exec).
/// A failure is logged and the boot goes on: a machine that is half there can still be looked at.
pub(crate) fn mount_api_file_systems() {
    for entry in table() {
        match ensure(&entry) {
            Ok(true) => info!("mounted {} on {}", entry.kind, entry.target),
            Ok(false) => {}
            Err(error) if entry.optional => {
                info!("{} is not available on {}: {error}", entry.kind, entry.target)
            }
            Err(error) => warn!("cannot mount {} on {}: {error}", entry.kind, entry.target),
        }
    }
}

/// True when it was mounted now, false when something is mounted there already.
fn ensure(entry: &ApiMount) -> Result<bool, Errno> {
    if is_mount_point(entry.target)? {
        return Ok(false);
    }
    let with_options = mount(
        entry.kind,
        entry.target,
        entry.kind,
        entry.flags,
        Some(entry.options),
    );
    match with_options {
        // An older kernel may not know an option; the file system matters more.
        Err(Errno::INVAL) => mount(entry.kind, entry.target, entry.kind, entry.flags, None::<&CStr>),
        other => other,
    }?;
    Ok(true)
}

/// True when `path` is the root of a mount. Makes the directory when it is missing.
pub(crate) fn is_mount_point(path: &str) -> Result<bool, Errno> {
    let found = match stat_attributes(path) {
        Err(Errno::NOENT) => {
            rustix::fs::mkdir(path, Mode::from_raw_mode(0o755))?;
            stat_attributes(path)?
        }
        other => other?,
    };
    Ok(found.contains(StatxAttributes::MOUNT_ROOT))
}

fn stat_attributes(path: &str) -> Result<StatxAttributes, Errno> {
    let stat = rustix::fs::statx(CWD, path, AtFlags::NO_AUTOMOUNT, StatxFlags::BASIC_STATS)?;
    Ok(stat.stx_attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_is_a_mount_point_and_its_directories_are_not() {
        assert_eq!(is_mount_point("/proc"), Ok(true));
        assert_eq!(is_mount_point("/proc/self"), Ok(false));
    }

    #[test]
    fn parents_come_before_what_is_mounted_below_them() {
        let targets: Vec<_> = table().iter().map(|entry| entry.target).collect();
        for (position, target) in targets.iter().enumerate() {
            for later in targets.iter().skip(position) {
                assert!(
                    !target.starts_with(&format!("{later}/")),
                    "{later} must come before {target}"
                );
            }
        }
    }
}
