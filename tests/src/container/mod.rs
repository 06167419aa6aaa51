//! The system under test as a container: our PID 1 in namespaces of its own, on the host's kernel, as root.
//!
//! The scenario runs inside as a surviving service, from a unit that the harness puts below /run. It reports through
//! files in /run/host, a directory of the host that is bind-mounted there, because nothing else of the container can
//! be relied upon while it reboots. Everything the harness makes, it removes again: a directory for each run, and a
//! cgroup with all that lives in it.

pub mod cgroup;
pub mod console;
pub mod init;
pub mod running;
pub mod state;
mod unit;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::{Context, Error};
pub use running::Running;

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
    /// Programs and libraries of the reference, which it finds in a directory of that name.
    pub reference: Vec<PathBuf>,
    /// What its PID 1 has in place of the kernel's command line.
    pub words: String,
    /// The scenario's arguments.
    pub arguments: Vec<String>,
    /// How long it may take.
    pub limit: Duration,
    /// Whether the container ends by itself after the scenario; else it is ended.
    pub ends: bool,
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
    /// What the container ended with, if it did so by itself.
    pub exit: Option<i32>,
}

/// Runs the scenario in a new container, and removes the container.
///
/// # Errors
/// [`Error::Io`] if the container cannot be made; [`Error::Check`] if it ends before the scenario does;
/// [`Error::Timeout`]. The last two carry the console's text.
pub fn run(plan: &Plan) -> Result<Outcome, Error> {
    let mut container = Running::start(&plan.harness, &plan.root, |shared| {
        let program = shared.join("softboot-scenario");
        fs::copy(&plan.scenario, &program).doing(format!("copying {}", plan.scenario.display()))?;
        copy_all(&plan.beside, shared)?;
        let reference = shared.join("reference");
        fs::create_dir(&reference).doing(format!("making {}", reference.display()))?;
        copy_all(&plan.reference, &reference)?;
        fs::write(shared.join(init::WORDS), &plan.words).doing("writing the command line")?;
        fs::write(shared.join(unit::NAME), unit::text(&plan.arguments)).doing("writing the scenario's unit")
    })?;
    let status = container.shared().join("status");
    let mut ended = wait(&mut container, &status, plan.limit);
    let mut exit = None;
    if plan.ends && matches!(ended, Ok(0)) {
        match container.wait_end() {
            Ok(code) => exit = code,
            Err(error) => ended = Err(error),
        }
    }
    let output = fs::read_to_string(container.shared().join("output")).unwrap_or_default();
    let console = container.console();
    let removed = container.remove();
    match ended {
        Ok(code) => removed.map(|()| Outcome {
            code,
            output,
            console,
            exit,
        }),
        Err(error) => Err(Error::Check(format!(
            "{error}\n--- scenario ---\n{output}\n--- console ---\n{console}"
        ))),
    }
}

fn wait(container: &mut Running, status: &Path, limit: Duration) -> Result<u8, Error> {
    let begun = Instant::now();
    while begun.elapsed() < limit {
        if let Ok(text) = fs::read_to_string(status) {
            return text
                .trim()
                .parse()
                .map_err(|_| Error::Check(format!("not an exit code: {text:?}")));
        }
        container.check_alive()?;
        std::thread::sleep(PAUSE);
    }
    Err(Error::Timeout {
        what: "the end of the scenario".to_owned(),
        limit,
    })
}

fn copy_all(files: &[PathBuf], to: &Path) -> Result<(), Error> {
    for file in files {
        let name = file.file_name().unwrap_or_default();
        fs::copy(file, to.join(name)).doing(format!("copying {}", file.display()))?;
    }
    Ok(())
}
