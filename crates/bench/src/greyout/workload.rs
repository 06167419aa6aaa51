//! What runs in every system: one service that echoes, at one socket, from the same files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::shown;
use crate::error::{Context as _, Error};

/// Where clients find the service.
pub(super) const SOCKET: &str = "/run/echo.sock";
/// Where the unit files lie.
const UNITS: &str = "etc/systemd/system";
/// The program, static, so that it runs in any root.
const PROGRAM: &str = "usr/bin/softboot-scenario";

/// The default dependencies of a service stop it in a soft-reboot and start it after basic.target. It stays as it is,
/// started by its target and by its socket, whichever comes first.
const SERVICE: &str = "[Unit]
Requires=echo.socket

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
}

impl Case {
    /// In results.
    pub fn name(self) -> &'static str {
        match self {
            Case::Kept => "kept",
            Case::Stopped => "stopped",
        }
    }

    fn socket(self) -> String {
        let (unit, defer) = match self {
            // Without DeferTrigger= a connection that comes while everything stops fails the socket.
            Case::Kept => ("[Unit]\nDefaultDependencies=no\n\n", "DeferTrigger=yes\n"),
            Case::Stopped => ("", ""),
        };
        format!(
            "{unit}[Socket]\nListenStream={SOCKET}\nTriggerLimitIntervalSec=0\nPollLimitIntervalSec=0\n{defer}"
        )
    }
}

/// Puts program and units into a root.
pub(super) fn install(root: &Path, case: Case, program: &Path) -> Result<(), Error> {
    let to = root.join(PROGRAM);
    fs::copy(program, &to).context(&format!("copying {} to {}", shown(program), shown(&to)))?;
    let units = root.join(UNITS);
    for (unit, text, wanted_by) in [
        ("echo.socket", case.socket().as_str(), "sockets.target"),
        ("echo.service", SERVICE, "multi-user.target"),
    ] {
        let wants = units.join(format!("{wanted_by}.wants"));
        let what = format!("writing {unit} in {}", shown(&units));
        fs::create_dir_all(&wants).context(&what)?;
        fs::write(units.join(unit), text).context(&what)?;
        symlink(Path::new("..").join(unit), wants.join(unit)).context(&what)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
