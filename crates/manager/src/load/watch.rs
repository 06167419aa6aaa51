//! Whether what definitions were made from stays as it is, told by the kernel (inotify(7)).
//!
//! A look at each file takes a microsecond and more, and has to come when nobody runs any more who could change one: while
//! nobody is answered. A watch is made while all is well, and asked then, with one read.
//!
//! | watched | for |
//! |---|---|
//! | a directory in which a name was looked up, and each above it | that name: made, removed, moved, written to, another owner or mode |
//! | a directory that was listed | any name: made, removed, moved |
//! | a file that has another name, or is a mount of its own | the file: its directory does not hear of a change by the other name |
//! | the mount table | any change: what is mounted over a directory is not what was read |
//!
//! A symbolic link is a name in its directory, and so is each step of the way that it leads. On file systems that others
//! write to (a server, a daemon) the kernel does not hear of it, so there is no watch, and one looks at each file. Who writes
//! to a file through a mapping (mmap(2)) is not heard either.

use std::collections::{BTreeSet, HashMap};
use std::ffi::{CString, OsStr};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, Statx, StatxAttributes, StatxFlags, open, statfs, statx,
};
use rustix::io::Errno;
use rustix::system::uname;

/// Links in a row, as in path_resolution(7).
const MAX_LINKS: u32 = 40;
const MOUNTS: &str = "/proc/self/mountinfo";
/// Changed by nobody but through this kernel: ext2 to ext4, XFS, Btrfs, F2FS, bcachefs, tmpfs, ramfs, overlayfs, squashfs,
/// EROFS, ISO 9660, FAT (statfs(2)).
const LOCAL: [u64; 12] = [
    0xef53,
    0x5846_5342,
    0x9123_683e,
    0xf2f5_2010,
    0xca45_1a4e,
    0x0102_1994,
    0x8584_58f6,
    0x794c_7630,
    0x7371_7368,
    0xe0f5_e1e2,
    0x9660,
    0x4d44,
];

/// What counts in one directory, or of one file.
#[derive(Debug, Default)]
struct Watched {
    names: BTreeSet<Vec<u8>>,
    /// Any name that comes or goes counts.
    listed: bool,
    /// It is a file.
    file: bool,
}

/// A watch over files, and over the name of the host.
#[derive(Debug)]
pub(crate) struct Watch {
    /// `None` only while it is dropped.
    events: Option<OwnedFd>,
    mounts: OwnedFd,
    host_name: CString,
    /// Something has changed: what it was is read only once.
    heard: bool,
    watched: HashMap<i32, Watched>,
    /// Directories that are watched already, by their paths without links.
    known: HashMap<PathBuf, i32>,
}

impl Watch {
    /// Watches the names in these directories, and where they lead. `None` where the kernel would not tell of each change.
    pub(super) fn begin<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<Watch> {
        let mut watch = Watch {
            events: Some(inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()?),
            mounts: open(MOUNTS, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?,
            host_name: uname().nodename().to_owned(),
            heard: false,
            watched: HashMap::new(),
            known: HashMap::new(),
        };
        let mut directories: HashMap<&str, Option<PathBuf>> = HashMap::new();
        for (directory, name) in files {
            let place = match directories.get(directory) {
                Some(place) => place.clone(),
                None => {
                    let place = watch.follow(Path::new("/"), Path::new(directory)).ok()?;
                    directories.insert(directory, place.clone());
                    place
                }
            };
            // Without the directory nothing is in it, and its coming is noticed.
            if let Some(place) = place
                && let Some(listed) = watch.follow(&place, Path::new(name)).ok()?
            {
                watch.list(&listed).ok()?;
            }
        }
        Some(watch)
    }

    /// Nothing has changed so far. Waits for nothing.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.heard = self.heard
            || self.mounts_have_changed()
            || self.any_event_counts()
            || uname().nodename() != self.host_name.as_c_str();
        !self.heard
    }

    fn mounts_have_changed(&self) -> bool {
        let mut table = [PollFd::new(&self.mounts, PollFlags::PRI)];
        poll(&mut table, Some(&Timespec::default())) != Ok(0)
    }

    fn any_event_counts(&self) -> bool {
        let Some(events) = &self.events else { return true };
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(events, &mut buffer);
        loop {
            match reader.next() {
                Ok(event) => {
                    let name = event.file_name().map_or(&[][..], |name| name.to_bytes());
                    if counts(self.watched.get(&event.wd()), event.events(), name) {
                        return true;
                    }
                }
                Err(Errno::INTR) => {}
                Err(error) => return error != Errno::AGAIN,
            }
        }
    }

    /// Watches each step from a directory (whose path has no links) to where `path` leads. The path of that without links, if it
    /// is a directory.
    fn follow(&mut self, from: &Path, path: &Path) -> Result<Option<PathBuf>, Errno> {
        let mut at = from.to_owned();
        // What is still to go, the next step last.
        let mut left: Vec<PathBuf> = steps(path);
        let mut links = 0;
        while let Some(step) = left.pop() {
            let Some(Component::Normal(name)) = step.components().next() else {
                match step.components().next() {
                    Some(Component::RootDir) => at = PathBuf::from("/"),
                    Some(Component::ParentDir) => drop(at.pop()),
                    _ => {}
                }
                continue;
            };
            let directory = self.watch_directory(&at)?;
            if let Some(known) = self.watched.get_mut(&directory) {
                known.names.insert(name.as_bytes().to_owned());
            }
            let next = at.join(name);
            let Some(found) = look(&next)? else {
                return Ok(None);
            };
            match FileType::from_raw_mode(found.stx_mode.into()) {
                FileType::Symlink => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Ok(None);
                    }
                    let target = rustix::fs::readlink(&next, Vec::new())?;
                    left.extend(steps(Path::new(OsStr::from_bytes(target.to_bytes()))));
                }
                FileType::Directory => at = next,
                _ => {
                    let mounted = found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT);
                    if mounted || found.stx_nlink > 1 {
                        self.watch_file(&next)?;
                    }
                    return Ok(None);
                }
            }
        }
        Ok(Some(at))
    }

    /// What comes to this directory or leaves it counts.
    fn list(&mut self, path: &Path) -> Result<(), Errno> {
        let directory = self.watch_directory(path)?;
        if let Some(known) = self.watched.get_mut(&directory) {
            known.listed = true;
        }
        Ok(())
    }

    fn watch_directory(&mut self, path: &Path) -> Result<i32, Errno> {
        if let Some(known) = self.known.get(path) {
            return Ok(*known);
        }
        is_local(path)?;
        let flags = WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVE
            | WatchFlags::MODIFY
            | WatchFlags::ATTRIB
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR
            | WatchFlags::DONT_FOLLOW;
        let number = self.add(path, flags)?;
        self.watched.entry(number).or_default();
        self.known.insert(path.to_owned(), number);
        Ok(number)
    }

    fn watch_file(&mut self, path: &Path) -> Result<(), Errno> {
        is_local(path)?;
        let flags = WatchFlags::MODIFY
            | WatchFlags::ATTRIB
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::DONT_FOLLOW;
        let number = self.add(path, flags)?;
        self.watched.entry(number).or_default().file = true;
        Ok(())
    }

    fn add(&self, path: &Path, flags: WatchFlags) -> Result<i32, Errno> {
        let events = self.events.as_ref().ok_or(Errno::BADF)?;
        inotify::add_watch(events.as_fd(), path, flags)
    }
}

impl Drop for Watch {
    /// The kernel takes 15 ms and more to close what watches anything.
    fn drop(&mut self) {
        let events = self.events.take();
        let thread = thread::Builder::new().name("close".to_owned());
        // Without a thread it is closed right here.
        let _ = thread.spawn(move || drop(events));
    }
}

/// The steps of a path, the first one last.
fn steps(path: &Path) -> Vec<PathBuf> {
    let steps = path.components().rev();
    steps.map(|step| Path::new(step.as_os_str()).to_owned()).collect()
}

/// What is there, if anything is.
fn look(path: &Path) -> Result<Option<Statx>, Errno> {
    let wanted = StatxFlags::TYPE | StatxFlags::NLINK;
    match statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, wanted) {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_local(path: &Path) -> Result<(), Errno> {
    let kind = u64::try_from(statfs(path)?.f_type).unwrap_or(0);
    if LOCAL.contains(&kind) {
        Ok(())
    } else {
        Err(Errno::OPNOTSUPP)
    }
}

fn counts(watched: Option<&Watched>, events: ReadFlags, name: &[u8]) -> bool {
    let lost = ReadFlags::QUEUE_OVERFLOW | ReadFlags::UNMOUNT | ReadFlags::IGNORED;
    let itself = ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF;
    let moves = ReadFlags::CREATE | ReadFlags::DELETE | ReadFlags::MOVED_FROM | ReadFlags::MOVED_TO;
    let Some(watched) = watched else { return true };
    events.intersects(lost | itself)
        || watched.file
        || watched.names.contains(name)
        || (watched.listed && events.intersects(moves))
}

#[cfg(test)]
mod tests;
