//! The beginning: of a boot, or after an exec.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::process::ExitCode;

use fdstore::FdStore;
use fdstore::notify::Receiver;
use softboot_engine::{Engine, Event};
use softboot_sys::signals::SignalFd;
use softboot_sys::{crash, memory};
use softboot_unit::{JobMode, UnitName};
use tracing::{error, info};

use super::anew::boot_anew;
use super::assemble::{Parts, control_listener, keep_own};
use super::{Facts, Manager};
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

/// A bug. Nobody knows what is half done now, but the journal does, and so does the program before: whichever is armed
/// goes on. Before anything is unwound, because that closes descriptors.
fn on_panic(info: &std::panic::PanicHookInfo<'_>) {
    let text = info.payload_as_str().unwrap_or("without a word");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    crate::log::release();
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
            return boot(facts, signals, left_open);
        }
        Before::Crash(again) => match journal::resume(inherited, again, facts.clone(), signals, stopwatch) {
            Ok(manager) => return Ok(manager),
            Err(lost) => lost,
        },
        Before::Handoff(fallback) => {
            let resumed = match &fallback {
                Some(fallback) => fallback.refuse(inherited),
                None => Ok(inherited),
            };
            let tries = fallback.as_ref().map(handoff::Fallback::tries);
            let resumed = resumed
                .and_then(|inherited| handoff::take(inherited, stopwatch))
                .and_then(|taken| handoff::resume(taken, facts.clone(), signals, tries));
            match (resumed, fallback) {
                (Ok(manager), _) => return Ok(manager),
                (Err(lost), Some(fallback)) => fallback.go_back(lost),
                (Err(lost), None) => lost,
            }
        }
    };
    let signals = SignalFd::block_all().map_err(|error| format!("signals: {error}"))?;
    boot_anew(facts, signals, lost)
}

fn boot(facts: Facts, signals: SignalFd, left_open: Vec<OwnedFd>) -> Result<Manager, String> {
    let mut manager = prepare(facts, signals, FdStore::new(), left_open)?;
    manager.begin_journal(journal::Start::Nothing);
    manager.request_default();
    Ok(manager)
}

/// A manager of nothing. `store` may have PID 1's own sockets, or some of them.
pub(super) fn prepare(
    facts: Facts,
    signals: SignalFd,
    mut store: FdStore,
    left_open: Vec<OwnedFd>,
) -> Result<Manager, String> {
    info!("softbootd {} boots", env!("CARGO_PKG_VERSION"));
    let notify = match journal::notify_socket(&store) {
        Ok(notify) => notify,
        Err(_) => {
            let notify = Receiver::bind(std::path::Path::new(paths::NOTIFY_SOCKET), 0o666)
                .map_err(|error| format!("{}: {error}", paths::NOTIFY_SOCKET))?;
            let duplicate = notify
                .as_fd()
                .try_clone_to_owned()
                .map_err(|error| error.to_string())?;
            keep_own(&mut store, owner::NOTIFY, duplicate)?;
            notify
        }
    };
    let control = fdstore::FdName::new(owner::CONTROL).map_err(|error| error.to_string())?;
    if store.find(owner::MANAGER, &control).is_none() {
        keep_own(
            &mut store,
            owner::CONTROL,
            control_listener(paths::CONTROL_SOCKET)?,
        )?;
    }
    let parts = Parts {
        engine: Engine::new(),
        store,
        signals,
        notify,
        facts,
    };
    let mut manager = Manager::assemble(parts).map_err(|lost| lost.reason)?;
    manager.adoptable = left_open;
    Ok(manager)
}

impl Manager {
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
