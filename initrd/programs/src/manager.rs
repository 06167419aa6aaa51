//! The manager's side of a service: descriptors that it passes, and messages to it.

use std::os::fd::{AsFd, OwnedFd};

use fdstore::FdName;
use fdstore::listen::ListenFds;
use fdstore::notify::Notifier;

use crate::error::Error;

/// The descriptors that the manager passed, with their names, in its order.
///
/// # Errors
/// [`Error::Manager`] if LISTEN_FDS and its companions contradict each other.
pub fn passed() -> Result<Vec<(String, OwnedFd)>, Error> {
    let fds = ListenFds::from_env().map_err(|error| failed("taking the passed descriptors", error))?;
    Ok(fds.into_iter().map(|(name, fd)| (name.to_string(), fd)).collect())
}

/// The connection to the manager's notify socket.
#[derive(Debug)]
pub struct Manager {
    notifier: Notifier,
}

impl Manager {
    /// The manager that $NOTIFY_SOCKET names.
    ///
    /// # Errors
    /// [`Error::Manager`] without a usable $NOTIFY_SOCKET.
    pub fn connect() -> Result<Manager, Error> {
        match Notifier::from_env() {
            Ok(Some(notifier)) => Ok(Manager { notifier }),
            Ok(None) => Err(Error::Usage(
                "NOTIFY_SOCKET is not set: run this as a service with Type=notify".into(),
            )),
            Err(error) => Err(failed("connecting to the manager", error)),
        }
    }

    /// Says that the service is up.
    ///
    /// # Errors
    /// [`Error::Manager`] if the message cannot be sent.
    pub fn ready(&self, status: &str) -> Result<(), Error> {
        self.notifier
            .ready()
            .map_err(|error| failed("sending READY=1", error))?;
        self.notifier
            .status(status)
            .map_err(|error| failed("sending STATUS=", error))
    }

    /// Stores a duplicate of `fd` under `name`.
    ///
    /// # Errors
    /// [`Error::Manager`] if the name is not one, or the message cannot be sent.
    pub fn store(&self, name: &str, fd: impl AsFd) -> Result<(), Error> {
        let name = fd_name(name)?;
        self.notifier
            .store_fd(&name, fd.as_fd())
            .map_err(|error| failed("storing a descriptor", error))
    }

    /// Removes what is stored under `name`.
    ///
    /// # Errors
    /// [`Error::Manager`] if the name is not one, or the message cannot be sent.
    pub fn remove(&self, name: &str) -> Result<(), Error> {
        let name = fd_name(name)?;
        self.notifier
            .remove_fd(&name)
            .map_err(|error| failed("removing a stored descriptor", error))
    }
}

fn fd_name(name: &str) -> Result<FdName, Error> {
    FdName::new(name).map_err(|error| failed("naming a descriptor", error))
}

fn failed(doing: &'static str, error: impl std::fmt::Display) -> Error {
    Error::Manager {
        doing,
        reason: error.to_string(),
    }
}
