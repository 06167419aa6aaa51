//! A manager, put together from its parts.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd as _, OwnedFd};

use fdstore::FdStore;
use fdstore::notify::Receiver;
use rustix::event::epoll::EventFlags;
use rustix::event::{EventfdFlags, eventfd};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with};
use softboot_engine::Engine;
use softboot_sys::signals::SignalFd;
use tracing::warn;

use super::anew::Lost;
use super::poll::Poll;
use super::timers::Timers;
use super::{Facts, Manager, Source};
use crate::cgroup::Cgroups;
use crate::client::Clients;
use crate::devices::Devices;
use crate::mounts::Mounts;
use crate::process::{PidFiles, Processes, Unclaimed};
use crate::shutdown::KernelThreads;
use crate::socket::with_mode;
use crate::tracked::Tracked;
use crate::unit_log::UnitLogs;
use crate::{clock, journal, owner, paths};

/// What a manager is put together from.
pub(crate) struct Parts {
    pub(crate) engine: Engine,
    pub(crate) store: FdStore,
    pub(crate) signals: SignalFd,
    pub(crate) notify: Receiver,
    pub(crate) facts: Facts,
}

pub(super) fn keep_own(store: &mut FdStore, name: &str, fd: OwnedFd) -> Result<(), String> {
    let name = fdstore::FdName::new(name).map_err(|error| error.to_string())?;
    store
        .insert(owner::MANAGER, &name, fd, fdstore::InsertOptions::default())
        .map_err(|error| error.to_string())?;
    Ok(())
}

/// The descriptor that tells of changes in cgroups: the one of the program before, if it has left one.
fn cgroup_events(store: &mut FdStore) -> Result<OwnedFd, String> {
    let name = fdstore::FdName::new(owner::CGROUP_EVENTS).map_err(|error| error.to_string())?;
    if let Some(fd) = store
        .find(owner::MANAGER, &name)
        .and_then(|entry| store.fd(entry))
    {
        return fd
            .try_clone_to_owned()
            .map_err(|error| format!("inotify: {error}"));
    }
    let failed = |error: std::io::Error| format!("inotify: {error}");
    let fd = Cgroups::new_events().map_err(failed)?;
    let duplicate = fd.try_clone().map_err(failed)?;
    keep_own(store, owner::CGROUP_EVENTS, duplicate)?;
    Ok(fd)
}

/// Open to all: who may do what is decided by the peer's credentials.
pub(super) fn control_listener(path: &str) -> Result<OwnedFd, String> {
    let failed = |error: rustix::io::Errno| format!("{path}: {error}");
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(failed)?;
    let address = SocketAddrUnix::new(path).map_err(failed)?;
    let _ = rustix::fs::unlink(path);
    with_mode(0o666, || bind(&fd, &address)).map_err(failed)?;
    listen(&fd, 128).map_err(failed)?;
    Ok(fd)
}

/// What a manager needs of the kernel.
struct Tools {
    poll: Poll,
    timers: Timers,
    cgroups: Cgroups,
    thread_done: OwnedFd,
}

impl Tools {
    fn make(store: &mut FdStore) -> Result<Tools, String> {
        crate::fault::kernel("assemble")?;
        let events = cgroup_events(store)?;
        Ok(Tools {
            poll: Poll::new().map_err(|error| format!("epoll: {error}"))?,
            timers: Timers::new().map_err(|error| format!("timerfd: {error}"))?,
            cgroups: Cgroups::open(events).map_err(|error| format!("cgroups: {error}"))?,
            thread_done: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
                .map_err(|error| format!("eventfd: {error}"))?,
        })
    }
}

impl Manager {
    /// Puts a manager together and watches what is always watched.
    pub(crate) fn assemble(parts: Parts) -> Result<Manager, Lost> {
        let Parts {
            engine,
            mut store,
            signals,
            notify,
            facts,
        } = parts;
        let tools = match Tools::make(&mut store) {
            Ok(tools) => tools,
            Err(reason) => return Err(Lost::the_state(reason, store, Vec::new())),
        };
        let mut manager = Manager {
            closer: std::cell::OnceCell::new(),
            engine,
            store,
            poll: tools.poll,
            timers: tools.timers,
            signals,
            notify,
            cgroups: tools.cgroups,
            devices: Devices::open(),
            mounts: Mounts::open(),
            listings: softboot_unit::Listings::default(),
            pid_files: PidFiles::default(),
            processes: Processes::default(),
            logs: UnitLogs::default(),
            clients: Clients::default(),
            invocations: Tracked::default(),
            environment: Tracked::default(),
            exit_code: 0,
            remotes: Tracked::default(),
            adoptable: Vec::new(),
            unclaimed: Unclaimed::default(),
            poll_limits: BTreeMap::new(),
            objective: None,
            marked: None,
            final_kill: None,
            kernel_threads: KernelThreads::default(),
            machine_end: None,
            definitions_since: BTreeSet::new(),
            carried: None,
            taken_over: None,
            cycles: crate::cycles::Cycles::default(),
            step_at: clock::monotonic(),
            handoff: None,
            spent_watch: None,
            turning_over: None,
            put_off: Vec::new(),
            thread_done: tools.thread_done,
            recorder: journal::Recorder::default(),
            facts,
            pending: std::collections::VecDeque::new(),
            next_token: 1,
        };
        match manager.watch_own() {
            Ok(()) => Ok(manager),
            Err(error) => {
                let store = std::mem::take(&mut manager.store);
                Err(Lost::the_state(format!("epoll: {error}"), store, Vec::new()))
            }
        }
    }

    fn watch_own(&mut self) -> Result<(), rustix::io::Errno> {
        self.poll
            .watch(Source::Signals, self.signals.as_fd(), EventFlags::IN)?;
        self.poll
            .watch(Source::Notify, self.notify.as_fd(), EventFlags::IN)?;
        self.poll
            .watch(Source::Timers, self.timers.as_fd(), EventFlags::IN)?;
        self.poll
            .watch(Source::Cgroups, self.cgroups.events(), EventFlags::IN)?;
        self.poll
            .watch(Source::ThreadDone, &self.thread_done, EventFlags::IN)?;
        if let Some(table) = self.mounts.events() {
            self.poll.watch(Source::Mounts, table, EventFlags::PRI)?;
        }
        if let Some(events) = self.devices.events() {
            self.poll.watch(Source::Devices, events, EventFlags::IN)?;
        }
        // A program before this one may not have had it, and nothing depends on it.
        if self.manager_entry(owner::VARLINK).is_none()
            && let Err(error) = control_listener(paths::VARLINK_SOCKET)
                .and_then(|listener| keep_own(&mut self.store, owner::VARLINK, listener))
        {
            warn!("tools of systemd cannot connect: {error}");
        }
        self.watch_listeners();
        Ok(())
    }
}
