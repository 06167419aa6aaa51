//! The cgroup v2 tree: one group a service, PID 1 itself in `init.scope` (semantics 4.11).
//!
//! Emptiness is learnt from `cgroup.events` through one inotify descriptor, never by asking again and again.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use softboot_unit::UnitName;

const MOUNT: &str = "/sys/fs/cgroup";
/// Where PID 1 lives.
pub(crate) const INIT_SCOPE: &str = "init.scope";
/// A directory has two links, and one for each directory in it (kernfs counts them). Most groups have none, and need not be
/// listed.
const LINKS_OF_LEAF: u64 = 2;
/// Enabled for children where the kernel has them; limits need them.
const CONTROLLERS: [&str; 4] = ["cpu", "memory", "pids", "io"];

/// PID 1's part of the cgroup tree.
pub(crate) struct Cgroups {
    root: PathBuf,
    inotify: OwnedFd,
    watched: HashMap<i32, (PathBuf, Watch)>,
    watches: HashMap<PathBuf, Vec<i32>>,
    /// How many processes the kernel has killed in each group for want of memory, as far as that was reported.
    oom_kills: HashMap<PathBuf, u64>,
    /// Watches of groups that are gone. To let go of one takes as long as to remove the group, so that waits.
    stale: Vec<i32>,
}

/// Which file of a group is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watch {
    /// cgroup.events.
    Populated,
    /// memory.events.
    Memory,
}

/// What changed in some groups, as absolute paths.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// May have become empty.
    pub(crate) populated: Vec<PathBuf>,
    /// A process was killed for want of memory.
    pub(crate) oom_killed: Vec<PathBuf>,
}

impl Cgroups {
    /// What [`Cgroups::open`] needs, if the program before has not left it: closing one that watches anything takes the
    /// kernel 15 ms and more (it waits for a grace period of SRCU), which nobody should wait for at an exec.
    pub(crate) fn new_events() -> io::Result<OwnedFd> {
        Ok(inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?)
    }

    /// Finds the own root, moves PID 1 into `init.scope` and enables the controllers. `inotify` may have watches from
    /// the program before: a group that is watched again gets the same number.
    pub(crate) fn open(inotify: OwnedFd) -> io::Result<Cgroups> {
        let root = own_root()?;
        let cgroups = Cgroups {
            root,
            inotify,
            watched: HashMap::new(),
            watches: HashMap::new(),
            oom_kills: HashMap::new(),
            stale: Vec::new(),
        };
        let own = of_process(rustix::process::getpid().as_raw_nonzero().get());
        // A move waits for every CPU, even one to where the process is.
        if !own.is_some_and(|own| own.ends_with(INIT_SCOPE)) {
            let scope = cgroups.root.join(INIT_SCOPE);
            make(&scope)?;
            fs::write(scope.join("cgroup.procs"), "0")?;
        }
        enable_controllers(&cgroups.root);
        Ok(cgroups)
    }

    /// Readable when a watched group may have become empty.
    pub(crate) fn events(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }

    /// Where the group with this path below the root is.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// The root of the part of the tree that is ours.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Makes the group and its parents, and opens it for clone3(CLONE_INTO_CGROUP). Says whether it was not there before.
    pub(crate) fn create(&mut self, relative: &str) -> io::Result<(OwnedFd, bool)> {
        let mut path = self.root.clone();
        let mut parts = relative.split('/').peekable();
        let mut made = false;
        while let Some(part) = parts.next() {
            path.push(part);
            made = make(&path)?;
            if made && parts.peek().is_some() {
                enable_controllers(&path);
            }
        }
        self.watch(&path)?;
        Ok((open(&path)?, made))
    }

    /// Enables further controllers for a group, in every group above it.
    pub(crate) fn enable_above(&self, relative: &str, controllers: &[String]) {
        let mut path = self.root.clone();
        for part in relative.split('/') {
            for controller in controllers {
                // Refused where the kernel does not have it; who looks for its files finds none.
                let _ = fs::write(path.join("cgroup.subtree_control"), format!("+{controller}"));
            }
            path.push(part);
        }
    }

    /// Watches a group for becoming empty; watching twice is the same as once.
    pub(crate) fn watch(&mut self, path: &Path) -> io::Result<()> {
        if self.watches.contains_key(path) {
            return Ok(());
        }
        let populated = inotify::add_watch(&self.inotify, path.join("cgroup.events"), WatchFlags::MODIFY)?;
        self.watched
            .insert(populated, (path.to_owned(), Watch::Populated));
        let mut watches = vec![populated];
        // Not there without the memory controller.
        if let Ok(memory) = inotify::add_watch(&self.inotify, path.join("memory.events"), WatchFlags::MODIFY)
        {
            self.watched.insert(memory, (path.to_owned(), Watch::Memory));
            self.oom_kills.insert(path.to_owned(), oom_kills(path));
            watches.push(memory);
        }
        self.watches.insert(path.to_owned(), watches);
        Ok(())
    }

    /// Removes the group and what is below it. A group that still has processes stays.
    pub(crate) fn remove(&mut self, relative: &str) -> io::Result<()> {
        let path = self.root.join(relative);
        let mut below = subtree(&path);
        below.reverse();
        for group in below {
            match rustix::fs::rmdir(&group) {
                // What stays is watched on: its last process will end.
                Ok(()) | Err(Errno::NOENT) => self.forget(&group),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn forget(&mut self, path: &Path) {
        for wd in self.watches.remove(path).unwrap_or_default() {
            self.watched.remove(&wd);
            self.stale.push(wd);
        }
        self.oom_kills.remove(path);
    }

    /// There is nothing else to do.
    pub(crate) fn let_go(&mut self) {
        for wd in self.stale.drain(..) {
            // One that has come back is watched by the same number.
            if !self.watched.contains_key(&wd) {
                let _ = inotify::remove_watch(&self.inotify, wd);
            }
        }
    }

    /// The groups in which something changed.
    pub(crate) fn changed(&mut self) -> Changes {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.inotify, &mut buffer);
        let mut changes = Changes::default();
        let (mut memory, mut forgotten) = (Vec::new(), Vec::new());
        while let Ok(event) = reader.next() {
            if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                // Something was lost: everything may have changed.
                changes.populated.extend(self.watches.keys().cloned());
                memory.extend(self.watches.keys().cloned());
            } else if let Some((path, watch)) = self.watched.get(&event.wd()) {
                match watch {
                    Watch::Populated => changes.populated.push(path.clone()),
                    Watch::Memory => memory.push(path.clone()),
                }
            } else if !event.events().contains(ReadFlags::IGNORED) {
                // The program before had it watched, and nobody wants to know any more.
                forgotten.push(event.wd());
            }
        }
        for wd in forgotten {
            let _ = inotify::remove_watch(&self.inotify, wd);
        }
        for paths in [&mut changes.populated, &mut memory] {
            paths.sort();
            paths.dedup();
        }
        for path in memory {
            if self.oom_killed(&path) {
                changes.oom_killed.push(path);
            }
        }
        changes
    }

    /// How many processes beside PID 1 it has killed for want of memory, since the cgroup was made; 0 where nobody counts.
    pub(crate) fn own_oom_kills(&self) -> u64 {
        oom_kills(&self.root.join(INIT_SCOPE))
    }

    /// Whether the kernel has killed a process of the group for want of memory since the last question. Says so once.
    pub(crate) fn oom_killed(&mut self, path: &Path) -> bool {
        let Some(before) = self.oom_kills.get_mut(path) else {
            return false;
        };
        let kills = oom_kills(path);
        std::mem::replace(before, kills) < kills
    }
}

/// True when the group or one below it has a process.
pub(crate) fn is_populated(path: &Path) -> bool {
    let text = read_at_once(&path.join("cgroup.events"));
    text.lines().any(|line| line.trim() == "populated 1")
}

/// How many processes of the group and below the kernel has killed for want of memory.
fn oom_kills(path: &Path) -> u64 {
    let text = fs::read_to_string(path.join("memory.events")).unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("oom_kill "))
        .and_then(|count| count.trim().parse().ok())
        .unwrap_or(0)
}

/// The processes of exactly this group.
pub(crate) fn processes(path: &Path) -> Vec<i32> {
    let text = read_at_once(&path.join("cgroup.procs"));
    text.lines()
        .filter_map(|line| line.trim().parse().ok())
        .filter(|pid| *pid > 0)
        .collect()
}

/// A file of the kernel's, which has no length that could be asked for: nothing if it cannot be read. Whoever reads it in small
/// pieces makes as many calls.
fn read_at_once(path: &Path) -> String {
    const USUAL: usize = 4096;
    let mut bytes = Vec::with_capacity(USUAL);
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    let Ok(file) = file else { return String::new() };
    loop {
        bytes.reserve(USUAL);
        match rustix::io::read(&file, rustix::buffer::spare_capacity(&mut bytes)) {
            Ok(0) => return String::from_utf8(bytes).unwrap_or_default(),
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return String::new(),
        }
    }
}

/// The group and every one below it, parents first.
pub(crate) fn subtree(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![path.to_owned()];
    while let Some(group) = open.pop() {
        let Ok(data) = rustix::fs::stat(&group) else {
            continue;
        };
        if data.st_nlink != LINKS_OF_LEAF {
            for entry in fs::read_dir(&group).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    open.push(entry.path());
                }
            }
        }
        found.push(group);
    }
    found.sort();
    found
}

/// Kills everything in the group and below at once, forks included (cgroup.kill, kernel 5.14).
pub(crate) fn kill_all(path: &Path) -> io::Result<()> {
    fs::write(path.join("cgroup.kill"), "1")
}

/// The group of a process below our root, as `/proc/PID/cgroup` says.
pub(crate) fn of_process(pid: i32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    Some(path.trim_start_matches('/').to_owned())
}

/// The directory of a path that /proc/PID/cgroup names.
pub(crate) fn absolute(path: &str) -> PathBuf {
    Path::new(MOUNT).join(path)
}

/// The unit that a path below the root belongs to: its outermost part that is a unit name of a leaf type. What is
/// below that may be delegated, and whoever has it could give a group any unit's name.
pub(crate) fn unit_of_path(path: &str) -> Option<UnitName> {
    path.split('/')
        .filter_map(|part| UnitName::new(unescape(part)).ok())
        .find(|name| {
            use softboot_unit::UnitKind as K;
            matches!(
                name.kind(),
                K::Service | K::Socket | K::Scope | K::Mount | K::Swap
            )
        })
}

/// The path of a unit's group: its slice, then its name (semantics 4.11).
pub(crate) fn path_of(slice: &UnitName, unit: &UnitName) -> String {
    let mut path = path_of_slice(slice);
    if !path.is_empty() {
        path.push('/');
    }
    path.push_str(&escape(unit.as_str()));
    path
}

/// The path of a slice's group; empty for the root slice.
pub(crate) fn path_of_slice(slice: &UnitName) -> String {
    let names: Vec<String> = slices_of(slice).iter().map(UnitName::to_string).collect();
    names.join("/")
}

/// A slice and those above it, outermost first, without the root slice.
pub(crate) fn slices_of(slice: &UnitName) -> Vec<UnitName> {
    let stem = slice.stem();
    if stem == "-" {
        return Vec::new();
    }
    let ends = stem.match_indices('-').map(|(end, _)| end).chain([stem.len()]);
    ends.filter_map(|end| UnitName::new(&format!("{}.slice", stem.get(..end)?)).ok())
        .collect()
}

/// A name that collides with the kernel's own files gets a leading `_`.
fn escape(name: &str) -> String {
    if name.starts_with("cgroup.") || name.starts_with('_') || name.starts_with('.') {
        format!("_{name}")
    } else {
        name.to_owned()
    }
}

fn unescape(part: &str) -> &str {
    part.strip_prefix('_').unwrap_or(part)
}

/// Opens a group for clone3(CLONE_INTO_CGROUP).
pub(crate) fn open(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// True when it was made now.
pub(crate) fn make(path: &Path) -> io::Result<bool> {
    match rustix::fs::mkdir(path, Mode::from_raw_mode(0o755)) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn enable_controllers(path: &Path) {
    let words = |file: &str| fs::read_to_string(path.join(file)).unwrap_or_default();
    let (available, enabled) = (words("cgroup.controllers"), words("cgroup.subtree_control"));
    let missing = |controller: &&&str| !enabled.split_whitespace().any(|name| name == **controller);
    for controller in CONTROLLERS.iter().filter(missing) {
        if available.split_whitespace().any(|name| name == *controller) {
            // Refused where processes live in an inner node; limits are then reported as not enforced.
            let _ = fs::write(path.join("cgroup.subtree_control"), format!("+{controller}"));
        }
    }
}

/// The directory that stands for PID 1's cgroup namespace, or for the group PID 1 was started in.
fn own_root() -> io::Result<PathBuf> {
    let own = of_process(rustix::process::getpid().as_raw_nonzero().get()).unwrap_or_default();
    // After a re-exec PID 1 is already in its scope.
    let own = own.strip_suffix(INIT_SCOPE).unwrap_or(&own).trim_end_matches('/');
    let root = Path::new(MOUNT).join(own);
    if !root.join("cgroup.procs").exists() {
        return Err(io::Error::other(format!(
            "no cgroup v2 tree at {}; softboot needs one",
            root.display()
        )));
    }
    Ok(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> UnitName {
        UnitName::new(text).unwrap()
    }

    #[test]
    fn slices_nest_by_their_names() {
        assert_eq!(
            path_of(&name("system.slice"), &name("a.service")),
            "system.slice/a.service"
        );
        assert_eq!(
            path_of(&name("system-web.slice"), &name("web@1.service")),
            "system.slice/system-web.slice/web@1.service"
        );
        assert_eq!(path_of(&name("-.slice"), &name("a.service")), "a.service");
    }

    #[test]
    fn a_process_below_a_unit_belongs_to_the_unit() {
        assert_eq!(
            unit_of_path("system.slice/a.service/sub/deep"),
            Some(name("a.service"))
        );
        assert_eq!(
            unit_of_path("system.slice/a.service/b.service"),
            Some(name("a.service")),
            "a delegated group cannot pass for another unit"
        );
        assert_eq!(unit_of_path("system.slice"), None);
        assert_eq!(unit_of_path("init.scope"), Some(name("init.scope")));
    }

    #[test]
    fn names_of_kernel_files_are_escaped_and_come_back() {
        let path = path_of(&name("system.slice"), &name("cgroup.procs.service"));
        assert_eq!(path, "system.slice/_cgroup.procs.service");
        assert_eq!(unit_of_path(&path), Some(name("cgroup.procs.service")));
    }
}
