//! A disk image as the next root: a loop device, and the first of the kernel's file systems that finds itself in it.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string,
    fsmount, fsopen,
};
use softboot_sys::loop_device;

/// A mounted image, not attached to any path yet. It goes when this is closed, and its loop device with it.
pub(super) struct Mounted {
    pub(super) mount: OwnedFd,
    /// The file system that was found.
    pub(super) kind: String,
}

/// Mounts a file or a block device.
pub(super) fn mount(path: &Path, is_device: bool) -> Result<Mounted, String> {
    let (file, read_only) = open(path).map_err(|error| format!("it cannot be opened: {error}"))?;
    if is_device {
        return any_file_system(&path.to_string_lossy(), read_only);
    }
    let (device, node) = loop_device::attach(&file, read_only).map_err(no_loop)?;
    let mounted = any_file_system(&node, read_only);
    // Held until here: without a user it would detach itself.
    drop(device);
    mounted
}

fn open(path: &Path) -> io::Result<(File, bool)> {
    match File::options().read(true).write(true).open(path) {
        Ok(file) => Ok((file, false)),
        Err(error)
            if matches!(
                Errno::from_io_error(&error),
                Some(Errno::ACCESS | Errno::ROFS | Errno::PERM)
            ) =>
        {
            File::open(path).map(|file| (file, true))
        }
        Err(error) => Err(error),
    }
}

fn no_loop(error: Errno) -> String {
    match error {
        Errno::NOENT | Errno::NXIO | Errno::NODEV => {
            "there are no loop devices here: load the kernel's module loop, or mount the image yourself"
                .to_owned()
        }
        Errno::PERM | Errno::ACCESS => {
            "loop devices may not be used here: mount the image yourself".to_owned()
        }
        error => format!("a loop device: {error}"),
    }
}

fn any_file_system(node: &str, read_only: bool) -> Result<Mounted, String> {
    let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    let kinds = of_devices(&known);
    for kind in &kinds {
        // Some file systems can only be read, and refuse to be mounted otherwise.
        for read_only in [read_only, true] {
            match try_mount(node, kind, read_only) {
                Ok(mount) => {
                    return Ok(Mounted {
                        mount,
                        kind: (*kind).to_owned(),
                    });
                }
                Err(Errno::ACCESS | Errno::ROFS) if !read_only => {}
                Err(_) => break,
            }
        }
    }
    Err(format!(
        "none of this kernel's file systems is in it ({})",
        kinds.join(", ")
    ))
}

/// The types that live on a device, in the kernel's order (proc_filesystems(5)).
fn of_devices(table: &str) -> Vec<&str> {
    table
        .lines()
        .filter(|line| !line.starts_with("nodev"))
        .map(str::trim)
        .filter(|kind| !kind.is_empty() && *kind != "fuseblk")
        .collect()
}

fn try_mount(node: &str, kind: &str, read_only: bool) -> Result<OwnedFd, Errno> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(context.as_fd(), "source", node)?;
    let mut attributes = MountAttrFlags::empty();
    if read_only {
        fsconfig_set_flag(context.as_fd(), "ro")?;
        attributes |= MountAttrFlags::MOUNT_ATTR_RDONLY;
    }
    fsconfig_create(context.as_fd())?;
    fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// The loop device that this file is attached to and can be written through: its name and its number.
pub(super) fn on_loop_device(stat: &rustix::fs::Stat) -> Option<(String, u64)> {
    let entries = fs::read_dir("/sys/block").ok()?.flatten();
    let attached = entries.filter(|entry| entry.path().join("loop/backing_file").exists());
    attached
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let device = File::open(Path::new("/dev").join(&name)).ok()?;
            let (dev, inode, read_only) = loop_device::attached(&device).ok()?;
            let number = rustix::fs::fstat(&device).ok()?.st_rdev;
            (!read_only && (dev, inode) == (stat.st_dev, stat.st_ino)).then_some((name, number))
        })
        .next()
}

/// True for a block device, false for a file, `None` for what can be neither.
pub(super) fn is_device(stat: &rustix::fs::Stat) -> Option<bool> {
    use rustix::fs::FileType as F;
    match F::from_raw_mode(stat.st_mode) {
        F::RegularFile => Some(false),
        F::BlockDevice => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_file_systems_of_devices_are_tried() {
        let table = "nodev\tsysfs\n\text3\n\tsquashfs\nnodev\ttmpfs\n\tfuseblk\n";
        assert_eq!(of_devices(table), ["ext3", "squashfs"]);
    }

    #[test]
    fn what_is_not_there_is_said() {
        let Err(reason) = mount(Path::new("/nowhere"), false) else {
            panic!("a mount of nothing")
        };
        assert!(reason.contains("cannot be opened"), "{reason}");
    }
}
