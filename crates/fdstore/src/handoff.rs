//! From this program to the next one in the same process: execve with everything open.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

use rustix::io::{Errno, FdFlags, fcntl_setfd};
use softboot_sys::exec::{execve, execveat};

use crate::manifest::{self, Numbered};
use crate::program::Program;
use crate::store::FdStore;

/// The variable that tells the next program which descriptor is the manifest.
pub(crate) const VARIABLE: &str = "FDSTORE_HANDOFF";
/// The variable that tells for which process that is, so that a child which inherits the environment does not look.
pub(crate) const PID_VARIABLE: &str = "FDSTORE_HANDOFF_PID";
/// What a manager passed to this program is in the store now, or closed by the exec.
pub(crate) const STALE: [&str; 4] = ["LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID", "LISTEN_PIDFDID"];

/// Why there was no handoff. The store is as it was.
#[derive(Debug, thiserror::Error)]
pub enum HandoffError {
    /// The manifest could not be written.
    #[error("writing the manifest of the fd store: {0}")]
    Manifest(#[source] io::Error),
    /// A descriptor could not be prepared.
    #[error("preparing descriptor {fd} for the next program: {source}")]
    Descriptor {
        /// Its number.
        fd: i32,
        /// Why.
        source: Errno,
    },
    /// The program cannot be named to the kernel.
    #[error("the next program: {0}")]
    Program(#[source] io::Error),
    /// The next program could not be executed.
    #[error("executing the next program: {0}")]
    Exec(#[source] Errno),
}

/// A store that is ready to go: its manifest is written, nothing else has changed.
#[derive(Debug)]
pub struct Handoff<'s> {
    store: &'s FdStore,
    manifest: OwnedFd,
}

impl FdStore {
    /// Writes the manifest. The store cannot change while the handoff exists.
    pub fn handoff(&self) -> Result<Handoff<'_>, HandoffError> {
        let entries: Vec<Numbered<'_>> = self
            .entries()
            .map(|entry| (&entry.record, entry.fd().as_raw_fd()))
            .collect();
        let manifest = manifest::write(self.next_id(), &entries, &self.unknown);
        Ok(Handoff {
            store: self,
            manifest: manifest.map_err(HandoffError::Manifest)?,
        })
    }
}

impl Handoff<'_> {
    /// The manifest.
    pub fn manifest(&self) -> BorrowedFd<'_> {
        self.manifest.as_fd()
    }

    /// The manifest alone, for a program that keeps it beside what changes afterwards ([`FdStore::take_changes`]).
    pub fn into_manifest(self) -> OwnedFd {
        self.manifest
    }

    /// The assignment that the next program's environment needs.
    pub fn environment(&self) -> (&'static str, String) {
        (VARIABLE, self.manifest.as_raw_fd().to_string())
    }

    /// Everything that the next program needs: all entries and the manifest.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.store
            .entries()
            .map(|entry| entry.fd())
            .chain([self.manifest()])
    }

    /// Executes `program` in place of this one. The last thing before it is to clear FD_CLOEXEC; if the exec fails it
    /// is set again, and everything is as before. Returns only the reason.
    ///
    /// `env` must hold [`Handoff::environment`].
    pub fn exec(&self, program: BorrowedFd<'_>, argv: &[CString], env: &[CString]) -> HandoffError {
        self.without_cloexec(|| execveat(program, argv, env))
    }

    /// Executes `program` in place of this one, as [`Handoff::exec`] does. Its environment gets what
    /// [`FdStore::from_env`] needs there, and loses LISTEN_FDS and its companions.
    ///
    /// No other thread should start a process meanwhile: it would inherit the descriptors.
    ///
    /// ```no_run
    /// # let store = fdstore::FdStore::new();
    /// let error = store.handoff()?.exec_program(&fdstore::Program::current()?);
    /// eprintln!("going on as before: {error}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn exec_program(&self, program: &Program) -> HandoffError {
        let (variable, number) = self.environment();
        let own_pid = rustix::process::getpid().as_raw_nonzero();
        let program = STALE
            .iter()
            .fold(program.clone(), |program, name| program.env_remove(name))
            .env(variable, number)
            .env(PID_VARIABLE, own_pid.to_string());
        match program.to_exec() {
            Ok((path, argv, env)) => self.without_cloexec(|| execve(&path, &argv, &env)),
            Err(error) => HandoffError::Program(error),
        }
    }

    fn without_cloexec(&self, exec: impl FnOnce() -> Errno) -> HandoffError {
        let error = match self.set_cloexec(false) {
            Ok(()) => HandoffError::Exec(exec()),
            Err(error) => error,
        };
        // Failing here would leave a descriptor open for a later child; close_range in the spawn path guards that.
        let _ = self.set_cloexec(true);
        error
    }

    fn set_cloexec(&self, on: bool) -> Result<(), HandoffError> {
        let flags = if on { FdFlags::CLOEXEC } else { FdFlags::empty() };
        for fd in self.descriptors() {
            fcntl_setfd(fd, flags).map_err(|source| HandoffError::Descriptor {
                fd: fd.as_raw_fd(),
                source,
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FdName, InsertOptions};
    use rustix::io::fcntl_getfd;

    #[test]
    fn after_a_failed_exec_everything_is_as_before() {
        let mut store = FdStore::new();
        let name = FdName::new("x").unwrap();
        let id = store
            .insert(
                "o",
                &name,
                tempfile::tempfile().unwrap().into(),
                InsertOptions::default(),
            )
            .unwrap()
            .id();
        let handoff = store.handoff().unwrap();
        let program = std::fs::File::open("/etc/passwd").unwrap();
        let error = handoff.exec(program.as_fd(), &[c"x".to_owned()], &[]);
        assert!(matches!(error, HandoffError::Exec(Errno::ACCESS)));
        assert!(
            fcntl_getfd(store.fd(id).unwrap())
                .unwrap()
                .contains(FdFlags::CLOEXEC)
        );
    }
}
