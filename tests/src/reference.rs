//! The reference itself, in the container form: that it boots, does what it is told, soft-reboots, and leaves nothing.

use std::path::Path;
use std::time::Duration;

use crate::container::{Running, state};
use crate::error::{Context as _, Error};

/// How long a boot may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

/// Boots `root`, a stripped root with systemd which is written to, and soft-reboots it once. Says what held.
///
/// # Errors
/// [`Error::Check`] for the first thing that is not as it must be; the others if it could not be found out.
pub fn check(harness: &Path, root: &Path) -> Result<String, Error> {
    let mut container = Running::start(harness, root, |_| Ok(()))?;
    let first = container.wait_up(0, LIMIT)?;
    hold(
        first.name == "running" && first.soft_reboots == 0,
        format!("booted: {first:?}"),
    )?;
    let asked = container.exec(&["systemctl", "is-system-running"], LIMIT)?;
    let word = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
    hold(word == "running", format!("its own client says {word}"))?;
    let asked = container.exec(&["systemctl", "soft-reboot"], LIMIT)?;
    hold(asked.status.success(), "it takes a soft-reboot".to_owned())?;
    let second = container.wait_up(1, LIMIT)?;
    hold(
        second.soft_reboots == 1 && second.version == first.version,
        format!("soft-rebooted: {second:?}"),
    )?;
    gone(container)?;
    Ok(format!("systemd {}", first.version))
}

/// Boots `root`, which has softbootd, and asks it from outside of its namespaces, where a client is process 0.
///
/// # Errors
/// As [`check`].
pub fn check_outside(harness: &Path, root: &Path) -> Result<(), Error> {
    let mut container = Running::start(harness, root, |_| Ok(()))?;
    let inside = container.wait_up(0, LIMIT)?;
    let outside = state::ask(&container.path(state::SOCKET)).doing("asking softbootd from outside")?;
    hold(
        outside.contains(&inside.version),
        format!("softbootd answers a client outside of its namespaces: {outside}"),
    )?;
    gone(container)
}

/// Nothing of a container is left once it is removed. A cgroup cannot be removed while a process lives in it.
fn gone(container: Running) -> Result<(), Error> {
    let (shared, cgroup) = (container.shared().to_owned(), container.cgroup().to_owned());
    container.remove()?;
    for path in [&shared, &cgroup] {
        hold(!path.exists(), format!("{} is gone", path.display()))?;
    }
    Ok(())
}

fn hold(holds: bool, what: String) -> Result<(), Error> {
    match holds {
        true => Ok(()),
        false => Err(Error::Check(format!("this does not hold: {what}"))),
    }
}
