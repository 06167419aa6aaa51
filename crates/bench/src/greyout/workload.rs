//! What runs in every system: one service that echoes, at one socket, from the same files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use softboot_greyout::Endpoint;
use softboot_greyout::endpoint::Peer;

use super::shown;
use crate::error::{Context as _, Error};

/// Where clients find the service.
pub(super) const SOCKET: &str = "/run/echo.sock";
/// Where they find the one that is started for each of them.
pub(super) const ACTIVATED: &str = "/run/activated.sock";
/// Where the unit files lie.
const UNITS: &str = "etc/systemd/system";
/// The program, static, so that it runs in any root.
const PROGRAM: &str = "usr/bin/softboot-scenario";

/// The default dependencies of a service stop it in a soft-reboot and start it after basic.target. It stays as it is,
/// started by its target and by its socket, whichever comes first. On a fast machine five soft-reboots are over in the ten
/// seconds in which a service may start five times, and that counts on through them.
const SERVICE: &str = "[Unit]
Requires=echo.socket
StartLimitIntervalSec=0

[Service]
ExecStart=/usr/bin/softboot-scenario --serve
";

/// What happens to the socket in a soft-reboot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Case {
    /// It stays open: clients wait.
    Kept,
    /// It is closed and opened again: clients are refused meanwhile.
    Stopped,
    /// Kept, beside 10 idle sockets with a service each, which are closed and opened again.
    Idle10,
    /// The same with 100.
    Idle100,
    /// The same with 500.
    Idle500,
    /// Kept, beside a service that has 16 descriptors stored and gets them back.
    Stored16,
    /// The same with 1,000.
    Stored1000,
    /// Kept, beside a service that takes three seconds to stop.
    SlowStop,
    /// Kept, beside a service that takes two seconds to start.
    SlowStart,
    /// The manager alone is replaced; a service is started for each connection to a socket with `Accept=yes`.
    Reexec,
}

/// What happens to a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    SoftReboot,
    Reexec,
}

impl Event {
    /// In results.
    pub(super) fn name(self) -> &'static str {
        match self {
            Event::SoftReboot => "soft-reboot",
            Event::Reexec => "re-exec",
        }
    }

    /// The verb of both managers' clients.
    pub(super) fn verb(self) -> &'static str {
        match self {
            Event::SoftReboot => "soft-reboot",
            Event::Reexec => "daemon-reexec",
        }
    }
}

/// A unit: its name, its file, and what wants it.
type Unit = (String, String, Option<&'static str>);

impl Case {
    /// In results.
    pub fn name(self) -> &'static str {
        match self {
            Case::Kept => "kept",
            Case::Stopped => "stopped",
            Case::Idle10 => "idle10",
            Case::Idle100 => "idle100",
            Case::Idle500 => "idle500",
            Case::Stored16 => "stored16",
            Case::Stored1000 => "stored1000",
            Case::SlowStop => "slow-stop",
            Case::SlowStart => "slow-start",
            Case::Reexec => "reexec",
        }
    }

    pub(super) fn event(self) -> Event {
        match self {
            Case::Reexec => Event::Reexec,
            _ => Event::SoftReboot,
        }
    }

    /// The socket that is probed.
    pub(super) fn probed(self) -> &'static str {
        match self {
            Case::Reexec => ACTIVATED,
            _ => SOCKET,
        }
    }

    /// The same endpoint where the socket is at `path`.
    pub(super) fn endpoint(self, path: PathBuf) -> Endpoint {
        match self {
            Case::Reexec => Endpoint::Activation(Peer::Unix(path)),
            _ => Endpoint::UnixEcho(path),
        }
    }

    /// The time between two connections. A process for each is more than a machine starts in a millisecond.
    pub(super) fn interval(self) -> Duration {
        match self {
            Case::Reexec => Duration::from_millis(10),
            _ => Duration::from_millis(1),
        }
    }

    /// What there is beside the service that is probed.
    fn beside(self) -> Vec<Unit> {
        match self {
            Case::Kept | Case::Stopped => Vec::new(),
            Case::Reexec => vec![
                (
                    "activated.socket".to_owned(),
                    format!(
                        "[Socket]\nListenStream={ACTIVATED}\nAccept=yes\nTriggerLimitIntervalSec=0\n\
                         PollLimitIntervalSec=0\n"
                    ),
                    Some("sockets.target"),
                ),
                (
                    "activated@.service".to_owned(),
                    format!("[Service]\nExecStart={SELF} --answer\nStandardInput=socket\n"),
                    None,
                ),
            ],
            Case::Idle10 => idle(10),
            Case::Idle100 => idle(100),
            Case::Idle500 => idle(500),
            Case::Stored16 => stored(16),
            Case::Stored1000 => stored(1000),
            Case::SlowStop => vec![(
                "slow.service".to_owned(),
                format!("[Service]\nExecStart={SELF} --sleep 100000\nExecStop={SELF} --sleep 3\n"),
                Some("multi-user.target"),
            )],
            Case::SlowStart => vec![(
                "slow.service".to_owned(),
                format!("[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart={SELF} --sleep 2\n"),
                Some("multi-user.target"),
            )],
        }
    }

    fn socket(self) -> String {
        let (unit, defer) = match self {
            // Without DeferTrigger= a connection that comes while everything stops fails the socket.
            Case::Stopped => ("", ""),
            _ => ("[Unit]\nDefaultDependencies=no\n\n", "DeferTrigger=yes\n"),
        };
        format!(
            "{unit}[Socket]\nListenStream={SOCKET}\nTriggerLimitIntervalSec=0\nPollLimitIntervalSec=0\n{defer}"
        )
    }
}

/// The program, in the root.
const SELF: &str = "/usr/bin/softboot-scenario";

fn idle(count: usize) -> Vec<Unit> {
    let units = (0..count).flat_map(|number| {
        [
            (
                format!("idle-{number}.socket"),
                format!("[Socket]\nListenStream=/run/idle/{number}\n"),
                Some("sockets.target"),
            ),
            (
                format!("idle-{number}.service"),
                format!("[Service]\nExecStart={SELF} --serve\n"),
                None,
            ),
        ]
    });
    units.collect()
}

fn stored(count: usize) -> Vec<Unit> {
    let service = format!(
        "[Unit]\nStartLimitIntervalSec=0\n\n\
         [Service]\nType=notify\nExecStart={SELF} --hold {count}\nFileDescriptorStoreMax={count}\n\
         FileDescriptorStorePreserve=yes\nLimitNOFILE=infinity\n"
    );
    vec![("holder.service".to_owned(), service, Some("multi-user.target"))]
}

/// Puts program and units into a root.
pub(super) fn install(root: &Path, case: Case, program: &Path) -> Result<(), Error> {
    let to = root.join(PROGRAM);
    fs::copy(program, &to).context(&format!("copying {} to {}", shown(program), shown(&to)))?;
    let units = root.join(UNITS);
    let probed = [
        ("echo.socket".to_owned(), case.socket(), Some("sockets.target")),
        (
            "echo.service".to_owned(),
            SERVICE.to_owned(),
            Some("multi-user.target"),
        ),
    ];
    for (unit, text, wanted_by) in probed.into_iter().chain(case.beside()) {
        let what = format!("writing {unit} in {}", shown(&units));
        fs::create_dir_all(&units).context(&what)?;
        fs::write(units.join(&unit), text).context(&what)?;
        if let Some(wanted_by) = wanted_by {
            let wants = units.join(format!("{wanted_by}.wants"));
            fs::create_dir_all(&wants).context(&what)?;
            symlink(Path::new("..").join(&unit), wants.join(&unit)).context(&what)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beside_the_service_is_wanted_by_what_is_booted() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("usr/bin")).unwrap();
        install(root.path(), Case::Idle100, Path::new("/bin/true")).unwrap();
        let wanted = fs::read_dir(root.path().join(UNITS).join("sockets.target.wants")).unwrap();
        assert_eq!(wanted.count(), 101);
        assert!(Case::SlowStop.beside()[0].1.contains("--sleep 3"));
    }

    #[test]
    fn both_cases_differ_in_the_socket_alone() {
        let read = |case| {
            let root = tempfile::tempdir().unwrap();
            fs::create_dir_all(root.path().join("usr/bin")).unwrap();
            install(root.path(), case, Path::new("/bin/true")).unwrap();
            let units = root.path().join(UNITS);
            let wanted = fs::read_to_string(units.join("sockets.target.wants/echo.socket")).unwrap();
            (wanted, fs::read_to_string(units.join("echo.service")).unwrap())
        };
        let ((kept, one), (stopped, other)) = (read(Case::Kept), read(Case::Stopped));
        assert_eq!(one, other);
        assert!(kept.contains("DefaultDependencies=no") && !stopped.contains("DefaultDependencies"));
        assert!(
            [&kept, &stopped]
                .iter()
                .all(|text| text.contains(&format!("ListenStream={SOCKET}")))
        );
    }
}
