//! The system under test as a container: our PID 1 in namespaces of its own, on the host's kernel, as root.
//!
//! The scenario runs inside as a surviving service, from a unit that the harness puts below /run. It reports through
//! files in /run/host, a directory of the host that is bind-mounted there, because nothing else of the container can
//! be relied upon while it reboots. Everything the harness makes, it removes again: a directory for each run, and a
//! cgroup with all that lives in it.

pub mod cgroup;
pub mod console;
pub mod init;
mod unit;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::{Context, Error};
use cgroup::Cgroup;
use console::Console;

/// The time between two looks at the status file.
const PAUSE: Duration = Duration::from_millis(50);

/// What to run, and in what.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The unpacked image; it is written to, as any root is.
    pub root: PathBuf,
    /// The program `softboot-container`, which is also the container's init stage.
    pub harness: PathBuf,
    /// The program `softboot-scenario`.
    pub scenario: PathBuf,
    /// Other programs that it finds beside itself.
    pub beside: Vec<PathBuf>,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// How long it may take.
    pub limit: Duration,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The scenario's exit code.
    pub code: u8,
    /// The scenario's lines.
    pub output: String,
    /// What the container wrote to its console.
    pub console: String,
}

/// Runs the scenario in a new container, and removes the container.
///
/// # Errors
/// [`Error::Io`] if the container cannot be made; [`Error::Check`] if it ends before the scenario does;
/// [`Error::Timeout`]. The last two carry the console's text.
pub fn run(plan: &Plan) -> Result<Outcome, Error> {
    if !rustix::process::geteuid().is_root() {
        return Err(Error::Usage("a container needs root".to_owned()));
    }
    let shared = Scratch::new()?;
    let program = shared.0.join("softboot-scenario");
    fs::copy(&plan.scenario, &program).doing(format!("copying {}", plan.scenario.display()))?;
    for other in &plan.beside {
        let name = other.file_name().unwrap_or_default();
        fs::copy(other, shared.0.join(name)).doing(format!("copying {}", other.display()))?;
    }
    fs::write(shared.0.join(unit::NAME), unit::text(&plan.arguments)).doing("writing the scenario's unit")?;
    let console = Console::open()?;
    let cgroup = Cgroup::create()?;
    let child = Command::new(&plan.harness)
        .arg("stage")
        .args([cgroup.path(), &plan.root, &shared.0, console.path()])
        .stdin(Stdio::null())
        .spawn()
        .doing(format!("starting {}", plan.harness.display()));
    let child = match child {
        Ok(child) => child,
        Err(error) => return cgroup.remove().and(Err(error)),
    };
    let mut container = Container { child, cgroup };
    let ended = container.wait(&shared.0.join("status"), plan.limit);
    let removed = container.remove();
    let console = console.text();
    let output = fs::read_to_string(shared.0.join("output")).unwrap_or_default();
    match ended {
        Ok(code) => removed.map(|()| Outcome {
            code,
            output,
            console,
        }),
        Err(error) => Err(Error::Check(format!(
            "{error}\n--- scenario ---\n{output}\n--- console ---\n{console}"
        ))),
    }
}

/// A running container.
#[derive(Debug)]
struct Container {
    child: Child,
    cgroup: Cgroup,
}

impl Container {
    fn wait(&mut self, status: &Path, limit: Duration) -> Result<u8, Error> {
        let begun = Instant::now();
        while begun.elapsed() < limit {
            if let Ok(text) = fs::read_to_string(status) {
                return text
                    .trim()
                    .parse()
                    .map_err(|_| Error::Check(format!("not an exit code: {text:?}")));
            }
            if let Some(ended) = self.child.try_wait().doing("waiting for the container")? {
                return Err(Error::Check(format!(
                    "the container ended before the scenario did: {ended}"
                )));
            }
            std::thread::sleep(PAUSE);
        }
        Err(Error::Timeout {
            what: "the end of the scenario".to_owned(),
            limit,
        })
    }

    /// Ends everything that lives in it. The end of its PID 1 ends its other processes, and with the last of them go
    /// the namespaces and their mounts.
    fn remove(mut self) -> Result<(), Error> {
        self.cgroup.kill()?;
        self.child.wait().doing("waiting for the end of the container")?;
        self.cgroup.remove()
    }
}

/// A directory that is gone when this is.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Scratch, Error> {
        let path = std::env::temp_dir().join(format!("softboot-container-{}", std::process::id()));
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
