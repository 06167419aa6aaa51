//! A container that runs, with any init: what the harness made for it, and what it removes again.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use super::cgroup::Cgroup;
use super::console::Console;
use crate::error::{Context, Error};

/// The time between two looks for the container's PID 1.
const PAUSE: Duration = Duration::from_millis(5);
/// How long a look at a command's process takes at most.
const LOOK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};
/// How long its own end may take.
const END: Duration = Duration::from_secs(120);
/// How long the stages before PID 1 may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running container. Dropped, it is removed.
#[derive(Debug)]
pub struct Running {
    // Order of dropping: processes, cgroup, then what they used.
    child: Child,
    cgroup: Option<Cgroup>,
    init: u32,
    pub(super) harness: PathBuf,
    shared: Scratch,
    console: Console,
}

impl Running {
    /// Boots `root`, a directory that is written to. `harness` is the program `softboot-container`; `prepare` fills the
    /// directory that becomes the container's /run/host.
    ///
    /// # Errors
    /// [`Error::Usage`] without root; [`Error::Io`] if the container cannot be made; [`Error::Check`] if it ends at
    /// once, with what it wrote to its console.
    pub fn start(
        harness: &Path,
        root: &Path,
        prepare: impl FnOnce(&Path) -> Result<(), Error>,
    ) -> Result<Running, Error> {
        if !rustix::process::geteuid().is_root() {
            return Err(Error::Usage("a container needs root".to_owned()));
        }
        let shared = Scratch::new()?;
        prepare(&shared.0)?;
        let console = Console::open()?;
        let cgroup = Cgroup::create()?;
        let child = Command::new(harness)
            .arg("stage")
            .args([cgroup.path(), root, &shared.0, console.path()])
            .stdin(Stdio::null())
            .spawn()
            .doing(format!("starting {}", harness.display()));
        let child = match child {
            Ok(child) => child,
            Err(error) => return cgroup.remove().and(Err(error)),
        };
        let mut container = Running {
            child,
            cgroup: Some(cgroup),
            init: 0,
            harness: harness.to_owned(),
            shared,
            console,
        };
        container.init = container.find_init()?;
        Ok(container)
    }

    /// The directory of the host that the container has as /run/host.
    pub fn shared(&self) -> &Path {
        &self.shared.0
    }

    /// Its PID 1, as the host numbers it. A soft-reboot does not change it.
    pub fn init(&self) -> u32 {
        self.init
    }

    /// Its cgroup on the host.
    pub fn cgroup(&self) -> &Path {
        self.cgroup.as_ref().map_or(Path::new(""), Cgroup::path)
    }

    /// Where a path of the container is on the host, sockets included.
    pub fn path(&self, inside: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{inside}", self.init))
    }

    /// What it wrote to its console so far.
    pub fn console(&self) -> String {
        self.console.text()
    }

    /// Runs a command inside and waits for its end.
    ///
    /// # Errors
    /// [`Error::Io`] if nsenter(1) cannot be run; [`Error::Timeout`] if the command does not end.
    pub fn exec(&self, command: &[&str], limit: Duration) -> Result<Output, Error> {
        let all = ["--mount", "--pid", "--net", "--cgroup", "--uts", "--ipc"];
        self.exec_in(&all, command, limit)
    }

    /// The same with some of the container's namespaces alone.
    pub(super) fn exec_in(
        &self,
        namespaces: &[&str],
        command: &[&str],
        limit: Duration,
    ) -> Result<Output, Error> {
        let doing = format!("running {} in the container", command.join(" "));
        let mut child = Command::new("nsenter")
            .args(["--target", &self.init.to_string()])
            .args(namespaces)
            .arg("--")
            .args(command)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .doing(doing.clone())?;
        let process = Pid::from_child(&child);
        let pidfd = pidfd_open(process, PidfdFlags::empty()).doing(doing.clone())?;
        let begun = Instant::now();
        // What a command prints here is far below what a pipe holds.
        while !readable(&pidfd).doing(doing.clone())? {
            if begun.elapsed() > limit {
                child.kill().doing(doing.clone())?;
                child.wait().doing(doing.clone())?;
                return Err(Error::Timeout { what: doing, limit });
            }
            // systemd's final kill stops all processes for a moment. nsenter, which it does not see, stops itself with
            // its child, and nobody but us continues it.
            kill_process(process, Signal::CONT).doing(doing.clone())?;
        }
        child.wait_with_output().doing(doing)
    }

    /// Whether it still runs.
    ///
    /// # Errors
    /// [`Error::Check`] if it has ended.
    pub fn check_alive(&mut self) -> Result<(), Error> {
        match self.child.try_wait().doing("waiting for the container")? {
            None => Ok(()),
            Some(ended) => Err(Error::Check(format!(
                "the container has ended: {ended}\n--- console ---\n{}",
                self.console()
            ))),
        }
    }

    /// Waits until it has ended by itself, and gives the exit code of its PID 1; `None`: a signal has ended that.
    ///
    /// # Errors
    /// [`Error::Timeout`].
    pub fn wait_end(&mut self) -> Result<Option<i32>, Error> {
        let begun = Instant::now();
        while begun.elapsed() < END {
            if let Some(ended) = self.child.try_wait().doing("waiting for the container")? {
                return Ok(ended.code());
            }
            std::thread::sleep(PAUSE);
        }
        Err(Error::Timeout {
            what: "the container's own end".to_owned(),
            limit: END,
        })
    }

    /// The child of unshare(1), which is the harness's own child.
    fn find_init(&mut self) -> Result<u32, Error> {
        let parent = format!("PPid:\t{}", self.child.id());
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            for entry in fs::read_dir("/proc").doing("reading /proc")?.flatten() {
                let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                    continue;
                };
                let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
                if status.lines().any(|line| line == parent) {
                    return Ok(pid);
                }
            }
            self.check_alive()?;
            std::thread::sleep(PAUSE);
        }
        Err(Error::Timeout {
            what: "the container's PID 1".to_owned(),
            limit: PATIENCE,
        })
    }

    /// Ends everything that lives in it. The end of its PID 1 ends its other processes, and with the last of them go
    /// the namespaces and their mounts.
    ///
    /// # Errors
    /// [`Error::Io`] naming what could not be removed.
    pub fn remove(mut self) -> Result<(), Error> {
        self.end()
    }

    fn end(&mut self) -> Result<(), Error> {
        let Some(cgroup) = self.cgroup.take() else {
            return Ok(());
        };
        cgroup.kill()?;
        self.child.wait().doing("waiting for the end of the container")?;
        cgroup.remove()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("removing the container: {error}");
        }
    }
}

/// Whether the process has ended, after [`LOOK`] at most.
fn readable(pidfd: &OwnedFd) -> Result<bool, rustix::io::Errno> {
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    match poll(&mut fds, Some(&LOOK)) {
        Err(rustix::io::Errno::INTR) => Ok(false),
        other => Ok(other? > 0),
    }
}

/// A number for each container of this process, so that several can run at the same time.
pub(super) fn next_number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A directory that is gone when this is.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Scratch, Error> {
        let name = format!("softboot-container-{}-{}", std::process::id(), next_number());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).doing(format!("making {}", path.display()))?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("removing {}: {error}", self.0.display());
        }
    }
}
