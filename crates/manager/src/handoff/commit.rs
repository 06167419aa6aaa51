//! Taking the snapshot, and the exec itself.

use std::ffi::CString;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStringExt;

use fdstore::memfd::sealed_memfd;
use softboot_reexec::snapshot;
use softboot_unit::Definition;
use tracing::{info, warn};

use super::{Handoff, Kind};
use crate::owner;
use crate::run::Manager;

/// The store's name of the snapshot.
pub(super) const SNAPSHOT: &str = "snapshot";
/// The store's name of the unit definitions.
pub(super) const DEFINITIONS: &str = "definitions";
/// Variables that were for this program only.
const OWN_VARIABLES: [&str; 2] = ["FDSTORE_HANDOFF", "SOFTBOOT_ANSWER_FD"];

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
        self.keep_definitions()?;
        let fd =
            snapshot::write(env!("CARGO_PKG_VERSION"), &self.snapshot(kind)).map_err(|e| e.to_string())?;
        let entry = self.keep(owner::MANAGER, SNAPSHOT, fd)?;
        let result = work(self);
        self.drop_entry(None, entry);
        result
    }

    /// Execs the next program. Returns only when that failed, with the reason; everything is then as before.
    pub(super) fn commit(&mut self, handoff: &Handoff) -> String {
        info!("handing over ({:?})", handoff.kind);
        if handoff.kind == Kind::SoftReboot {
            // The next userspace reads its own unit files.
            self.handoff_definitions_changed();
        }
        let result: Result<(), String> = self.with_snapshot(handoff.kind, |manager| {
            let (argv, mut env) = command_line(&[])?;
            let prepared = manager.store.handoff().map_err(|error| error.to_string())?;
            let (name, value) = prepared.environment();
            env.push(CString::new(format!("{name}={value}")).map_err(|error| error.to_string())?);
            Err(prepared.exec(handoff.program.as_fd(), &argv, &env).to_string())
        });
        match result {
            Err(reason) => reason,
            Ok(()) => "the exec returned without an error".to_owned(),
        }
    }

    /// The definitions are written once, when they change, and travel as they are.
    fn keep_definitions(&mut self) -> Result<(), String> {
        if self.manager_entry(DEFINITIONS).is_some() {
            return Ok(());
        }
        let all: Vec<&Definition> = self
            .engine
            .ids()
            .filter_map(|unit| self.engine.definition(unit))
            .collect();
        let bytes = serde_json::to_vec(&all).map_err(|error| format!("unit definitions: {error}"))?;
        let fd: OwnedFd = sealed_memfd("softboot-definitions", &bytes)
            .map_err(|error| format!("unit definitions: {error}"))?;
        self.keep(owner::MANAGER, DEFINITIONS, fd)?;
        Ok(())
    }

    /// Some definition changed: the next handoff writes them anew.
    pub(crate) fn handoff_definitions_changed(&mut self) {
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
        let definitions = crate::load::closure(&names, &|_| false);
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
        self.handoff_definitions_changed();
    }
}
