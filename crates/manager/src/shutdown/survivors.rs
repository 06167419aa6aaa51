//! Who survives the final kill though no setting of a unit says so (semantics 7.5).
//!
//! | rule | holds for |
//! |---|---|
//! | `user.survive_final_kill_signal` on a cgroup | a soft-reboot: every process in it and below it, so what a survivor delegates inherits it |
//! | user root, and a name (`argv[0]`) that begins with `@` | every end: it is how daemons of the root's own storage ask to be left alone |
//!
//! PID 1, kernel threads and processes outside of our part of the cgroup tree are never looked at.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use softboot_engine::{Event, UnitId};

use super::KernelThreads;
use crate::cgroup;
use crate::run::Manager;

const MARK: &str = "user.survive_final_kill_signal";

/// What was found before the first signal. Who comes later survives only inside a spared group.
#[derive(Debug, Default)]
pub(crate) struct Marked {
    /// Groups with the mark.
    pub(super) groups: Vec<PathBuf>,
    /// Processes with the name, and their group.
    pub(super) processes: BTreeMap<i32, PathBuf>,
    /// All others outside of marked groups, but for this one.
    pub(super) others: Vec<(PathBuf, i32)>,
}

impl Marked {
    /// Looks at everything below `root`; at marks only if they count.
    pub(super) fn look(root: &Path, marks: bool, kernel_threads: &KernelThreads) -> Marked {
        let mut found = Marked::default();
        let own = rustix::process::getpid().as_raw_nonzero().get();
        for group in cgroup::subtree(root) {
            if found.is_spared(&group) {
                continue;
            }
            if marks && is_marked(&group) {
                found.groups.push(group);
                continue;
            }
            for pid in kernel_threads.others(&group, root) {
                if pid == own {
                    continue;
                }
                if is_of_storage(pid) {
                    found.processes.insert(pid, group.clone());
                } else {
                    found.others.push((group.clone(), pid));
                }
            }
        }
        found
    }

    fn is_spared(&self, group: &Path) -> bool {
        self.groups.iter().any(|marked| group.starts_with(marked))
    }
}

impl Manager {
    /// The engine asks whose main process will be there after the final kill.
    pub(crate) fn find_survivors(&mut self) {
        let marked = Marked::look(self.cgroups.root(), true, &self.kernel_threads);
        let units = self.who_survives(&marked);
        self.marked = Some(marked);
        self.feed(Event::SurvivorsFound { units });
    }

    /// Units whose main process is in a marked group, or says itself that it survives.
    pub(crate) fn marked_survivors(&self) -> Vec<UnitId> {
        self.who_survives(&Marked::look(self.cgroups.root(), true, &self.kernel_threads))
    }

    fn who_survives(&self, marked: &Marked) -> Vec<UnitId> {
        let mains = self.engine.processes().into_iter().filter(|(_, _, main)| *main);
        mains
            .filter(|(process, _, _)| {
                let Some(pid) = self.processes.get(*process).map(|process| process.pid) else {
                    return false;
                };
                let group = cgroup::of_process(pid).map(|path| cgroup::absolute(&path));
                marked.processes.contains_key(&pid) || group.is_some_and(|group| marked.is_spared(&group))
            })
            .map(|(_, unit, _)| unit)
            .collect()
    }
}

fn is_marked(group: &Path) -> bool {
    let mut value = [0; 8];
    let Ok(length) = rustix::fs::getxattr(group, MARK, &mut value) else {
        return false;
    };
    value.get(..length).is_some_and(is_yes)
}

fn is_yes(value: &[u8]) -> bool {
    let yes: [&[u8]; 6] = [b"1", b"y", b"yes", b"t", b"true", b"on"];
    yes.iter().any(|word| word.eq_ignore_ascii_case(value))
}

fn is_of_storage(pid: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    // The owner first: it is known without a look into the memory of a process that may hang.
    real_user(&status) == Some(0)
        && fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.first() == Some(&b'@'))
}

/// The first number of `Uid:` in proc_pid_status(5).
fn real_user(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_a_marked_group_inherits_the_mark() {
        let marked = Marked {
            groups: vec!["/c/a.service".into()],
            ..Marked::default()
        };
        assert!(marked.is_spared(Path::new("/c/a.service/payload")));
        assert!(!marked.is_spared(Path::new("/c/a.services")) && !marked.is_spared(Path::new("/c")));
    }

    #[test]
    fn marks_are_booleans_and_users_numbers() {
        assert!(is_yes(b"1") && is_yes(b"Yes") && !is_yes(b"0") && !is_yes(b""));
        assert_eq!(real_user("Name:\tx\nUid:\t7\t8\t8\t8\n"), Some(7));
        assert_eq!(real_user("Name:\tx\n"), None);
    }
}
