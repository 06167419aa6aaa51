//! `[Mount]`.

use serde::{Deserialize, Serialize};

use super::{ExecContext, KillSettings, Rare, Usec};
use crate::name::UnitName;

/// `[Mount]` with every default applied (systemd.mount(5), semantics 5.6).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MountSection {
    /// `What=`: a device, a path, or what the file system's type understands.
    pub what: String,
    /// `Where=`: an absolute path; the unit's name says the same.
    #[serde(rename = "where")]
    pub where_: String,
    /// `Type=`; empty: the kernel or mount(8) finds out.
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
    pub fs_type: String,
    /// `Options=`, separated by commas.
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
    pub options: String,
    /// `SloppyOptions=`.
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
    pub sloppy_options: bool,
    /// `LazyUnmount=`.
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
    pub lazy_unmount: bool,
    /// `ReadWriteOnly=`: no second try read-only.
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
    pub read_write_only: bool,
    /// `ForceUnmount=`.
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
    pub force_unmount: bool,
    /// `DirectoryMode=` (default 0755) of directories that are made on the way.
    pub directory_mode: u32,
    /// `TimeoutSec=` (default 90 s).
    pub timeout: Usec,
    /// `Slice=`.
    pub slice: UnitName,
    /// The environment of mount(8).
    #[serde(
        default,
        skip_serializing_if = "super::sparse::is_default",
        serialize_with = "super::sparse::serialize"
    )]
    pub exec: Rare<ExecContext>,
    /// How mount(8) is ended.
    #[serde(
        default,
        skip_serializing_if = "super::sparse::is_default",
        serialize_with = "super::sparse::serialize"
    )]
    pub kill: Rare<KillSettings>,
}

/// Types whose file system is at the other end of a network.
const NETWORK_TYPES: [&str; 13] = [
    "afs",
    "ceph",
    "cifs",
    "gfs",
    "gfs2",
    "glusterfs",
    "ncp",
    "ncpfs",
    "nfs",
    "nfs4",
    "ocfs2",
    "smb3",
    "smbfs",
];

impl MountSection {
    /// The section of an empty file named `name`.
    pub fn empty(name: &UnitName) -> MountSection {
        MountSection {
            what: String::new(),
            where_: crate::escape::unescape_path(name.stem()).unwrap_or_default(),
            fs_type: String::new(),
            options: String::new(),
            sloppy_options: false,
            lazy_unmount: false,
            read_write_only: false,
            force_unmount: false,
            directory_mode: 0o755,
            timeout: Usec::from_secs(90),
            slice: UnitName::new("system.slice").unwrap_or_else(|_| name.clone()),
            exec: Rare::default(),
            kill: Rare::default(),
        }
    }

    /// True when `option` is one of the mount's options; `option` has no value, or is meant without it.
    pub fn has_option(&self, option: &str) -> bool {
        self.options
            .split(',')
            .any(|word| word.trim().split('=').next() == Some(option))
    }

    /// The file system is at the other end of a network, by its type or `_netdev`.
    pub fn is_network(&self) -> bool {
        let name = self.fs_type.strip_prefix("fuse.").unwrap_or(&self.fs_type);
        self.has_option("_netdev") || NETWORK_TYPES.contains(&name) || name == "sshfs"
    }

    /// The mount binds a directory or file of another one.
    pub fn is_bind(&self) -> bool {
        self.fs_type == "bind" || self.has_option("bind") || self.has_option("rbind")
    }

    /// Mounts that the system cannot start or go down without: they get no default dependencies.
    pub fn is_extrinsic(&self) -> bool {
        const BELOW: [&str; 5] = ["/dev", "/proc", "/run/initramfs", "/run/nextroot", "/sys"];
        let below = |prefix: &str| {
            self.where_
                .strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        matches!(self.where_.as_str(), "/" | "/usr") || BELOW.into_iter().any(below)
    }

    /// The node below /dev that is mounted, if it is one.
    pub fn device(&self) -> Option<String> {
        if self.is_bind() {
            return None;
        }
        let tagged = [
            ("UUID=", "/dev/disk/by-uuid/"),
            ("LABEL=", "/dev/disk/by-label/"),
            ("PARTUUID=", "/dev/disk/by-partuuid/"),
            ("PARTLABEL=", "/dev/disk/by-partlabel/"),
        ];
        for (tag, directory) in tagged {
            if let Some(value) = self.what.strip_prefix(tag) {
                return Some(format!("{directory}{}", value.trim_matches('"')));
            }
        }
        self.what.starts_with("/dev/").then(|| self.what.clone())
    }
}
