//! Taking the snapshot, and the exec itself.

use std::ffi::CString;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use fdstore::memfd::sealed_memfd;
use rustix::fs::{Mode, OFlags};
use softboot_reexec::{snapshot, unknown};
use softboot_sys::crash;
use softboot_unit::Definition;
use tracing::{info, warn};

use super::{Handoff, Kind};
use crate::owner;
use crate::run::Manager;

/// Who writes a snapshot. Of another writer's it is looked at what this program does not know.
#[cfg(not(feature = "next-version"))]
pub(super) const WRITER: &str = env!("CARGO_PKG_VERSION");
#[cfg(feature = "next-version")]
pub(super) use super::next_version::WRITER;
/// The store's name of the snapshot.
pub(super) const SNAPSHOT: &str = "snapshot";
/// The store's name of the unit definitions.
pub(super) const DEFINITIONS: &str = "definitions";
/// The store's name of the program that hands over, to go back to.
pub(super) const PREVIOUS_PROGRAM: &str = "previous";
/// The variable with its number: it is needed before anything can be read.
pub(super) const PREVIOUS: &str = "SOFTBOOT_PREVIOUS";
/// The variable with the number of the definitions, which are read while the descriptors are looked at.
pub(super) const DEFINITIONS_FD: &str = "SOFTBOOT_DEFINITIONS";
/// The next program has this much time until it is in charge, and four times as much as it took to say yes, which is
/// nearly the same work.
const LIMIT: Duration = Duration::from_secs(2);
/// Variables that were for this program only.
const OWN_VARIABLES: [&str; 7] = [
    "FDSTORE_HANDOFF",
    "SOFTBOOT_ANSWER_FD",
    crate::journal::VARIABLE,
    crate::journal::TRIES,
    softboot_sys::crash::VARIABLE,
    PREVIOUS,
    DEFINITIONS_FD,
];

/// This program's name, `extra` arguments, and its environment without what was for it alone.
pub(crate) fn command_line(extra: &[&str]) -> Result<(Vec<CString>, Vec<CString>), String> {
    let text = |bytes: Vec<u8>| CString::new(bytes).map_err(|error| error.to_string());
    let name = std::env::args_os()
        .next()
        .map_or_else(|| b"softbootd".to_vec(), OsStringExt::into_vec);
    let mut argv = vec![text(name)?];
    for argument in extra {
        argv.push(text(argument.as_bytes().to_vec())?);
    }
    let env = std::env::vars_os()
        .filter(|(name, _)| !OWN_VARIABLES.iter().any(|own| name == own))
        .map(|(name, value)| {
            let mut pair = name.into_vec();
            pair.push(b'=');
            pair.extend(value.into_vec());
            text(pair)
        })
        .collect::<Result<_, _>>()?;
    Ok((argv, env))
}

impl Manager {
    /// Puts a snapshot of now into the store, does `work`, and takes it out again.
    pub(crate) fn with_snapshot<T>(
        &mut self,
        kind: Kind,
        work: impl FnOnce(&mut Manager) -> Result<T, String>,
    ) -> Result<T, String> {
        self.with_empty_snapshot(kind, |manager, fd| {
            manager.fill_snapshot(kind, fd)?;
            work(manager)
        })
    }

    /// The same with a snapshot that `work` writes.
    fn with_empty_snapshot<T>(
        &mut self,
        kind: Kind,
        work: impl FnOnce(&mut Manager, &OwnedFd) -> Result<T, String>,
    ) -> Result<T, String> {
        // The next userspace reads its own unit files.
        if kind == Kind::Reexec {
            self.keep_definitions()?;
        }
        let fd = snapshot::empty().map_err(|error| error.to_string())?;
        let copy = fd.try_clone().map_err(|error| error.to_string())?;
        let entry = self.keep(owner::MANAGER, SNAPSHOT, copy)?;
        let result = work(self, &fd);
        self.drop_entry(None, entry);
        result
    }

    /// Writes the state as it is. Changes nothing.
    pub(crate) fn write_snapshot(&self, kind: Kind) -> Result<OwnedFd, String> {
        let fd = snapshot::empty().map_err(|error| error.to_string())?;
        self.fill_snapshot(kind, &fd)?;
        Ok(fd)
    }

    fn fill_snapshot(&self, kind: Kind, fd: &OwnedFd) -> Result<(), String> {
        crate::fault::kernel("snapshot")?;
        let snapshot = self.snapshot(kind);
        if self.carried.is_none() && !cfg!(feature = "next-version") {
            return snapshot::fill(fd, WRITER, &snapshot).map_err(|error| error.to_string());
        }
        let mut value = serde_json::to_value(&snapshot).map_err(|error| error.to_string())?;
        #[cfg(feature = "next-version")]
        super::next_version::add(&mut value);
        if let Some(carried) = &self.carried {
            unknown::graft(&mut value, carried);
        }
        snapshot::fill(fd, WRITER, &value).map_err(|error| error.to_string())
    }

    /// Execs the next program. Returns only when that failed, with the reason; everything is then as before.
    pub(super) fn commit(&mut self, handoff: &Handoff) -> String {
        crate::fault::place("commit");
        info!("handing over ({:?})", handoff.kind);
        // The next program has lines of its own.
        crate::log::release();
        if handoff.kind == Kind::SoftReboot {
            self.note_stops();
            self.use_plan();
        }
        let result: Result<(), String> = self.with_empty_snapshot(handoff.kind, |manager, fd| {
            let previous = rustix::fs::open("/proc/self/exe", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
                .map_err(|error| format!("this program cannot be kept to go back to: {error}"))?;
            let number = previous.as_raw_fd();
            let entry = manager.keep(owner::MANAGER, PREVIOUS_PROGRAM, previous)?;
            let reason = match manager.write_both(handoff.kind, fd) {
                Ok(prepared) => manager.exec_next(handoff, &prepared, number),
                Err(reason) => reason,
            };
            manager.drop_entry(None, entry);
            Err(reason)
        });
        match result {
            Err(reason) => reason,
            Ok(()) => "the exec returned without an error".to_owned(),
        }
    }

    /// The snapshot, and beside it the list of all descriptors: nobody is answered meanwhile.
    fn write_both(&self, kind: Kind, fd: &OwnedFd) -> Result<fdstore::Handoff<'_>, String> {
        let store = &self.store;
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("manifest".to_owned());
            let beside = thread.spawn_scoped(scope, || {
                crate::fault::place("manifest");
                store.handoff()
            });
            self.fill_snapshot(kind, fd)?;
            let prepared = match beside {
                Ok(thread) => match thread.join() {
                    Ok(prepared) => prepared,
                    Err(_) => return Err("the thread that wrote the list of descriptors panicked".to_owned()),
                },
                // Without a thread it is written here.
                Err(_) => store.handoff(),
            };
            prepared.map_err(|error| error.to_string())
        })
    }

    fn exec_next(&self, handoff: &Handoff, prepared: &fdstore::Handoff<'_>, previous: i32) -> String {
        let environment = || {
            let (argv, mut env) = command_line(&[])?;
            let (name, value) = prepared.environment();
            let definitions = self
                .manager_entry(DEFINITIONS)
                .and_then(|entry| self.store.fd(entry));
            let definitions = definitions.map(|fd| format!("{DEFINITIONS_FD}={}", fd.as_raw_fd()));
            let more = [format!("{name}={value}"), format!("{PREVIOUS}={previous}")];
            for text in more.into_iter().chain(definitions) {
                env.push(CString::new(text).map_err(|error| error.to_string())?);
            }
            Ok::<_, String>((argv, env))
        };
        let (argv, env) = match environment() {
            Ok(environment) => environment,
            Err(reason) => return reason,
        };
        // Without it a program that hangs would not be noticed, and everything else is as safe.
        let limit = LIMIT.saturating_add(handoff.verified_in.saturating_mul(4));
        if let Err(error) = crash::deadline(limit) {
            warn!("the next program has no time limit: {error}");
        }
        if let Err(error) = crate::fault::kernel("exec") {
            crash::done();
            return error;
        }
        let error = prepared.exec(handoff.program.as_fd(), &argv, &env);
        crash::done();
        error.to_string()
    }

    /// The definitions are written once and travel as they are. What few were read since is in the snapshot; when they
    /// are many, all are written again.
    fn keep_definitions(&mut self) -> Result<(), String> {
        let many = self.definitions_since.len() > self.engine.ids().count() / 4;
        if let Some(entry) = self.manager_entry(DEFINITIONS) {
            if !many {
                return Ok(());
            }
            self.drop_entry(None, entry);
        }
        let all = self.engine.ids().filter_map(|unit| self.engine.definition(unit));
        let bytes = super::definitions::encode(all, None, Some(self.engine.related()))
            .map_err(|error| format!("unit definitions: {error}"))?;
        let fd: OwnedFd = sealed_memfd("softboot-definitions", &bytes)
            .map_err(|error| format!("unit definitions: {error}"))?;
        self.keep(owner::MANAGER, DEFINITIONS, fd)?;
        self.definitions_since.clear();
        Ok(())
    }

    /// These were read: the next snapshot has them.
    pub(crate) fn definitions_read(&mut self, definitions: &[Definition]) {
        let names = definitions.iter().map(|definition| definition.name.clone());
        self.definitions_since.extend(names);
    }

    /// All of them may be different: the next handoff writes them anew.
    pub(crate) fn all_definitions_changed(&mut self) {
        self.definitions_since.clear();
        self.drop_plan();
        if let Some(entry) = self.manager_entry(DEFINITIONS) {
            self.drop_entry(None, entry);
        }
    }

    /// SIGHUP or a client: every unit file is read again.
    pub(crate) fn reload(&mut self) {
        info!("reading all unit files again");
        let mut names: Vec<_> = self
            .engine
            .ids()
            .filter_map(|unit| self.engine.name(unit))
            .cloned()
            .collect();
        names.extend(crate::run::boot_units(&self.facts));
        let definitions = crate::load::closure(&names, &|_| false, &self.listings);
        for definition in &definitions {
            crate::run::report_diagnostics(definition);
        }
        if definitions.is_empty() {
            warn!("no unit file could be read; the old definitions stay");
            return;
        }
        self.feed(softboot_engine::Event::Loaded(definitions));
        self.devices.look = true;
        self.mounts.look = true;
        self.all_definitions_changed();
        self.give_back_soon();
    }
}
