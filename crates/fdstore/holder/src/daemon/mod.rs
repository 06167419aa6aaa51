//! The holder: one thread around an epoll loop.
//!
//! ```text
//!   clients ── frames ──> calls ──> store ──> events ──> watchers
//!   notify  ── datagrams ───────────^  ^
//!   hang-ups, expiries ────────────────┘        what leaves ──> closer (a thread: closing may block)
//! ```
//!
//! Nothing here waits for a client. Each wake-up does a bounded amount of work for each source, so that none starves
//! the others; what was left over comes with the next turn.
//!
//! An upgrade (module `upgrade`) puts everything that lives (sockets, connections, half-read messages) into the store
//! beside what clients have stored, and executes the new program with it; module `resume` is the other side.

mod answer;
mod client;
mod complaints;
mod connections;
mod entries;
mod notify;
mod poll;
mod resume;
mod saved;
mod signals;
mod sockets;
mod timer;
mod upgrade;
mod watch;

pub use saved::check_handoff;
pub use sockets::SocketError;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;

use fdstore::listen::ListenFds;
use fdstore::notify::Notifier;
use fdstore::{FdStore, boottime_usec};
use rustix::event::epoll::EventFlags;
use softboot_sys::signals::SignalFd;

use crate::config::{Config, ConfigError};
use client::Client;
use complaints::Complaints;
use fdstore::Closer;
use poll::{Poll, Token};
use sockets::Sockets;
use timer::Timer;
use upgrade::Upgrade;

/// How the holder is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// The configuration; the built-in one without it.
    pub config: Option<PathBuf>,
    /// Where to listen for Varlink.
    pub socket: PathBuf,
    /// Where to listen for notifications.
    pub notify_socket: PathBuf,
}

/// Why the holder cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The sockets cannot be had.
    #[error(transparent)]
    Sockets(#[from] SocketError),
    /// The store that the program before this one handed over cannot be taken.
    #[error(transparent)]
    Handoff(#[from] fdstore::FromEnvError),
    /// The system refused something that the loop needs.
    #[error("{what}: {source}")]
    System {
        /// What was being done.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
}

fn system<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> DaemonError {
    move |error| DaemonError::System {
        what,
        source: error.into(),
    }
}

fn spare() -> Option<OwnedFd> {
    std::fs::File::open("/dev/null").ok().map(OwnedFd::from)
}

/// Everything that lives.
pub struct Daemon {
    options: Options,
    config: Config,
    store: FdStore,
    poll: Poll,
    timer: Timer,
    signals: SignalFd,
    sockets: Sockets,
    clients: BTreeMap<u64, Client>,
    next_client: u64,
    /// Clients with a complete call that waits for its turn.
    busy: BTreeSet<u64>,
    /// Clients that are told of events.
    watchers: BTreeSet<u64>,
    closer: Closer,
    complaints: Complaints,
    upgrade: Option<Upgrade>,
    /// Given up when there are no free descriptors, so that one can be had for a moment.
    spare: Option<OwnedFd>,
    manager: Option<Notifier>,
    /// The signal that ends the loop.
    ended_by: Option<i32>,
}

impl Daemon {
    /// Takes over from the program before this one if there is one, otherwise starts afresh. Call it first in `main`.
    pub fn start(options: Options) -> Result<Daemon, DaemonError> {
        // Before this program opens anything of its own: the numbers that were passed belong to what was passed. After
        // an upgrade signals are blocked all the while, because the mask crosses execve.
        let inherited = FdStore::from_env()?;
        let passed = match &inherited {
            Some(_) => ListenFds::default(),
            None => ListenFds::from_env().map_err(SocketError::from)?,
        };
        // Before any thread: threads inherit the mask.
        let signals = SignalFd::block_all().map_err(system("blocking signals"))?;
        if let Some(inherited) = inherited {
            return Daemon::resume(options, signals, inherited);
        }
        let config = Config::load(options.config.as_deref())?;
        let sockets = Sockets::open(&options, passed)?;
        let mut daemon = Daemon::assemble(options, config, FdStore::new(), signals, sockets)?;
        daemon.announce();
        Ok(daemon)
    }

    fn assemble(
        options: Options,
        config: Config,
        store: FdStore,
        signals: SignalFd,
        sockets: Sockets,
    ) -> Result<Daemon, DaemonError> {
        let poll = Poll::new().map_err(system("creating an epoll descriptor"))?;
        let timer = Timer::new().map_err(system("creating a timer"))?;
        for (fd, token) in [
            (sockets.listener(), Token::Listener),
            (sockets.notify(), Token::Notify),
            (timer.fd(), Token::Timer),
            (signals.as_fd(), Token::Signals),
        ] {
            poll.add(fd, token, EventFlags::IN)
                .map_err(system("watching a socket"))?;
        }
        let closer = Closer::start().map_err(system("starting the closing thread"))?;
        let manager = Notifier::from_env().unwrap_or_else(|error| {
            tracing::warn!("the manager is not told anything: {error}");
            None
        });
        let daemon = Daemon {
            options,
            config,
            store,
            poll,
            timer,
            signals,
            sockets,
            clients: BTreeMap::new(),
            next_client: 1,
            busy: BTreeSet::new(),
            watchers: BTreeSet::new(),
            closer,
            complaints: Complaints::default(),
            upgrade: None,
            spare: spare(),
            manager,
            ended_by: None,
        };
        daemon.raise_limit();
        Ok(daemon)
    }

    /// As many open files as the system lets us have; says so when that is less than what is promised.
    fn raise_limit(&self) {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        let _ = setrlimit(Resource::Nofile, limit);
        let limits = &self.config.limits;
        // A connection has its socket, and a message's descriptors for a moment.
        let wanted = limits
            .entries
            .saturating_add(limits.connections)
            .saturating_add(softboot_varlink::MAX_FDS);
        if let Some(have) = getrlimit(Resource::Nofile).current
            && have < u64::try_from(wanted).unwrap_or(u64::MAX)
        {
            tracing::warn!(
                "the limits promise {wanted} descriptors, but this process may have {have} (RLIMIT_NOFILE)"
            );
        }
    }

    /// Tells the log and the manager that all is well.
    fn announce(&mut self) {
        tracing::info!(
            "keeping {} descriptors; listening on {}",
            self.store.entries().count(),
            self.sockets.describe()
        );
        if let Some(manager) = &self.manager
            && let Err(error) = manager.ready()
        {
            tracing::warn!("telling the manager: {error}");
        }
    }

    /// Runs until a signal ends it. What is in the store is lost then, and said so.
    pub fn run(&mut self) -> Result<(), DaemonError> {
        while self.ended_by.is_none() {
            self.arm();
            let events = self
                .poll
                .wait(!self.busy.is_empty())
                .map_err(system("waiting for events"))?;
            for (token, flags) in events {
                self.handle(token, flags);
            }
            for id in std::mem::take(&mut self.busy) {
                self.advance(id);
            }
            self.expire();
        }
        self.end();
        Ok(())
    }

    fn handle(&mut self, token: Token, flags: EventFlags) {
        match token {
            Token::Listener => self.accept(),
            Token::Notify => self.receive_notifications(),
            Token::Signals => self.receive_signals(),
            Token::Timer => self.timer.acknowledge(),
            Token::Checker => self.check_ended(),
            Token::Client(id) => self.client_ready(id, flags),
            Token::Entry(id) => self.hung_up(id),
        }
    }

    /// Sets the timer to whatever comes next.
    fn arm(&mut self) {
        let stall = crate::duration::usec(self.config.limits.stall);
        let stalls = self
            .clients
            .values()
            .filter_map(|client| Some(client.stalled_since?.saturating_add(stall)));
        let next = stalls
            .chain(self.store.next_expiry())
            .chain(self.upgrade.as_ref().map(Upgrade::deadline))
            .min();
        if let Err(error) = self.timer.set(next) {
            tracing::error!("setting the timer: {error}");
        }
    }

    /// Lets go of whatever has had its time.
    fn expire(&mut self) {
        let now = boottime_usec();
        self.expire_entries(now);
        self.expire_clients(now);
        self.expire_upgrade(now);
    }

    fn end(&mut self) {
        let entries = self.store.entries().count();
        if entries > 0 {
            tracing::warn!("ending with {entries} descriptors in store; they are closed now");
            for owner in self.store.owners() {
                tracing::warn!("  {owner}: {}", self.store.count(owner));
            }
        } else {
            tracing::info!("ending; the store is empty");
        }
        if let Some(manager) = &self.manager {
            let _ = manager.stopping();
        }
        self.sockets.unlink();
    }
}
