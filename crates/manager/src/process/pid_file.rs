//! The main process of a forking service: from its PID file, or by looking into its cgroup (semantics 4.2, 4.3).
//!
//! A PID file that is not there is waited for with inotify on the nearest directory that exists, never by asking again
//! and again.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::event::epoll::EventFlags;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2};
use rustix::io::Errno;
use softboot_engine::{Event, UnitId};
use softboot_unit::{KindSection, UnitName};

use super::adopt::{Proof, stat, unit_of};
use crate::cgroup;
use crate::run::{Manager, Source};

/// More than any PID needs; a longer file is no PID file.
const LONGEST: u64 = 64;

/// Directories in which PID files are expected.
#[derive(Default)]
pub(crate) struct PidFiles {
    /// Made when there is something to watch: closing it in an exec may take the kernel 20 ms, because it waits for
    /// whatever any inotify descriptor of the machine has just stopped watching.
    inotify: Option<OwnedFd>,
    waiting: BTreeMap<UnitId, i32>,
}

impl PidFiles {
    /// Readable when something changed in one of the directories; `None` as long as none was watched.
    fn events(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(AsFd::as_fd)
    }

    /// Watches the nearest directory above `path` that exists.
    fn wait(&mut self, unit: UnitId, path: &Path) -> Result<(), Errno> {
        let flags = WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::ATTRIB
            | WatchFlags::DELETE_SELF
            | WatchFlags::ONLYDIR;
        let inotify = match self.inotify.take() {
            Some(inotify) => inotify,
            None => inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?,
        };
        let inotify = self.inotify.insert(inotify);
        for directory in path.ancestors().skip(1) {
            match inotify::add_watch(&*inotify, directory, flags) {
                Ok(watch) => {
                    self.waiting.insert(unit, watch);
                    return Ok(());
                }
                Err(Errno::NOENT | Errno::NOTDIR) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Errno::NOENT)
    }

    fn stop(&mut self, unit: UnitId) {
        if let Some(watch) = self.waiting.remove(&unit)
            && !self.waiting.values().any(|other| *other == watch)
            && let Some(inotify) = &self.inotify
        {
            // The kernel has dropped it already if the directory is gone.
            let _ = inotify::remove_watch(inotify, watch);
        }
    }

    /// Forgets what happened: whoever waits looks again.
    fn drain(&mut self) -> Vec<UnitId> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        if let Some(inotify) = &self.inotify {
            let mut reader = inotify::Reader::new(inotify, &mut buffer);
            while reader.next().is_ok() {}
        }
        self.waiting.keys().copied().collect()
    }
}

impl Manager {
    /// Answers [`softboot_engine::Action::FindMain`].
    pub(crate) fn find_main(&mut self, unit: UnitId) {
        let Some(name) = self.engine.name(unit).cloned() else {
            return;
        };
        let settings = self
            .engine
            .definition(unit)
            .and_then(|definition| match &definition.kind {
                KindSection::Service(service) => {
                    Some((service.pid_file.as_deref().map(path_of), service.guess_main_pid))
                }
                _ => None,
            });
        match settings {
            Some((Some(path), _)) => self.look_into_pid_file(unit, &name, &path),
            Some((None, true)) => self.guess_main(unit, &name),
            _ => self.feed(Event::MainUnknown { unit, waits: false }),
        }
    }

    fn look_into_pid_file(&mut self, unit: UnitId, name: &UnitName, path: &Path) {
        // Watched before it is read, so that nothing is missed in between.
        let waits = self.engine.waits_for_main(unit);
        self.pid_files.stop(unit);
        if waits && let Err(error) = self.pid_files.wait(unit, path) {
            self.unit_log_line(
                name,
                &format!("PIDFile={}: cannot be waited for: {error}", path.display()),
            );
        }
        if !self.poll.is_watched(Source::PidFiles)
            && let Some(events) = self.pid_files.events()
            && let Err(error) = self.poll.watch(Source::PidFiles, events, EventFlags::IN)
        {
            self.unit_log_line(name, &format!("PIDFile= cannot be waited for: {error}"));
        }
        let outcome = read_pid(path).and_then(|found| {
            if self.is_main(found.pid) && unit_of(found.pid).as_ref() == Some(name) {
                return Ok(());
            }
            let outside = unit_of(found.pid).as_ref() != Some(name);
            if outside && !found.trusted {
                return Err(format!(
                    "process {} is outside the unit's cgroup, and the file is not root's alone",
                    found.pid
                ));
            }
            self.adopt_main(unit, name, found.pid, found.trusted, &Proof::None)
        });
        match outcome {
            Ok(()) => self.pid_files.stop(unit),
            Err(reason) => {
                if !reason.is_empty() {
                    self.unit_log_line(name, &format!("PIDFile={}: {reason}", path.display()));
                }
                self.feed(Event::MainUnknown { unit, waits });
            }
        }
    }

    /// The only process of the cgroup whose parent is PID 1.
    fn guess_main(&mut self, unit: UnitId, name: &UnitName) {
        let candidates: Vec<i32> = self
            .cgroup_of(name)
            .map(|relative| cgroup::subtree(&self.cgroups.path(&relative)))
            .unwrap_or_default()
            .iter()
            .flat_map(|group| cgroup::processes(group))
            .filter(|pid| self.processes.find_pid(*pid).is_none())
            .filter(|pid| stat(*pid).is_some_and(|stat| stat.parent == 1 && stat.state != 'Z'))
            .collect();
        let adopted = match candidates[..] {
            [pid] => self.adopt_main(unit, name, pid, false, &Proof::None),
            [] => Err("it left no process".to_owned()),
            _ => Err(format!(
                "it left {} processes; PIDFile= could say which is main",
                candidates.len()
            )),
        };
        if let Err(reason) = adopted {
            self.unit_log_line(name, &format!("no main process: {reason}"));
            self.feed(Event::MainUnknown { unit, waits: false });
        }
    }

    /// Something changed where PID files are expected.
    pub(crate) fn pid_files_changed(&mut self) {
        for unit in self.pid_files.drain() {
            if self.engine.waits_for_main(unit) {
                self.find_main(unit);
            } else {
                self.pid_files.stop(unit);
            }
        }
    }
}

/// Relative paths are below /run (systemd.service(5), PIDFile=); /var/run is /run.
fn path_of(setting: &str) -> PathBuf {
    match setting.strip_prefix("/var/run/") {
        Some(rest) => Path::new("/run").join(rest),
        None => Path::new("/run").join(setting),
    }
}

#[derive(Debug)]
struct Found {
    pid: i32,
    /// Nobody but root could have written it: the file is root's, and no symlink leads to it.
    trusted: bool,
}

/// Reads a PID file. The reason is empty when there is none, which is no news.
fn read_pid(path: &Path) -> Result<Found, String> {
    // O_NONBLOCK: a FIFO in its place must not stop PID 1.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let straight = openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS);
    let (fd, straight) = match straight {
        Ok(fd) => (fd, true),
        Err(Errno::NOENT) => return Err(String::new()),
        Err(_) => match open(path, flags, Mode::empty()) {
            Ok(fd) => (fd, false),
            Err(Errno::NOENT) => return Err(String::new()),
            Err(error) => return Err(error.to_string()),
        },
    };
    let about = fstat(&fd).map_err(|error| error.to_string())?;
    if FileType::from_raw_mode(about.st_mode) != FileType::RegularFile {
        return Err("is no regular file".to_owned());
    }
    let mut text = String::new();
    std::fs::File::from(fd)
        .take(LONGEST)
        .read_to_string(&mut text)
        .map_err(|error| error.to_string())?;
    // Made and not yet written: it will change again.
    if text.is_empty() {
        return Err(String::new());
    }
    let pid = text
        .trim()
        .parse()
        .map_err(|_| format!("{:?} is no process number", text.trim()))?;
    let trusted = straight && about.st_uid == 0 && about.st_mode & 0o022 == 0;
    Ok(Found { pid, trusted })
}

#[cfg(test)]
mod tests;
