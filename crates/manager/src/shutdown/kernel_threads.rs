//! Which processes of the root cgroup are kernel threads.
//!
//! A machine with many processors has thousands of them, and each look at all processes, of which an end takes several
//! while nobody is answered, would open a file of each. So they are looked at once, by a thread, while all is still
//! answered; later looks ask the kernel for the children of kthreadd, with one file, and believe what was seen of those.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread;

use crate::cgroup;
use crate::handoff::give_way;

/// kthreadd, the parent of all kernel threads but one (itself).
const KTHREADD: i32 = 2;

/// What is known so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct KernelThreads(Arc<OnceLock<BTreeSet<i32>>>);

impl KernelThreads {
    /// Looks at the processes of the group `root`, on a thread.
    pub(super) fn look(root: PathBuf) -> KernelThreads {
        let found = KernelThreads::default();
        let place = Arc::clone(&found.0);
        let thread = thread::Builder::new().name("kernel-threads".to_owned());
        // Without the thread each look opens a file of each process, as if nothing were known.
        let _ = thread.spawn(move || {
            give_way(None);
            let all = cgroup::processes(&root);
            let threads = all.into_iter().filter(|pid| is_kernel_thread(*pid)).collect();
            // It is the only one that sets it.
            let _ = place.set(threads);
        });
        found
    }

    /// The processes of exactly this group that are none.
    pub(super) fn others(&self, group: &Path, root: &Path) -> Vec<i32> {
        let mut all = cgroup::processes(group);
        if group == root {
            let threads = self.among(&all);
            all.retain(|pid| !threads.contains(pid));
        }
        all
    }

    /// Those among these processes of the root group. A number that was a kernel thread's and is no more a child of
    /// kthreadd is looked at again.
    fn among(&self, pids: &[i32]) -> BTreeSet<i32> {
        let seen = self.0.get();
        let children = match seen {
            Some(seen) if !seen.is_empty() => children_of_kthreadd(),
            _ => BTreeSet::new(),
        };
        let known = |pid: i32| children.contains(&pid) && seen.is_some_and(|seen| seen.contains(&pid));
        let pids = pids.iter().copied();
        pids.filter(|pid| known(*pid) || is_kernel_thread(*pid)).collect()
    }
}

/// Empty where the kernel does not say (CONFIG_PROC_CHILDREN).
fn children_of_kthreadd() -> BTreeSet<i32> {
    let text = fs::read_to_string(format!("/proc/{KTHREADD}/task/{KTHREADD}/children"));
    let text = text.unwrap_or_default();
    text.split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect()
}

/// PF_KTHREAD in the flags of /proc/PID/stat (proc_pid_stat(5), field 9).
fn is_kernel_thread(pid: i32) -> bool {
    const PF_KTHREAD: u64 = 0x0020_0000;
    let Ok(text) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    let flags = text
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.split_whitespace().nth(6)?.parse::<u64>().ok());
    flags.is_some_and(|flags| flags & PF_KTHREAD != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> i32 {
        rustix::process::getpid().as_raw_nonzero().get()
    }

    #[test]
    fn this_process_is_no_kernel_thread_whatever_was_seen() {
        assert!(!is_kernel_thread(own()));
        assert!(KernelThreads::default().among(&[own()]).is_empty());
        // A number that was a kernel thread's: this process is no child of kthreadd.
        let seen = KernelThreads::default();
        seen.0.set(BTreeSet::from([own()])).unwrap();
        assert!(seen.among(&[own()]).is_empty());
    }

    #[test]
    fn what_was_seen_makes_no_difference() {
        // In a container these are other processes, or none.
        let pids: Vec<i32> = children_of_kthreadd()
            .into_iter()
            .chain([1, KTHREADD, own()])
            .collect();
        let by_file: BTreeSet<i32> = pids
            .iter()
            .copied()
            .filter(|pid| is_kernel_thread(*pid))
            .collect();
        assert_eq!(KernelThreads::default().among(&pids), by_file);
        let seen = KernelThreads::default();
        seen.0.set(by_file.clone()).unwrap();
        assert_eq!(seen.among(&pids), by_file);
    }
}
