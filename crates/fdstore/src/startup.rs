//! One way in, however this program was started: by hand, by a manager, by itself over execve, or by the program before
//! it.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Instant;

use crate::adopt::{Adopt, AdoptError};
use crate::inherit::{FromEnvError, Quarantined};
use crate::listen::{ListenError, ListenFds};
use crate::name::{FdName, NameError};
use crate::notify::{Message, Notifier, NotifyError};
use crate::store::{FdStore, InsertOptions, Rule};
use crate::transfer::TransferError;
use crate::upgrade::{Successor, SuccessorError};

/// Who started this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody gave it anything.
    Fresh,
    /// A manager passed descriptors (LISTEN_FDS).
    Manager,
    /// This process executed it ([`crate::Handoff::exec_program`]).
    Exec,
    /// A program that it is to follow ([`crate::upgrade::Upgrade`]).
    Predecessor,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Origin::Fresh => "started with nothing",
            Origin::Manager => "started by a manager",
            Origin::Exec => "executed by itself",
            Origin::Predecessor => "started by the program before it",
        })
    }
}

/// Why the descriptors of this program's start were not taken.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    /// Those of an execve.
    #[error(transparent)]
    Exec(#[from] FromEnvError),
    /// Those of the program before this one.
    #[error(transparent)]
    Predecessor(#[from] SuccessorError),
    /// Those of a manager.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The manager cannot be told anything.
    #[error(transparent)]
    Notify(#[from] NotifyError),
    /// The program before this one cannot be told anything.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// The store refuses one.
    #[error("keeping {name:?}: {rule}")]
    Keep {
        /// Its name.
        name: String,
        /// Why.
        rule: Rule,
    },
    /// The name is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// It is not what it should be.
    #[error(transparent)]
    Adopt(#[from] AdoptError),
    /// There was none, and none could be made.
    #[error("opening {name:?}: {source}")]
    Open {
        /// Its name.
        name: String,
        /// Why.
        source: io::Error,
    },
}

/// What this program was started with.
///
/// ```
/// use std::net::TcpListener;
/// use fdstore::Startup;
///
/// // Early in main.
/// let mut startup = Startup::from_env("my-daemon", None)?;
/// for aside in &startup.quarantined {
///     eprintln!("not taken over: {aside}");
/// }
/// // Opened at the first start, the same socket ever after.
/// let listener: TcpListener = startup.socket("http", || TcpListener::bind("127.0.0.1:0"))?;
/// // Once everything is set up.
/// startup.ready()?;
/// # drop(listener);
/// # Ok::<(), fdstore::StartupError>(())
/// ```
#[derive(Debug)]
pub struct Startup {
    /// All descriptors. Those of a manager belong to the owner that was named.
    pub store: FdStore,
    /// How this program was started.
    pub origin: Origin,
    /// What was promised and is not what it was promised to be.
    pub quarantined: Vec<Quarantined>,
    owner: String,
    successor: Option<Successor>,
    notifier: Option<Notifier>,
}

impl Startup {
    /// Takes what this program was started with. `owner` is whose the descriptors of a manager are to be, and those of
    /// [`Startup::socket`]; `deadline` is for a program before this one that does not send.
    ///
    /// Call it first in `main`: the numbers that the environment names belong to the store from then on.
    pub fn from_env(owner: &str, deadline: Option<Instant>) -> Result<Startup, StartupError> {
        let mut startup = Startup {
            store: FdStore::new(),
            origin: Origin::Fresh,
            quarantined: Vec::new(),
            owner: owner.to_owned(),
            successor: None,
            notifier: Notifier::from_env()?,
        };
        if let Some((inherited, successor)) = Successor::from_env(deadline)? {
            startup.origin = Origin::Predecessor;
            startup.store = inherited.store;
            startup.quarantined = inherited.quarantined;
            startup.successor = Some(successor);
        } else if let Some(inherited) = FdStore::from_env()? {
            startup.origin = Origin::Exec;
            startup.store = inherited.store;
            startup.quarantined = inherited.quarantined;
        } else {
            for (name, fd) in ListenFds::from_env()? {
                startup.origin = Origin::Manager;
                startup.keep(&name, fd)?;
            }
        }
        Ok(startup)
    }

    fn keep(&mut self, name: &FdName, fd: OwnedFd) -> Result<(), StartupError> {
        let inserted = self.store.insert(&self.owner, name, fd, InsertOptions::default());
        inserted.map(drop).map_err(|refused| StartupError::Keep {
            name: name.to_string(),
            rule: refused.rule,
        })
    }

    /// The descriptor of this name: the oldest one that the program was started with, or the one that `open` makes.
    /// The store keeps a duplicate for the next program. One of this name that is something else is an error.
    pub fn socket<T>(&mut self, name: &str, open: impl FnOnce() -> io::Result<T>) -> Result<T, StartupError>
    where
        T: Adopt + Into<OwnedFd>,
    {
        match self.store.share(&self.owner, name) {
            Err(AdoptError::Missing { .. }) => {}
            other => return Ok(other?),
        }
        let opening = |source| StartupError::Open {
            name: name.to_owned(),
            source,
        };
        let opened = open().map_err(opening)?;
        self.keep(&FdName::new(name)?, opened.into())?;
        Ok(self.store.share(&self.owner, name)?)
    }

    /// Says that this program serves now: to the program before it, which then stops accepting, and to a manager.
    pub fn ready(&mut self) -> Result<(), StartupError> {
        let follows = self.successor.is_some();
        if let Some(notifier) = &self.notifier {
            let mut message = Message::new();
            if follows {
                // A manager takes this from the main process and, with NotifyAccess=all, from its children.
                let own_pid = rustix::process::getpid().as_raw_nonzero();
                message = message.with("MAINPID", &own_pid.to_string());
            }
            notifier.send(&message.with("READY", "1"), &[])?;
        }
        if let Some(successor) = self.successor.take() {
            successor.ready()?;
        }
        Ok(())
    }

    /// The manager, if there is one.
    pub fn notifier(&self) -> Option<&Notifier> {
        self.notifier.as_ref()
    }
}
