//! The image as a directory: the container form of the guest.

use super::{Error, Image, Kind};
use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, Uid};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

/// What to do with device nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Devices {
    /// Leave them out: a container's manager mounts its own `/dev`.
    Skip,
    /// Make them, which needs CAP_MKNOD.
    Make,
}

impl Image {
    /// Makes the tree below `dir`, which is created if needed and should be empty. As root the owners are set;
    /// else everything belongs to the caller.
    ///
    /// # Errors
    /// Names the path that could not be made.
    pub fn unpack(&self, dir: &Path, devices: Devices) -> Result<(), Error> {
        let as_root = rustix::process::geteuid().is_root();
        let fail = |path: &Path, source| Error::Unpack {
            path: path.into(),
            source,
        };
        std::fs::create_dir_all(dir).map_err(|source| fail(dir, source))?;
        let mut modes = Vec::new();
        // A hard link may sort before the file it names.
        let (links, plain): (Vec<_>, Vec<_>) = self
            .entries()
            .partition(|entry| matches!(entry.kind, Kind::HardLink(_)));
        for entry in plain.into_iter().chain(links) {
            let path = dir.join(&entry.path);
            let made: io::Result<()> = match &entry.kind {
                Kind::Directory { .. } => {
                    modes.push((path.clone(), entry.mode));
                    match std::fs::create_dir(&path) {
                        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
                        other => other,
                    }
                }
                Kind::File(data) => {
                    modes.push((path.clone(), entry.mode));
                    std::fs::write(&path, data)
                }
                Kind::Symlink(target) => symlink(target, &path),
                Kind::HardLink(first) => std::fs::hard_link(dir.join(first), &path),
                Kind::Device(_) if devices == Devices::Skip => continue,
                Kind::Device(device) => {
                    modes.push((path.clone(), entry.mode));
                    let kind = if device.block {
                        FileType::BlockDevice
                    } else {
                        FileType::CharacterDevice
                    };
                    let number = rustix::fs::makedev(device.major, device.minor);
                    rustix::fs::mknodat(CWD, &path, kind, Mode::from_raw_mode(entry.mode), number)
                        .map_err(io::Error::from)
                }
            };
            made.map_err(|source| fail(&path, source))?;
            if as_root {
                let owner = (Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid)));
                rustix::fs::chownat(CWD, &path, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW)
                    .map_err(|source| fail(&path, source.into()))?;
            }
        }
        // Last, and children first: chown clears set-id bits, and a directory may be one that forbids writing.
        for (path, mode) in modes.into_iter().rev() {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode))
                .map_err(|source| fail(&path, source))?;
        }
        Ok(())
    }
}
