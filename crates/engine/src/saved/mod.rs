//! The engine's state over an exec (semantics 6.5, 7.7, 7.8).
//!
//! Units are saved by name; ids are given anew, in the same order, so that whatever is done in the order of ids is
//! done in the same order afterwards. Definitions travel beside this, but for a unit with processes or open ports
//! its own definition is here too: the next root may not have its file, and it must still be possible to stop it.

mod image;
mod in_place;
mod restore;
mod save;
mod table;

pub use image::ImageUnit;
pub use in_place::{Compared, NextUserspace};
pub use restore::Resume;
pub use table::Table;

use serde::{Deserialize, Serialize};
use softboot_unit::{Definition, UnitName, Usec};

use crate::ending::Ending;
use crate::engine::RetryFlag;
use crate::event::{JobId, ProcId, RequestId};
use crate::limit::Limiter;
use crate::mount::Mount;
use crate::service::Service;
use crate::socket::Socket;
use crate::state::JobKind;

/// Everything that [`crate::Engine::restore`] needs beside the definitions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SavedEngine {
    units: Vec<SavedUnit>,
    jobs: Vec<SavedJob>,
    last_job: u32,
    processes: Vec<(ProcId, UnitName)>,
    next_process: u64,
    deferred: Vec<UnitName>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    staying: Vec<UnitName>,
    /// Units that the next load may forget, if nobody has used them by then.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fresh: Vec<UnitName>,
    retry: RetryFlag,
    ending: Option<Ending>,
    soft_reboots: u32,
    boot_requested: bool,
    boot_finished: bool,
    ctrl_alt_del: Vec<Usec>,
}

impl SavedEngine {
    /// Every unit there was, in order.
    pub fn units(&self) -> impl Iterator<Item = &UnitName> {
        self.units.iter().map(|unit| &unit.name)
    }

    /// The sockets that have open ports, as they are configured.
    pub fn open_sockets(&self) -> impl Iterator<Item = &Definition> {
        let open = |unit: &&SavedUnit| {
            unit.socket
                .as_ref()
                .is_some_and(|socket| socket.state.has_ports())
        };
        self.units
            .iter()
            .filter(open)
            .filter_map(|unit| unit.definition.as_deref())
    }
}

/// One unit that is not as a fresh one would be, or whose place in the order has to be kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct SavedUnit {
    name: UnitName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    definition: Option<Box<Definition>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service: Option<Box<Service>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    socket: Option<Box<Socket>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mount: Option<Box<Mount>>,
    #[serde(default, skip_serializing_if = "is_default")]
    on: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    checking: Option<JobId>,
    #[serde(default, skip_serializing_if = "is_default")]
    start_limit: Limiter,
    #[serde(default, skip_serializing_if = "is_default")]
    automatic_limit: Limiter,
    #[serde(default, skip_serializing_if = "is_default")]
    changed_realtime: Usec,
    #[serde(default, skip_serializing_if = "is_default")]
    changed_monotonic: Usec,
}

/// Most units are as a fresh one is, and a snapshot of many must not cost more than those that are not.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct SavedJob {
    id: JobId,
    unit: UnitName,
    kind: JobKind,
    #[serde(default)]
    running: bool,
    #[serde(default)]
    irreversible: bool,
    #[serde(default)]
    ignore_order: bool,
    #[serde(default)]
    no_late_merge: bool,
    #[serde(default)]
    requests: Vec<RequestId>,
    #[serde(default)]
    begin: Usec,
    #[serde(default)]
    deadline: Option<Usec>,
    #[serde(default, skip_serializing_if = "is_default")]
    urgent: bool,
}
