//! Taking apart what units have left: swap, mounts, loop devices, device-mapper devices.
//!
//! What is stacked comes off from the top: a mount on a loop device on a file on a mount. One round goes over
//! everything, the mount table from its end; another one follows only if the last one got somewhere. What stays is
//! made read-only. All of it may wait for a disk, so it runs on a thread, and says what it does.

use std::ffi::CString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags, mount_remount, unmount};
use softboot_sys::{device_mapper, loop_device, swap};

use crate::mount_table::{self, MountLine};

/// Does it all. `say` gets a line about each step.
pub(super) fn tear_down(say: &mut dyn FnMut(String)) {
    rustix::fs::sync();
    while round(say) {}
    for mount in mount_table::read().iter().rev().filter(|mount| !is_kept(mount)) {
        let point = mount.point.display();
        match mount_remount(&mount.point, MountFlags::RDONLY, c"") {
            Ok(()) => say(format!("{point} is in use and read-only now")),
            Err(error) => say(format!("{point} is in use and stays as it is: {error}")),
        }
    }
    rustix::fs::sync();
}

/// One round; true if it got somewhere.
fn round(say: &mut dyn FnMut(String)) -> bool {
    let mut done: Vec<String> = Vec::new();
    done.extend(swaps_off());
    for mount in mount_table::read().iter().rev().filter(|mount| !is_kept(mount)) {
        if mount.point != Path::new("/") && unmount(&mount.point, UnmountFlags::NOFOLLOW).is_ok() {
            done.push(format!("unmounted {}", mount.point.display()));
        }
    }
    done.extend(loops_off());
    done.extend(mapped_off());
    let progress = !done.is_empty();
    done.into_iter().for_each(say);
    progress
}

/// The kernel's own file systems, and what lives in memory and goes with it.
fn is_kept(mount: &MountLine) -> bool {
    const KINDS: [&str; 9] = [
        "proc",
        "sysfs",
        "devtmpfs",
        "devpts",
        "cgroup2",
        "rootfs",
        "ramfs",
        "securityfs",
        "mqueue",
    ];
    KINDS.contains(&mount.kind.as_str())
        || ["/run", "/tmp", "/dev/shm"]
            .iter()
            .any(|kept| mount.point == Path::new(kept))
}

fn swaps_off() -> Vec<String> {
    let table = fs::read_to_string("/proc/swaps").unwrap_or_default();
    let areas = table
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next());
    let off = areas.filter(|area| CString::new(*area).is_ok_and(|path| swap::swap_off(&path).is_ok()));
    off.map(|area| format!("swap on {area} is off")).collect()
}

/// Block devices whose name begins so.
fn devices(prefix: &str) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir("/sys/block").into_iter().flatten().flatten();
    let named = entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())));
    named.filter(|(name, _)| name.starts_with(prefix)).collect()
}

fn loops_off() -> Vec<String> {
    let attached = |path: &Path| path.join("loop/backing_file").exists();
    let mut done = Vec::new();
    for (name, path) in devices("loop").into_iter().filter(|(_, path)| attached(path)) {
        let device = File::open(Path::new("/dev").join(&name));
        let asked = device.map(|device| loop_device::detach(&device));
        // Of one that is in use the kernel says that it will be detached later.
        if matches!(asked, Ok(Ok(()))) && !attached(&path) {
            done.push(format!("detached {name}"));
        }
    }
    done
}

fn mapped_off() -> Vec<String> {
    let mut done = Vec::new();
    let Ok(control) = File::options().read(true).write(true).open("/dev/mapper/control") else {
        return done;
    };
    for (name, path) in devices("dm-") {
        let numbers = fs::read_to_string(path.join("dev")).unwrap_or_default();
        let Some((major, minor)) = numbers.trim().split_once(':') else {
            continue;
        };
        if let (Ok(major), Ok(minor)) = (major.parse(), minor.parse())
            && device_mapper::remove(&control, major, minor).is_ok()
        {
            done.push(format!("removed {name}"));
        }
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_the_kernels_own_stay() {
        let mount = |point: &str, kind: &str| MountLine {
            id: 1,
            point: point.into(),
            kind: kind.to_owned(),
        };
        assert!(is_kept(&mount("/proc", "proc")) && is_kept(&mount("/run", "tmpfs")));
        assert!(!is_kept(&mount("/run/m", "tmpfs")) && !is_kept(&mount("/", "ext4")));
    }
}
