//! The floor: the same service under a holder that does nothing but keep the socket, end the service and start it again.

use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use softboot_greyout::Endpoint;

use super::cycle::{self, Cycle};
use crate::error::{Context as _, Error};

/// Its name in results.
pub(super) const NAME: &str = "floor (bare holder)";

/// A holder and its service.
pub(super) struct Holder {
    listener: UnixListener,
    program: PathBuf,
    service: Child,
    directory: tempfile::TempDir,
}

impl Holder {
    /// Starts the service, `softboot-scenario`.
    pub(super) fn start(program: &Path) -> Result<Holder, Error> {
        // Not below the target directory: the path of a socket has 107 bytes at most (unix(7)).
        let directory = tempfile::tempdir().context("making a directory for the floor's socket")?;
        let listener =
            UnixListener::bind(directory.path().join("s")).context("opening the floor's socket")?;
        let service = spawn(program, &listener)?;
        Ok(Holder {
            listener,
            program: program.to_owned(),
            service,
            directory,
        })
    }

    /// One restart, seen by the probe.
    pub(super) fn cycle(&mut self) -> Result<Cycle, Error> {
        let endpoint = Endpoint::UnixEcho(self.directory.path().join("s"));
        cycle::observe(endpoint, NAME, || {
            end(&mut self.service)?;
            self.service = spawn(&self.program, &self.listener)?;
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

fn spawn(program: &Path, listener: &UnixListener) -> Result<Child, Error> {
    let what = "starting the floor's service";
    let socket: OwnedFd = listener.as_fd().try_clone_to_owned().context(what)?;
    Command::new(program)
        .arg("--serve-stdin")
        .stdin(Stdio::from(socket))
        .spawn()
        .context(what)
}

fn end(service: &mut Child) -> Result<(), Error> {
    let what = "ending the floor's service";
    kill_process(Pid::from_child(service), Signal::TERM).context(what)?;
    service.wait().context(what).map(drop)
}
