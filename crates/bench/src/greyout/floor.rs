//! The floor: the same service under a holder that does nothing but keep the socket, end the service and start it again.
//! Of a re-exec: a program that does nothing but start a service for each connection, and executes itself.

use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::cycle::{self, Cycle};
use super::workload::{Case, Event};
use crate::error::{Context as _, Error};
use rustix::process::{Pid, Signal, kill_process};

/// Its name in results.
pub(super) const NAME: &str = "floor (bare holder)";

/// A holder and its service.
pub(super) struct Holder {
    listener: UnixListener,
    program: PathBuf,
    case: Case,
    service: Child,
    directory: tempfile::TempDir,
}

impl Holder {
    /// Starts the service, `softboot-scenario`.
    pub(super) fn start(program: &Path, case: Case) -> Result<Holder, Error> {
        // Not below the target directory: the path of a socket has 107 bytes at most (unix(7)).
        let directory = tempfile::tempdir().context("making a directory for the floor's socket")?;
        let listener =
            UnixListener::bind(directory.path().join("s")).context("opening the floor's socket")?;
        let service = spawn(program, case, &listener)?;
        Ok(Holder {
            listener,
            program: program.to_owned(),
            case,
            service,
            directory,
        })
    }

    /// One restart, or exec, seen by the probe.
    pub(super) fn cycle(&mut self) -> Result<Cycle, Error> {
        let endpoint = self.case.endpoint(self.directory.path().join("s"));
        cycle::observe(endpoint, self.case.interval(), NAME, || {
            match self.case.event() {
                Event::SoftReboot => {
                    end(&mut self.service)?;
                    self.service = spawn(&self.program, self.case, &self.listener)?;
                }
                Event::Reexec => {
                    let holder = Pid::from_child(&self.service);
                    kill_process(holder, Signal::HUP).context("replacing the floor's program")?;
                }
            }
            cycle::leave_alone();
            Ok(())
        })
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        if let Err(error) = end(&mut self.service) {
            eprintln!("softboot-bench: {error}");
        }
    }
}

fn spawn(program: &Path, case: Case, listener: &UnixListener) -> Result<Child, Error> {
    let what = "starting the floor's service";
    let socket: OwnedFd = listener.as_fd().try_clone_to_owned().context(what)?;
    Command::new(program)
        .arg(match case.event() {
            Event::SoftReboot => "--serve-stdin",
            Event::Reexec => "--activate",
        })
        .stdin(Stdio::from(socket))
        .spawn()
        .context(what)
}

fn end(service: &mut Child) -> Result<(), Error> {
    let what = "ending the floor's service";
    kill_process(Pid::from_child(service), Signal::TERM).context(what)?;
    service.wait().context(what).map(drop)
}
