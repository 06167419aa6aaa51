//! One entry of an image.

use super::{Data, Device};
use std::path::{Path, PathBuf};

/// Where the contents of a file come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// From memory.
    Bytes(Data),
    /// From a file of the host; symbolic links are followed.
    Path(PathBuf),
}

impl From<&[u8]> for Source {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<Vec<u8>> for Source {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<&Path> for Source {
    fn from(path: &Path) -> Self {
        Self::Path(path.into())
    }
}

impl From<PathBuf> for Source {
    fn from(path: PathBuf) -> Self {
        Self::Path(path)
    }
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory {
        /// Nobody asked for it by name: it is the parent of something.
        implied: bool,
    },
    /// A file with its contents.
    File(Data),
    /// A symbolic link with its target.
    Symlink(String),
    /// A device node.
    Device(Device),
    /// One more name of the file with this path (without a leading slash).
    HardLink(String),
}

/// One name in the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Path without a leading slash.
    pub path: String,
    /// Permission bits, without the file type.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// What it is.
    pub kind: Kind,
    /// Who wanted it.
    pub reason: String,
}

impl Entry {
    pub(super) fn new(path: String, mode: u32, kind: Kind, reason: &str) -> Self {
        Self {
            path,
            mode: mode & 0o7777,
            uid: 0,
            gid: 0,
            kind,
            reason: reason.into(),
        }
    }

    /// What it is, for a message.
    pub(super) fn describe(&self) -> String {
        let mode = self.mode;
        match &self.kind {
            Kind::Directory { .. } => format!("directory, mode {mode:04o}"),
            Kind::File(data) => format!("file of {} bytes, mode {mode:04o}", data.len()),
            Kind::Symlink(target) => format!("symbolic link to {target}"),
            Kind::Device(device) => format!("device {}:{}, mode {mode:04o}", device.major, device.minor),
            Kind::HardLink(first) => format!("hard link to /{first}"),
        }
    }
}
