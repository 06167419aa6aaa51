//! The other side of an upgrade. What cannot be used is logged and let go; the clients' descriptors are never given up
//! for it.

use std::os::fd::OwnedFd;
use std::path::Path;

use fdstore::listen::ListenFds;
use fdstore::{Entry, EntryId, FdKind, FdStore, Inherited};
use softboot_sys::signals::SignalFd;
use softboot_varlink::descriptors::FdConnection;

use super::client::Client;
use super::saved::{EntryId0, OWNER, STATE, Saved, SavedClient};
use super::sockets::Sockets;
use super::{Daemon, DaemonError, Options};
use crate::api::UpgradeReply;
use crate::config::Config;

const AF_UNIX: u16 = 1;
const SOCK_STREAM: u32 = 1;
const SOCK_DGRAM: u32 = 2;

impl Daemon {
    pub(super) fn resume(
        options: Options,
        signals: SignalFd,
        inherited: Inherited,
    ) -> Result<Daemon, DaemonError> {
        for warning in &inherited.warnings {
            tracing::warn!("taking over: {warning}");
        }
        for aside in &inherited.quarantined {
            tracing::error!("not taken over: {aside}");
        }
        let quarantined = inherited.quarantined.len();
        let mut store = inherited.store;
        let saved = saved(&store);
        let config = config(&options, &saved.config)?;
        let listener = take(&mut store, saved.listener).or_else(|| find(&mut store, SOCK_STREAM));
        let notify = take(&mut store, saved.notify).or_else(|| find(&mut store, SOCK_DGRAM));
        let sockets = match (listener, notify) {
            (Some(listener), Some(notify)) => Sockets::restore(listener, notify, saved.bound),
            _ => {
                tracing::error!("the sockets did not come over; binding them anew");
                for path in [&options.socket, &options.notify_socket] {
                    let _ = rustix::fs::unlink(path);
                }
                Sockets::open(&options, ListenFds::default())?
            }
        };
        let mut daemon = Daemon::assemble(options, config, store, signals, sockets)?;
        let fds = inherited.quarantined.into_iter().filter_map(|aside| aside.fd);
        daemon.closer.close(fds);
        daemon.closer.close(inherited.unclaimed);
        let mut caller = None;
        for saved in saved.clients {
            let upgrades = saved.upgrades;
            match daemon.restore_client(saved) {
                Some(id) if upgrades => caller = Some(id),
                _ => {}
            }
        }
        let left = daemon.store.remove_owner(OWNER);
        daemon.closer.close(left);
        let ids: Vec<EntryId> = daemon.store.entries().map(|entry| entry.id()).collect();
        for id in ids {
            daemon.watch_entry(id);
        }
        daemon.announce();
        daemon.answer_upgrade(caller, quarantined);
        Ok(daemon)
    }

    fn restore_client(&mut self, saved: SavedClient) -> Option<u64> {
        let fds: Vec<OwnedFd> = saved
            .fds
            .iter()
            .filter_map(|id| take(&mut self.store, id.0))
            .collect();
        let Some(socket) = take(&mut self.store, saved.socket) else {
            tracing::error!("a connection did not come over");
            self.closer.close(fds);
            return None;
        };
        let connection = match FdConnection::restore(saved.connection, fds) {
            Ok(connection) => connection,
            Err(fds) => {
                tracing::error!("a connection's descriptors did not come over; it is closed");
                self.closer.close(fds);
                self.closer.close([socket]);
                return None;
            }
        };
        let peer = connection.inner().peer();
        let mut client = Client::new(socket, peer, &self.config);
        let watches = saved.watch.is_some();
        client.connection = connection;
        client.watch = saved.watch;
        client.interest = client.wanted();
        let id = self.admit(client);
        if watches {
            self.watchers.insert(id);
        }
        // There may be a complete call that waits for its turn.
        self.busy.insert(id);
        Some(id)
    }

    fn answer_upgrade(&mut self, caller: Option<u64>, quarantined: usize) {
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let reply = UpgradeReply {
            pid: rustix::process::getpid().as_raw_nonzero().get(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            entries: count(self.store.entries().count()),
            connections: count(self.clients.len()),
            quarantined: count(quarantined),
        };
        tracing::info!(
            "took over {} descriptors and {} connections",
            reply.entries,
            reply.connections
        );
        let Some(id) = caller else { return };
        if let Some(client) = self.clients.get_mut(&id)
            && let Err(error) = client.connection.reply(&reply, Vec::new())
        {
            self.drop_for(id, &error);
        }
    }
}

fn take(store: &mut FdStore, id: EntryId0) -> Option<OwnedFd> {
    let id = EntryId(id);
    store.entry(id).filter(|entry| entry.owner() == OWNER)?;
    store.remove(id)
}

fn saved(store: &FdStore) -> Saved {
    let read = store
        .state(OWNER, STATE)
        .map_err(|error| error.to_string())
        .and_then(|bytes| Saved::decode(&bytes));
    read.unwrap_or_else(|error| {
        tracing::error!("the state of the program before this one: {error}; connections are lost");
        Saved::default()
    })
}

/// A socket of the holder's own that the state does not name, because it cannot be read.
fn find(store: &mut FdStore, wanted: u32) -> Option<OwnedFd> {
    let fits = |entry: &&Entry| match entry.identity().kind() {
        FdKind::Socket {
            domain: AF_UNIX,
            socket_type,
            listening,
        } => *socket_type == wanted && (*listening || wanted == SOCK_DGRAM),
        _ => false,
    };
    let id = store.entries_of(OWNER).find(fits)?.id();
    store.remove(id)
}

/// The file's configuration; when it is wrong, the one that held until now: ending here would lose everything.
fn config(options: &Options, before: &str) -> Result<Config, DaemonError> {
    match Config::load(options.config.as_deref()) {
        Ok(config) => Ok(config),
        Err(error) => {
            tracing::error!("{error}; the configuration from before stays");
            match Config::parse(before, Path::new("configuration from before")) {
                Ok(config) => Ok(config),
                Err(error) => {
                    tracing::error!("{error}; nobody but root and the own user is allowed anything");
                    Ok(Config::load(None)?)
                }
            }
        }
    }
}
