//! What crosses as data: the engine's state and the manager's.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use softboot_engine::{FdToken, ProcId, SavedEngine};
use softboot_unit::{Definition, UnitName, Usec};

use super::Kind;
use crate::client::Clients;
use crate::clock;
use crate::cycles::Cycles;
use crate::environment::Remote;
use crate::process::Process;
use crate::run::Manager;
use crate::tracked::Tracked;
use crate::unit_log::UnitLogs;

/// The payload of a snapshot.
#[derive(Serialize, Deserialize)]
pub(crate) struct Snapshot {
    /// Why it was taken.
    pub(crate) kind: Kind,
    /// The engine's part.
    pub(crate) engine: SavedEngine,
    /// The manager's part.
    pub(crate) manager: ManagerState,
    /// Definitions that are newer than those beside the snapshot.
    #[serde(default)]
    pub(crate) definitions: Vec<Definition>,
}

/// Everything of the manager that is neither a descriptor nor found again by looking at the system.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ManagerState {
    /// Processes by token. Their pidfds are in the store.
    pub(crate) processes: Tracked<ProcId, Process>,
    /// Control clients and what they wait for.
    pub(crate) clients: Clients,
    /// Lines whose end has not come yet.
    pub(crate) logs: UnitLogs,
    /// INVOCATION_ID by unit.
    pub(crate) invocations: Tracked<UnitName, String>,
    /// Variables that every service starts with.
    pub(crate) environment: Tracked<String, String>,
    /// What a container ends with.
    pub(crate) exit_code: u8,
    /// Signals for the next userspace. A handoff leaves them to the kernel, which keeps them; after a crash they are here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) put_off: Vec<i32>,
    /// Who is behind accepted connections.
    pub(crate) remotes: Tracked<FdToken, Remote>,
    /// Units that are not plainly inactive: a soft-reboot loads them beside the boot's.
    pub(crate) units: Vec<UnitName>,
    /// The next number for connections and requests.
    pub(crate) next_token: u64,
    /// Where the program is.
    pub(crate) program: PathBuf,
    /// CLOCK_MONOTONIC when this userspace began.
    pub(crate) started: Usec,
    /// CLOCK_MONOTONIC when its boot was complete.
    pub(crate) boot_finished: Option<Usec>,
    /// Re-execs of this userspace.
    pub(crate) reexecs: u32,
    /// Limits that services start with.
    pub(crate) service_nofile: (u64, u64),
    /// CLOCK_MONOTONIC when this was written.
    pub(crate) written: Usec,
    /// What the last handoffs and crashes cost, and this one so far.
    pub(crate) cycles: Cycles,
    /// What another version wrote and this one does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) carried: Option<Value>,
}

/// The same with references, so that a snapshot of a large manager copies nothing.
#[derive(Serialize)]
pub(crate) struct SnapshotRef<'a> {
    kind: Kind,
    engine: SavedEngine,
    manager: ManagerStateRef<'a>,
    definitions: Vec<&'a Definition>,
}

#[derive(Serialize)]
pub(crate) struct ManagerStateRef<'a> {
    processes: &'a Tracked<ProcId, Process>,
    clients: &'a Clients,
    logs: &'a UnitLogs,
    invocations: &'a Tracked<UnitName, String>,
    environment: &'a Tracked<String, String>,
    exit_code: u8,
    #[serde(skip_serializing_if = "is_empty")]
    put_off: &'a [i32],
    remotes: &'a Tracked<FdToken, Remote>,
    units: Vec<&'a UnitName>,
    next_token: u64,
    program: &'a PathBuf,
    started: Usec,
    boot_finished: Option<Usec>,
    reexecs: u32,
    service_nofile: (u64, u64),
    written: Usec,
    cycles: &'a Cycles,
    #[serde(skip_serializing_if = "Option::is_none")]
    carried: &'a Option<Value>,
}

fn is_empty(numbers: &[i32]) -> bool {
    numbers.is_empty()
}

impl Manager {
    /// The state as it is now.
    pub(crate) fn snapshot(&self, kind: Kind) -> SnapshotRef<'_> {
        SnapshotRef {
            kind,
            engine: match kind {
                Kind::Reexec => self.engine.save_beside_definitions(),
                Kind::SoftReboot => self.engine.save(),
            },
            manager: self.state(),
            definitions: match kind {
                Kind::Reexec => self.newer_definitions(),
                // The next userspace reads its own.
                Kind::SoftReboot => Vec::new(),
            },
        }
    }

    fn newer_definitions(&self) -> Vec<&Definition> {
        let units = self.definitions_since.iter();
        units
            .filter_map(|name| self.engine.definition(self.engine.unit(name)?))
            .collect()
    }

    /// The manager's part.
    pub(crate) fn state(&self) -> ManagerStateRef<'_> {
        ManagerStateRef {
            processes: self.processes.saved(),
            clients: &self.clients,
            logs: &self.logs,
            invocations: &self.invocations,
            environment: &self.environment,
            exit_code: self.exit_code,
            put_off: &self.put_off,
            remotes: &self.remotes,
            units: self.names_to_keep().collect(),
            next_token: self.peek_token(),
            program: &self.facts.program,
            started: self.facts.started,
            boot_finished: self.facts.boot_finished,
            reexecs: self.facts.reexecs,
            service_nofile: self.facts.service_nofile,
            written: clock::monotonic(),
            cycles: &self.cycles,
            carried: &self.carried,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_borrowed_form_has_the_same_fields_as_the_owned_one() {
        // A snapshot written with one and read with the other must not lose a field silently.
        let owned = ManagerState {
            processes: Tracked::default(),
            clients: Clients::default(),
            logs: UnitLogs::default(),
            invocations: Tracked::default(),
            environment: Tracked::default(),
            exit_code: 9,
            put_off: vec![38],
            remotes: Tracked::default(),
            units: Vec::new(),
            next_token: 7,
            program: PathBuf::from("/x"),
            started: Usec(1),
            boot_finished: Some(Usec(2)),
            reexecs: 3,
            service_nofile: (4, 5),
            written: Usec(6),
            cycles: Cycles::default(),
            carried: Some(Value::Bool(true)),
        };
        let borrowed = ManagerStateRef {
            processes: &owned.processes,
            clients: &owned.clients,
            logs: &owned.logs,
            invocations: &owned.invocations,
            environment: &owned.environment,
            exit_code: owned.exit_code,
            put_off: &owned.put_off,
            remotes: &owned.remotes,
            units: Vec::new(),
            next_token: owned.next_token,
            program: &owned.program,
            started: owned.started,
            boot_finished: owned.boot_finished,
            reexecs: owned.reexecs,
            service_nofile: owned.service_nofile,
            written: owned.written,
            cycles: &owned.cycles,
            carried: &owned.carried,
        };
        assert_eq!(
            serde_json::to_value(&owned).unwrap(),
            serde_json::to_value(&borrowed).unwrap()
        );
    }
}
