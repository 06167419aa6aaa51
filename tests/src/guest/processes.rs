//! The processes of the system, from /proc.

use std::collections::BTreeSet;
use std::fs;

use crate::error::{Context, Error};

/// A process; the start time makes the PID unique.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Process {
    pub(super) pid: i32,
    /// Clock ticks after boot.
    pub(super) start: u64,
    pub(super) parent: i32,
    pub(super) state: char,
    pub(super) name: String,
    /// The path of its cgroup.
    pub(super) cgroup: String,
}

impl Process {
    /// Kernel threads are children of kthreadd, which is PID 2 where it is visible at all.
    fn is_kernel_thread(&self) -> bool {
        self.parent == 2 || (self.pid == 2 && self.parent == 0)
    }

    /// Whether it belongs to this unit.
    pub(super) fn is_of(&self, unit: &str) -> bool {
        self.cgroup.split('/').any(|part| part == unit)
    }
}

/// One process, if it (still) lives.
pub(super) fn process(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (name, start, parent, state) = parse_stat(&stat)?;
    let cgroup = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let cgroup = cgroup
        .lines()
        .find_map(|line| line.strip_prefix("0::"))
        .unwrap_or_default()
        .to_owned();
    Some(Process {
        pid,
        start,
        parent,
        state,
        name,
        cgroup,
    })
}

/// Every process of userspace.
pub(super) fn all() -> Result<BTreeSet<Process>, Error> {
    let directory = fs::read_dir("/proc").doing("reading /proc")?;
    let pids = directory.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(pids
        .filter_map(process)
        .filter(|process| !process.is_kernel_thread())
        .collect())
}

/// Name, start time, parent and state of a line of /proc/PID/stat (proc_pid_stat(5)); the name may hold anything.
fn parse_stat(stat: &str) -> Option<(String, u64, i32, char)> {
    let (before, after) = stat.rsplit_once(')')?;
    let name = before.split_once('(')?.1.to_owned();
    let fields: Vec<&str> = after.split_ascii_whitespace().collect();
    let state = fields.first()?.chars().next()?;
    Some((
        name,
        fields.get(19)?.parse().ok()?,
        fields.get(1)?.parse().ok()?,
        state,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks_is_no_obstacle() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 4242 0 0";
        assert_eq!(parse_stat(stat), Some(("a) b (c".to_owned(), 4242, 1, 'S')));
    }

    #[test]
    fn the_own_process_is_among_all() {
        let own = process(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert!(
            all()
                .unwrap()
                .iter()
                .any(|other| (other.pid, other.start) == (own.pid, own.start))
        );
    }
}
