//! What keeps the old root in memory after a change of the root: programs, libraries, directories and files of
//! survivors, and files that PID 1 stores for services.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use softboot_control::api::RootPin;

use super::carry;
use crate::cgroup;

/// More of them would say no more.
const MAX: usize = 200;

/// A unit whose processes live on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Survivor {
    pub(super) unit: String,
    /// Its cgroup as an absolute path.
    pub(super) cgroup: PathBuf,
    /// Numbers of the descriptors that PID 1 stores for it; they are the same in the helper.
    pub(super) stored: Vec<i32>,
}

/// Everything that pins the current root.
pub(super) fn find(survivors: &[Survivor]) -> Vec<RootPin> {
    let mut pins = Vec::new();
    // Who looks may have one of its own by now.
    let mounts = mounts_of("1");
    for survivor in survivors {
        let pin = |pid, what: String| RootPin {
            unit: survivor.unit.clone(),
            pid,
            what,
        };
        for number in &survivor.stored {
            if let Some(path) = on_the_root(&format!("/proc/self/fd/{number}")) {
                pins.push(pin(None, format!("stored file {path}")));
            }
        }
        for group in cgroup::subtree(&survivor.cgroup) {
            for pid in cgroup::processes(&group) {
                pins.extend(
                    of_process(pid, mounts.as_deref())
                        .into_iter()
                        .map(|what| pin(Some(pid), what)),
                );
            }
        }
    }
    pins.truncate(MAX);
    pins
}

/// The mount namespace of a process, where it can be looked at.
fn mounts_of(process: &str) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{process}/ns/mnt")).ok()
}

/// `mounts` is PID 1's mount namespace.
fn of_process(pid: i32, mounts: Option<&Path>) -> Vec<String> {
    let process = PathBuf::from(format!("/proc/{pid}"));
    let mut found = Vec::new();
    let link = |name: &str| on_the_root(&process.join(name).to_string_lossy());
    let program = link("exe");
    found.extend(program.as_ref().map(|path| format!("program {path}")));
    for (name, what) in [("cwd", "working directory"), ("root", "root directory")] {
        // The change of the root takes along who has it as their own.
        found.extend(
            link(name)
                .filter(|path| path != "/")
                .map(|path| format!("{what} {path}")),
        );
    }
    let own = mounts_of(&pid.to_string());
    if own.is_some() && mounts.is_some() && own.as_deref() != mounts {
        // A RootDirectory= that shows something, or a directory with `:ro`. No change of the root reaches it.
        found.push("mount namespace of its own".to_owned());
    }
    let maps = fs::read_to_string(process.join("maps")).unwrap_or_default();
    let mut files: BTreeMap<String, usize> = BTreeMap::new();
    for path in carry::mapped(&maps).filter(|path| is_on_the_root(path)) {
        if Some(path) != program.as_deref() {
            files.entry(format!("mapped file {path}")).or_default();
        }
    }
    for entry in fs::read_dir(process.join("fd")).into_iter().flatten().flatten() {
        if let Some(path) = on_the_root(&entry.path().to_string_lossy()) {
            *files.entry(format!("open file {path}")).or_default() += 1;
        }
    }
    found.extend(files.into_keys());
    found
}

fn on_the_root(link: &str) -> Option<String> {
    let target = fs::read_link(link).ok()?.into_os_string().into_string().ok()?;
    is_on_the_root(&target).then_some(target)
}

/// Neither a socket or the like, nor below what goes along into the next root.
fn is_on_the_root(path: &str) -> bool {
    path.starts_with('/')
        && !path.starts_with("/memfd:")
        && !path.starts_with("/SYSV")
        && !super::TRANSFERRED
            .iter()
            .any(|api| Path::new(path).starts_with(Path::new("/").join(api.name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_root_pin_it() {
        assert!(is_on_the_root("/usr/bin/x"));
        assert!(is_on_the_root("/runner"));
        for other in [
            "/run/x",
            "/dev/null",
            "/proc/1/stat",
            "socket:[7]",
            "/memfd:x (deleted)",
            "anon_inode:[eventfd]",
        ] {
            assert!(!is_on_the_root(other), "{other}");
        }
    }

    #[test]
    fn a_mount_namespace_of_its_own_keeps_the_root() {
        let mounts = mounts_of("self");
        let pins = |pid| {
            let found = of_process(pid, mounts.as_deref());
            found.iter().any(|what| what.contains("mount namespace"))
        };
        assert!(!pins(rustix::process::getpid().as_raw_nonzero().get()));
        // Not every user may make one.
        let Ok(mut child) = std::process::Command::new("unshare")
            .args(["-m", "sleep", "1000"])
            .spawn()
        else {
            return;
        };
        let pid = i32::try_from(child.id()).unwrap();
        let started = |text: std::io::Result<Vec<u8>>| text.is_ok_and(|text| text.starts_with(b"sleep"));
        while !started(fs::read(format!("/proc/{pid}/cmdline"))) {
            if child.try_wait().unwrap().is_some() {
                return;
            }
            std::thread::yield_now();
        }
        assert!(pins(pid));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn this_process_pins_its_program() {
        let found = of_process(rustix::process::getpid().as_raw_nonzero().get(), None);
        assert!(
            found.iter().any(|what| what.starts_with("program /")),
            "{found:?}"
        );
    }
}
