//! What could leak, counted.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::processes;
use crate::error::{Context, Error};

/// What there is at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Census {
    /// PID 1's open descriptors, by what they refer to, without their numbers.
    pub(super) descriptors: BTreeMap<String, usize>,
    /// How many cgroups.
    pub(super) cgroups: usize,
    /// Mount points, with how often each is mounted over.
    pub(super) mounts: BTreeMap<String, usize>,
    /// Names of processes that have ended and were not waited for.
    pub(super) zombies: Vec<String>,
}

impl Census {
    /// Counts now.
    pub(super) fn take() -> Result<Census, Error> {
        let zombies = processes::all()?
            .into_iter()
            .filter(|process| process.state == 'Z')
            .map(|process| process.name);
        Ok(Census {
            descriptors: descriptors()?,
            cgroups: count_directories(Path::new("/sys/fs/cgroup")),
            mounts: mounts()?,
            zombies: zombies.collect(),
        })
    }

    /// What there is now and was not, or more often than it was; empty: nothing leaked.
    pub(super) fn grown_since(&self, before: &Census) -> Vec<String> {
        let mut grown = Vec::new();
        let kinds = [
            ("descriptor of PID 1", &self.descriptors, &before.descriptors),
            ("mount", &self.mounts, &before.mounts),
        ];
        for (kind, now, then) in kinds {
            for (name, &count) in now {
                let old = then.get(name).copied().unwrap_or(0);
                // PID 1's journal goes on from one image, once it has become long.
                let old = if name.starts_with(IMAGE) { old.max(1) } else { old };
                if count > old {
                    grown.push(format!("{kind} {name}: {old} before, {count} now"));
                }
            }
        }
        if self.cgroups > before.cgroups {
            grown.push(format!(
                "cgroups: {} before, {} now",
                before.cgroups, self.cgroups
            ));
        }
        grown.extend(self.zombies.iter().map(|name| format!("zombie {name}")));
        grown
    }
}

/// The name of the memory file with the state that a journal begins with.
const IMAGE: &str = "/memfd:softboot-image";

fn descriptors() -> Result<BTreeMap<String, usize>, Error> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir("/proc/1/fd").doing("reading /proc/1/fd")?.flatten() {
        // Sockets and pipes have numbers of their own, which a new one of the same use does not share.
        let target = fs::read_link(entry.path())
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let kind = target
            .split_once(":[")
            .map_or(target.as_str(), |(kind, _)| kind)
            .to_owned();
        *found.entry(kind).or_insert(0) += 1;
    }
    Ok(found)
}

fn mounts() -> Result<BTreeMap<String, usize>, Error> {
    let table = fs::read_to_string("/proc/1/mountinfo").doing("reading /proc/1/mountinfo")?;
    let mut found = BTreeMap::new();
    for point in table.lines().filter_map(|line| line.split(' ').nth(4)) {
        *found.entry(point.to_owned()).or_insert(0) += 1;
    }
    Ok(found)
}

fn count_directories(path: &Path) -> usize {
    let Ok(entries) = fs::read_dir(path) else { return 0 };
    entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| 1 + count_directories(&entry.path()))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn census(fds: usize, cgroups: usize) -> Census {
        let descriptors = BTreeMap::from([("socket".to_owned(), fds)]);
        Census {
            descriptors,
            cgroups,
            mounts: BTreeMap::new(),
            zombies: Vec::new(),
        }
    }

    #[test]
    fn only_growth_is_a_leak() {
        assert!(census(3, 4).grown_since(&census(3, 5)).is_empty());
        assert_eq!(census(4, 4).grown_since(&census(3, 4)).len(), 1);
        let with_zombie = Census {
            zombies: vec!["x".into()],
            ..census(3, 4)
        };
        assert_eq!(with_zombie.grown_since(&census(3, 4)), ["zombie x"]);
    }
}
