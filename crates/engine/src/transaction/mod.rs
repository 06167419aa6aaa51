//! From one request to jobs in the table (semantics 2.3 to 2.5).
//!
//! | step | file | what |
//! |---|---|---|
//! | build | `build` | the requested job (the anchor) and everything its dependencies pull in, as a `draft` |
//! | isolate, triggering | `extra` | jobs that the mode adds |
//! | activate 1 to 7 | `activate`, `cycle`, `merge` | drop what is not needed, break circles, one job a unit |
//! | activate 8, 9 | `apply` | refuse what would destroy, or install |
//! | explain | `explain`, `refusal` | what would be done or is refused, as data |
//!
//! Until the last step nothing outside the draft changes, so a refusal leaves the engine as it was.

mod activate;
mod apply;
mod build;
mod cycle;
mod draft;
mod explain;
mod extra;
mod merge;
mod numbers;
mod path;
mod refusal;
mod request;
mod web;

pub(crate) use draft::{Draft, Dropped, Key};
pub use explain::{DropReason, DroppedJob, InstalledJob, Link, Plan, PlannedJob, Reason};
pub use refusal::{Obstacle, Refusal};
pub(crate) use web::{Place, Pull};

use softboot_unit::JobMode;

use crate::event::{RequestId, UnitId};
use crate::state::JobKind;

/// One request, whoever makes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    pub(crate) kind: JobKind,
    pub(crate) unit: UnitId,
    pub(crate) mode: JobMode,
    pub(crate) request: Option<RequestId>,
    /// The job of an automatic restart.
    pub(crate) no_late_merge: bool,
}

/// The word for a job kind in messages.
pub(crate) fn word(kind: JobKind) -> &'static str {
    match kind {
        JobKind::Start => "start",
        JobKind::VerifyActive => "verify-active",
        JobKind::Stop => "stop",
        JobKind::Reload => "reload",
        JobKind::Restart => "restart",
        JobKind::Nop => "nop",
        JobKind::TryRestart => "try-restart",
        JobKind::TryReload => "try-reload",
        JobKind::ReloadOrStart => "reload-or-start",
    }
}
