//! The beginning: of a boot, or after an exec.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::process::ExitCode;

use fdstore::FdStore;
use fdstore::notify::Receiver;
use rustix::event::epoll::EventFlags;
use rustix::event::{EventfdFlags, eventfd};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with};
use softboot_engine::{Engine, Event};
use softboot_sys::signals::SignalFd;
use softboot_sys::{crash, memory};
use softboot_unit::{JobMode, UnitName};
use tracing::{error, info, warn};

use super::poll::Poll;
use super::timers::Timers;
use super::{Facts, Manager, Source};
use crate::cgroup::Cgroups;
use crate::client::Clients;
use crate::devices::Devices;
use crate::mounts::Mounts;
use crate::process::{PidFiles, Processes};
use crate::shutdown::KernelThreads;
use crate::socket::with_mode;
use crate::tracked::Tracked;
use crate::unit_log::UnitLogs;
use crate::{clock, handoff, journal, owner, paths, setup};

/// Units that signals and failures ask for, so they must be known before they are needed.
const SPECIAL: [&str; 12] = [
    "soft-reboot.target",
    "reboot.target",
    "poweroff.target",
    "halt.target",
    "kexec.target",
    "exit.target",
    "rescue.target",
    "emergency.target",
    "multi-user.target",
    "ctrl-alt-del.target",
    "sigpwr.target",
    "kbrequest.target",
];

/// What a manager is put together from.
pub(crate) struct Parts {
    pub(crate) engine: Engine,
    pub(crate) store: FdStore,
    pub(crate) signals: SignalFd,
    pub(crate) notify: Receiver,
    pub(crate) facts: Facts,
}

/// A bug. Nobody knows what is half done now, but the journal does, and so does the program before: whichever is armed
/// goes on. Before anything is unwound, because that closes descriptors.
fn on_panic(info: &std::panic::PanicHookInfo<'_>) {
    let text = info.payload_as_str().unwrap_or("without a word");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let failed = crash::replace(&format!("internal error at {place}: {text}"));
    error!("internal error at {place}: {text}; and nothing can be executed anew: {failed}");
}

/// What was in this process before this program.
enum Before {
    /// Nothing that matters.
    Nothing,
    /// This program, until it crashed.
    Crash(journal::Again),
    /// A program that hands over, and how to go back to it.
    Handoff(Option<handoff::Fallback>),
}

impl Before {
    /// Looks, and makes ready for a crash in the middle of taking over.
    fn arm(inherited: &mut BTreeMap<i32, OwnedFd>) -> Before {
        if let Some(again) = journal::Again::arm(inherited) {
            return Before::Crash(again);
        }
        if std::env::var_os("FDSTORE_HANDOFF").is_some() {
            return Before::Handoff(handoff::Fallback::arm(inherited));
        }
        Before::Nothing
    }
}

/// PID 1 starts here.
pub(crate) fn init_main() -> ExitCode {
    // First of all: nothing else may have opened a descriptor, and nothing can crash before this.
    let handlers = crash::install();
    let stopwatch = handoff::Stopwatch::start();
    memory::keep_large_pieces_apart();
    memory::take_in_large_steps();
    std::panic::set_hook(Box::new(on_panic));
    let mut inherited = softboot_sys::inherited::take_all();
    let before = inherited.as_mut().ok().map_or(Before::Nothing, Before::arm);
    if !rustix::process::getpid().is_init() {
        use std::io::Write as _;
        let _ = writeln!(
            std::io::stderr(),
            "softbootd: this is PID 1 of a machine or container and does nothing else; try `cargo xtask vm`, or \
             --help"
        );
        return ExitCode::FAILURE;
    }
    let container = setup::in_container();
    setup::mount_api_file_systems();
    crate::log::start(container);
    let inherited = inherited.unwrap_or_else(|error| {
        error!("cannot look for inherited descriptors: {error}");
        BTreeMap::new()
    });
    if let Err(error) = handlers {
        error!("a crash of softbootd would be the end: {error}");
    }
    match begin(container, inherited, before, stopwatch) {
        Ok(manager) => manager.run(),
        Err(reason) => {
            error!("softbootd cannot start: {reason}");
            // PID 1 must not end: the kernel would panic. Somebody may still want to look.
            loop {
                rustix::event::pause();
            }
        }
    }
}

/// Where we run, before anything is known of an earlier program.
pub(crate) fn boot_facts() -> Facts {
    let container = setup::in_container();
    Facts {
        container,
        command_line: setup::kernel_command_line(container),
        program: own_program(),
        started: clock::monotonic(),
        boot_finished: None,
        reexecs: 0,
        service_nofile: setup::original_limits(),
    }
}

/// The unit to boot, first, and the special ones.
pub(crate) fn boot_units(facts: &Facts) -> Vec<UnitName> {
    let chosen = facts
        .command_line
        .iter()
        .filter_map(|word| {
            word.strip_prefix("softboot.unit=")
                .or_else(|| word.strip_prefix("systemd.unit="))
        })
        .filter_map(|name| UnitName::new(name).ok())
        .next_back();
    let default = UnitName::new(paths::DEFAULT_UNIT).ok();
    chosen
        .or(default)
        .into_iter()
        .chain(SPECIAL.iter().filter_map(|name| UnitName::new(name).ok()))
        .collect()
}

/// How the first unit is started. A boot after a soft-reboot stops what the old userspace has left (semantics 7.7), if the
/// unit can be isolated; one that was chosen on the kernel's command line often cannot.
pub(crate) fn boot_mode(after_soft_reboot: bool, allow_isolate: bool) -> JobMode {
    if after_soft_reboot && allow_isolate {
        JobMode::Isolate
    } else {
        JobMode::Replace
    }
}

/// The installed program: where this one came from, so that a package upgrade is picked up by a re-exec.
fn own_program() -> PathBuf {
    let own = fs::read_link("/proc/self/exe").ok().filter(|path| path.exists());
    own.unwrap_or_else(|| PathBuf::from(paths::INSTALLED))
}

fn begin(
    container: bool,
    inherited: BTreeMap<i32, OwnedFd>,
    before: Before,
    stopwatch: handoff::Stopwatch,
) -> Result<Manager, String> {
    let signals = SignalFd::block_all().map_err(|error| format!("signals: {error}"))?;
    // First the limits: what services may have is bounded by what PID 1 has.
    setup::prepare_host(container);
    let facts = boot_facts();
    if !container {
        setup::disable_ctrl_alt_del();
    }
    for directory in [paths::RUN, paths::LOGS, paths::BOOTED_MARK] {
        fs::create_dir_all(directory).map_err(|error| format!("{directory}: {error}"))?;
    }
    let lost = match before {
        Before::Nothing => {
            let left_open = inherited.into_values().collect();
            return boot(facts, signals, FdStore::new(), left_open);
        }
        Before::Crash(again) => {
            let why = std::env::var(crash::VARIABLE).unwrap_or_default();
            match journal::resume(inherited, again, &why, facts.clone(), signals, stopwatch) {
                Ok(manager) => return Ok(manager),
                Err(lost) => lost,
            }
        }
        Before::Handoff(fallback) => {
            let goes_back = fallback.is_some();
            let resumed = handoff::take(inherited, stopwatch)
                .and_then(|taken| handoff::resume(taken, facts.clone(), signals, fallback));
            let reason = match resumed {
                Ok(manager) => return Ok(manager),
                Err(reason) => reason,
            };
            if goes_back {
                // The program before knows better what to do with its state.
                let failed = crash::replace(&format!("it cannot take over: {reason}"));
                error!("cannot go back to the program before: {failed}");
            }
            journal::Lost::everything(reason)
        }
    };
    error!(
        "the state of the program before cannot be taken over, booting anew with its descriptors: {}",
        lost.reason
    );
    let signals = SignalFd::block_all().map_err(|error| format!("signals: {error}"))?;
    let (store, ports) = owner::salvage(*lost.store);
    boot(facts, signals, store, ports)
}

fn boot(
    facts: Facts,
    signals: SignalFd,
    mut store: FdStore,
    left_open: Vec<OwnedFd>,
) -> Result<Manager, String> {
    info!("softbootd {} boots", env!("CARGO_PKG_VERSION"));
    let notify = Receiver::bind(std::path::Path::new(paths::NOTIFY_SOCKET), 0o666)
        .map_err(|error| format!("{}: {error}", paths::NOTIFY_SOCKET))?;
    let duplicate = notify
        .as_fd()
        .try_clone_to_owned()
        .map_err(|error| error.to_string())?;
    keep_own(&mut store, "notify", duplicate)?;
    keep_own(
        &mut store,
        owner::CONTROL,
        control_listener(paths::CONTROL_SOCKET)?,
    )?;
    let parts = Parts {
        engine: Engine::new(),
        store,
        signals,
        notify,
        facts,
    };
    let mut manager = Manager::assemble(parts)?;
    manager.adoptable = left_open;
    manager.begin_journal(journal::Start::Nothing);
    manager.request_default();
    manager.tell_stored();
    Ok(manager)
}

fn keep_own(store: &mut FdStore, name: &str, fd: OwnedFd) -> Result<(), String> {
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
fn control_listener(path: &str) -> Result<OwnedFd, String> {
    let failed = |error: rustix::io::Errno| format!("{path}: {error}");
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(failed)?;
    let address = SocketAddrUnix::new(path).map_err(failed)?;
    let _ = rustix::fs::unlink(path);
    with_mode(0o666, || bind(&fd, &address)).map_err(failed)?;
    listen(&fd, 128).map_err(failed)?;
    Ok(fd)
}

impl Manager {
    /// Puts a manager together and watches what is always watched.
    pub(crate) fn assemble(parts: Parts) -> Result<Manager, String> {
        let Parts {
            engine,
            mut store,
            signals,
            notify,
            facts,
        } = parts;
        let events = cgroup_events(&mut store)?;
        let mut manager = Manager {
            closer: std::cell::OnceCell::new(),
            engine,
            store,
            poll: Poll::new().map_err(|error| format!("epoll: {error}"))?,
            timers: Timers::new().map_err(|error| format!("timerfd: {error}"))?,
            signals,
            notify,
            cgroups: Cgroups::open(events).map_err(|error| format!("cgroups: {error}"))?,
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
            poll_limits: BTreeMap::new(),
            objective: None,
            final_kill: None,
            kernel_threads: KernelThreads::default(),
            machine_end: None,
            definitions_since: BTreeSet::new(),
            carried: None,
            taken_over: None,
            cycles: crate::cycles::Cycles::default(),
            step_at: clock::monotonic(),
            handoff: None,
            turning_over: None,
            put_off: Vec::new(),
            thread_done: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
                .map_err(|error| format!("eventfd: {error}"))?,
            recorder: journal::Recorder::default(),
            facts,
            pending: std::collections::VecDeque::new(),
            next_token: 1,
        };
        manager.watch_own().map_err(|error| format!("epoll: {error}"))?;
        Ok(manager)
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

    /// Starts what this userspace is for.
    pub(crate) fn request_default(&mut self) {
        setup::stage_os_release();
        self.load_units(&boot_units(&self.facts));
        self.request_boot();
    }

    /// The same when its units are known, those without a file among them. A soft-reboot isolates it, so that nothing of the
    /// old one lingers (semantics 7.7).
    pub(crate) fn request_boot(&mut self) {
        let Some(unit) = boot_units(&self.facts).into_iter().next() else {
            return;
        };
        let allowed = self.pending_definition_allows_isolate(&unit);
        let mode = boot_mode(self.engine.soft_reboots() > 0, allowed);
        self.start_own(unit, mode);
    }

    /// The definitions just loaded are still on their way to the engine.
    fn pending_definition_allows_isolate(&self, unit: &UnitName) -> bool {
        let pending = self.pending.iter().rev().find_map(|event| match event {
            Event::Loaded(definitions) => definitions
                .iter()
                .find(|d| d.name == *unit || d.aliases.contains(unit)),
            _ => None,
        });
        let known = || {
            self.engine
                .unit(unit)
                .and_then(|unit| self.engine.definition(unit))
        };
        pending
            .or_else(known)
            .is_some_and(|definition| definition.unit.allow_isolate)
    }

    /// The next number, for the snapshot.
    pub(crate) fn peek_token(&self) -> u64 {
        self.next_token
    }

    /// Goes on where the program before stopped.
    pub(crate) fn start_tokens_at(&mut self, next: u64) {
        self.next_token = next.max(1);
    }
}
