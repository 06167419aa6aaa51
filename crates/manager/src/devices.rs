//! `.device` units: whether the device is there, by its file, and by udev's database where there is one.
//!
//! Only devices that some unit names have a unit, so there is nothing to enumerate: a unit's name says which path to
//! look at, and the kernel's uevents (udev's, where it runs) say when to look again. The names are the reference's:
//! `dev-sda.device`, `dev-disk-by\x2duuid-….device`, `sys-subsystem-net-devices-eth0.device`, `sys-….device`.
//!
//! udev says more of a device than that it exists: `SYSTEMD_READY=0` keeps it away, `SYSTEMD_WANTS=` names units to
//! start with it.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SocketFlags, SocketType, bind, netlink::SocketAddrNetlink, recv,
    socket_with,
};
use softboot_engine::{Event, UnitId};
use softboot_unit::{JobMode, KindSection, UnitName, escape::unescape_path};

use crate::run::Manager;

/// netlink(7), NETLINK_KOBJECT_UEVENT.
const KOBJECT_UEVENT: u32 = 15;
/// What the kernel sends, and what udev passes on when it has done its part.
const GROUPS: u32 = 1 | 2;
/// There while udev runs.
const UDEV: &str = "/run/udev/control";
const DATABASE: &str = "/run/udev/data";
/// Messages dropped in one turn; each only says that it is time to look.
const BATCH: usize = 256;

/// Tells when devices come and go.
pub(crate) struct Devices {
    socket: Option<OwnedFd>,
    /// Units were loaded, or an event came: it is time to look.
    pub(crate) look: bool,
}

impl Devices {
    /// Without the socket (a kernel or container that has none) devices are looked at when units are loaded only.
    pub(crate) fn open() -> Devices {
        let opened = socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            std::num::NonZeroU32::new(KOBJECT_UEVENT).map(Protocol::from_raw),
        )
        .and_then(|socket| bind(&socket, &SocketAddrNetlink::new(0, GROUPS)).map(|()| socket));
        if let Err(error) = &opened {
            tracing::info!("no events of devices: {error}");
        }
        Devices {
            socket: opened.ok(),
            look: true,
        }
    }

    pub(crate) fn events(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    fn drain(&mut self) {
        let Some(socket) = &self.socket else { return };
        for _ in 0..BATCH {
            match recv(socket, &mut [0_u8; 1][..], RecvFlags::TRUNC) {
                Ok(_) => self.look = true,
                // Events were lost: one look finds all that they were about.
                Err(Errno::NOBUFS) => self.look = true,
                Err(_) => return,
            }
        }
    }
}

/// What is known of a device that is there.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    wants: Vec<UnitName>,
}

impl Manager {
    pub(crate) fn device_events(&mut self) {
        self.devices.drain();
    }

    /// Looks at every device that has a unit, if something may have changed.
    pub(crate) fn look_at_devices(&mut self) {
        if !std::mem::take(&mut self.devices.look) {
            return;
        }
        let units: Vec<(UnitId, UnitName, bool)> = self
            .engine
            .ids()
            .filter_map(|unit| {
                let definition = self.engine.definition(unit)?;
                let device = matches!(definition.kind, KindSection::Device);
                let known = self.engine.active(unit)?.is_active_ish();
                device.then(|| (unit, definition.name.clone(), known))
            })
            .collect();
        let udev = Path::new(UDEV).exists();
        for (unit, name, known) in units {
            let seen = look(&name, udev);
            let present = seen.is_some();
            if present == known {
                continue;
            }
            self.feed(Event::DeviceSeen { unit, present });
            let wants = seen.unwrap_or_default().wants;
            self.load_units(&wants);
            for wanted in wants {
                self.start_own(wanted, JobMode::Fail);
            }
        }
    }
}

fn look(unit: &UnitName, udev: bool) -> Option<Seen> {
    let path = path_of(unit)?;
    let record = record_of(&path);
    // A file of /dev or a place in /sys.
    let exists = path.exists();
    let text = record
        .as_deref()
        .and_then(|record| fs::read_to_string(Path::new(DATABASE).join(record)).ok());
    judge(exists, udev && record.is_some(), text.as_deref())
}

/// Whether a device may be used. `udev` will have a record of it, once it has done its part.
fn judge(exists: bool, udev: bool, record: Option<&str>) -> Option<Seen> {
    if !exists {
        return None;
    }
    let Some(record) = record else {
        return (!udev).then(Seen::default);
    };
    let value = |key: &str| {
        record
            .lines()
            .find_map(|line| line.strip_prefix("E:")?.strip_prefix(key)?.strip_prefix('='))
    };
    if matches!(value("SYSTEMD_READY"), Some("0" | "no" | "false" | "off")) {
        return None;
    }
    let wants = value("SYSTEMD_WANTS").unwrap_or_default().split_whitespace();
    Some(Seen {
        wants: wants.filter_map(|name| UnitName::new(name).ok()).collect(),
    })
}

/// The path that a device unit's name stands for.
fn path_of(unit: &UnitName) -> Option<PathBuf> {
    let path = unescape_path(unit.stem())?;
    // The reference's names for what is below /sys/class or /sys/bus.
    if let Some((subsystem, device)) = path
        .strip_prefix("/sys/subsystem/")
        .and_then(|rest| rest.split_once("/devices/"))
    {
        let class = Path::new("/sys/class").join(subsystem).join(device);
        let bus = Path::new("/sys/bus").join(subsystem).join("devices").join(device);
        return Some(if class.exists() { class } else { bus });
    }
    (path.starts_with("/dev/") || path.starts_with("/sys/")).then(|| PathBuf::from(path))
}

/// The name of udev's record: `b8:0`, `c4:64`, `n2`. Other devices have one as well; nothing here asks for it.
fn record_of(path: &Path) -> Option<String> {
    if path.starts_with("/sys/class/net") {
        let index = fs::read_to_string(path.join("ifindex")).ok()?;
        return Some(format!("n{}", index.trim()));
    }
    let about = fs::metadata(path).ok()?;
    let letter = if about.file_type().is_block_device() {
        'b'
    } else if about.file_type().is_char_device() {
        'c'
    } else {
        return None;
    };
    let (major, minor) = (rustix::fs::major(about.rdev()), rustix::fs::minor(about.rdev()));
    Some(format!("{letter}{major}:{minor}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(name: &str) -> UnitName {
        UnitName::new(name).unwrap()
    }

    #[test]
    fn names_stand_for_paths() {
        let path = |name| path_of(&unit(name)).map(|path| path.to_str().unwrap().to_owned());
        assert_eq!(path("dev-sda1.device").as_deref(), Some("/dev/sda1"));
        assert_eq!(
            path(r"dev-disk-by\x2duuid-a\x2db.device").as_deref(),
            Some("/dev/disk/by-uuid/a-b")
        );
        assert_eq!(
            path("sys-subsystem-net-devices-lo.device").as_deref(),
            Some("/sys/class/net/lo")
        );
        assert_eq!(path("etc-passwd.device"), None, "only devices are looked at");
    }

    #[test]
    fn a_device_that_is_there_is_seen_and_another_is_not() {
        assert!(look(&unit("dev-null.device"), false).is_some());
        assert!(look(&unit("dev-no\\x2dsuch.device"), false).is_none());
        assert!(look(&unit("sys-subsystem-net-devices-lo.device"), false).is_some());
    }

    #[test]
    fn udev_has_the_last_word_where_it_runs() {
        assert!(
            judge(true, false, None).is_some(),
            "without udev to be there is enough"
        );
        assert!(judge(true, true, None).is_none(), "udev has not done its part");
        assert!(judge(true, true, Some("E:SYSTEMD_READY=0\n")).is_none());
        assert!(judge(false, true, Some("I:1\n")).is_none());
        let seen = judge(
            true,
            true,
            Some("I:12\nE:SYSTEMD_WANTS=a.service not/a/unit b.target\nG:systemd\n"),
        );
        assert_eq!(seen.unwrap().wants, [unit("a.service"), unit("b.target")]);
    }

    #[test]
    fn records_are_named_after_numbers() {
        assert_eq!(record_of(Path::new("/dev/null")).as_deref(), Some("c1:3"));
        assert_eq!(record_of(Path::new("/sys/class/net/lo")).as_deref(), Some("n1"));
        assert_eq!(record_of(Path::new("/dev")), None);
    }
}
