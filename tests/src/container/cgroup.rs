//! The container's part of the host's cgroup tree.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::{Context, Error};

/// How long the kernel may take to end killed processes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A cgroup that the harness has made.
#[derive(Debug)]
pub struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// A new one, directly below the host's cgroup2 mount.
    ///
    /// # Errors
    /// [`Error::Usage`] without such a mount; [`Error::Io`] if it cannot be made.
    pub fn create() -> Result<Cgroup, Error> {
        let table = fs::read_to_string("/proc/self/mountinfo").doing("reading /proc/self/mountinfo")?;
        let mount = find_cgroup2(&table).ok_or_else(|| {
            Error::Usage("no cgroup2 file system is mounted; the container needs one".to_owned())
        })?;
        let path = Path::new(mount).join(format!(
            "softboot-test-{}-{}",
            std::process::id(),
            super::running::next_number()
        ));
        fs::create_dir(&path).doing(format!("making {}", path.display()))?;
        Ok(Cgroup { path })
    }

    /// Where it is on the host.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Kills every process in it.
    ///
    /// # Errors
    /// [`Error::Io`] if the kernel refuses.
    pub fn kill(&self) -> Result<(), Error> {
        fs::write(self.path.join("cgroup.kill"), "1")
            .doing(format!("killing what is in {}", self.path.display()))
    }

    /// Removes it with all below it.
    ///
    /// # Errors
    /// [`Error::Io`] if something still lives in it.
    pub fn remove(self) -> Result<(), Error> {
        let begun = Instant::now();
        loop {
            match remove_tree(&self.path) {
                Ok(()) => return Ok(()),
                // Killed processes keep their cgroup busy until they are gone.
                Err(_) if begun.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(10)),
                Err(error) => return Err(error).doing(format!("removing {}", self.path.display())),
            }
        }
    }
}

fn remove_tree(path: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(path)
}

/// The mount point of the first cgroup2 file system of a mountinfo table (proc_pid_mountinfo(5)).
fn find_cgroup2(table: &str) -> Option<&str> {
    table.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        kind.starts_with("cgroup2 ").then(|| mount.split(' ').nth(4))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cgroup2_is_found_beside_the_old_hierarchies() {
        let table = "30 24 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                     31 24 0:27 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw\n";
        assert_eq!(find_cgroup2(table), Some("/sys/fs/cgroup/unified"));
        assert_eq!(find_cgroup2("30 24 0:26 / /sys rw - sysfs sysfs rw\n"), None);
    }
}
