//! The end of the machine, or of the container.

use std::fs;
use std::sync::mpsc;
use std::time::Duration;

use rustix::mount::{MountFlags, UnmountFlags, mount_remount, unmount};
use rustix::system::RebootCommand;
use softboot_engine::{Event, Objective};
use tracing::{error, info, warn};

use crate::run::Manager;

/// A disk that does not answer must not keep the machine from ending.
const SYNC_LIMIT: Duration = Duration::from_secs(30);

impl Manager {
    /// Ends it. Returns only when the kernel refused.
    pub(crate) fn end_machine(&mut self, objective: Objective) {
        info!("ending: {objective:?}");
        if !self.facts.container {
            sync_with_limit();
            unmount_all();
        }
        if self.facts.container && objective == Objective::Exit {
            std::process::exit(0);
        }
        // In a PID namespace reboot(2) ends the namespace and tells its parent which way (pid_namespaces(7)).
        let command = match objective {
            Objective::Reboot => RebootCommand::Restart,
            Objective::Kexec => RebootCommand::Kexec,
            Objective::Halt => RebootCommand::Halt,
            Objective::PowerOff | Objective::Exit | Objective::SoftReboot => RebootCommand::PowerOff,
        };
        let refused = rustix::system::reboot(command);
        if let Err(error) = refused {
            let reason = format!("the kernel refused to end ({objective:?}): {error}");
            error!("{reason}");
            self.objective = None;
            self.feed(Event::ObjectiveAborted { reason });
            self.request_default();
        }
    }
}

fn sync_with_limit() {
    let (done, waiting) = mpsc::channel();
    let spawned = std::thread::Builder::new()
        .name("sync".to_owned())
        .spawn(move || {
            rustix::fs::sync();
            let _ = done.send(());
        });
    if spawned.is_err() || waiting.recv_timeout(SYNC_LIMIT).is_err() {
        warn!(
            "not everything could be written to disk in {} s",
            SYNC_LIMIT.as_secs()
        );
    }
}

/// Unmounts what can be, last mounted first; the root becomes read-only.
fn unmount_all() {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    for (target, kind) in text.lines().rev().filter_map(mount_line) {
        if is_api(&target, kind) {
            continue;
        }
        if target != "/" && unmount(target.as_str(), UnmountFlags::empty()).is_ok() {
            continue;
        }
        let flags = MountFlags::RDONLY;
        if let Err(error) = mount_remount(target.as_str(), flags, c"") {
            info!("{target} stays mounted: {error}");
        }
    }
}

/// The mount points of a mount table, in its order.
pub(crate) fn mount_points(table: &str) -> impl Iterator<Item = String> {
    table.lines().filter_map(mount_line).map(|(target, _)| target)
}

/// Mount point and type of a line of mountinfo (proc_pid_mountinfo(5)).
fn mount_line(line: &str) -> Option<(String, &str)> {
    let target = line.split_whitespace().nth(4)?;
    let kind = line.split_once(" - ")?.1.split_whitespace().next()?;
    Some((unescape(target), kind))
}

/// `\040` and friends: a backslash and three octal digits stand for one byte.
fn unescape(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut out = parts.next().unwrap_or("").as_bytes().to_vec();
    for part in parts {
        let value = part
            .get(..3)
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match value {
            Some(value) => {
                out.push(value);
                out.extend(part.bytes().skip(3));
            }
            None => {
                out.push(b'\\');
                out.extend(part.bytes());
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn is_api(target: &str, kind: &str) -> bool {
    const KINDS: [&str; 8] = [
        "proc",
        "sysfs",
        "devtmpfs",
        "devpts",
        "cgroup2",
        "rootfs",
        "ramfs",
        "securityfs",
    ];
    KINDS.contains(&kind) || ["/run", "/tmp", "/dev/shm"].contains(&target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_line_gives_its_place_and_type() {
        let line = r"36 35 98:0 /mnt1 /a\040b rw,noatime master:1 - ext3 /dev/root rw";
        assert_eq!(mount_line(line), Some(("/a b".to_owned(), "ext3")));
        assert_eq!(mount_line("garbage"), None);
    }

    #[test]
    fn what_is_no_escape_stays() {
        assert_eq!(unescape(r"/x\y\134z"), r"/x\y\z");
    }
}
