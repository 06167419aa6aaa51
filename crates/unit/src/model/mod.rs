//! What a unit file means, as plain data.
//!
//! A [`Definition`] is complete: implicit and default dependencies are in it, specifiers are expanded, values are
//! typed. It serialises, because definitions travel over a re-exec as they are and no file is read again.

mod capability;
mod clean;
mod common;
mod condition;
mod credential;
mod dependency;
mod diagnostic;
mod directories;
mod exec;
mod kill;
mod kind_section;
mod lazy;
mod lifecycle;
mod mount;
mod rare;
mod resources;
mod scheduling;
mod service;
mod socket;
mod socket_options;
mod sparse;
mod unit;

pub use capability::*;
pub use clean::*;
pub use common::*;
pub use condition::*;
pub use credential::*;
pub use dependency::*;
pub use diagnostic::*;
pub use directories::*;
pub use exec::*;
pub use kill::*;
pub use lazy::*;
pub use lifecycle::*;
pub use mount::*;
pub use rare::*;
pub use resources::*;
pub use scheduling::*;
pub use service::*;
pub use socket::*;
pub use socket_options::*;
pub use unit::*;

use serde::{Deserialize, Serialize};

use crate::name::UnitName;

/// One unit as its files say it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// The canonical name.
    pub name: UnitName,
    /// Other names of the same unit (symlinks).
    #[serde(default, skip_serializing_if = "sparse::is_default")]
    pub aliases: Vec<UnitName>,
    /// Whether it can be used.
    pub load: LoadState,
    /// The file it came from; `None` for built-in units and those that were not found.
    #[serde(default, skip_serializing_if = "sparse::is_default")]
    pub fragment: Option<String>,
    /// Drop-in files, in the order in which they were applied.
    #[serde(default, skip_serializing_if = "sparse::is_default")]
    pub drop_ins: Vec<String>,
    /// Mistakes and things that are not supported, with file and line.
    #[serde(default, skip_serializing_if = "sparse::is_default")]
    pub diagnostics: Vec<Diagnostic>,
    /// `[Unit]`.
    pub unit: UnitSection,
    /// The section of its type.
    pub kind: KindSection,
    /// `[Slice]`, for slices only.
    #[serde(default, skip_serializing_if = "sparse::is_default")]
    pub slice: Option<Box<SliceSection>>,
}

impl Definition {
    /// Keeps what can be kept as text as text alone ([`Lazy`]).
    pub fn pack(&mut self) {
        // As text they would take more room.
        self.unit.dependencies.let_go();
        match &mut self.kind {
            KindSection::Service(section) => section.pack(),
            KindSection::Socket(section) => section.pack(),
            _ => {}
        }
    }

    /// Reads what is kept as text now, for who will ask for it when there is no time.
    pub fn unpack(&self) {
        self.unit.dependencies.unpack();
        match &self.kind {
            KindSection::Service(section) => section.unpack(),
            KindSection::Socket(section) => section.unpack(),
            _ => {}
        }
    }

    /// What is wrong with what was kept as text: it is as in an empty file.
    pub fn readable(&self) -> Result<(), &str> {
        self.unit.dependencies.readable()?;
        match &self.kind {
            KindSection::Service(section) => section.readable(),
            KindSection::Socket(section) => section.readable(),
            _ => Ok(()),
        }
    }

    /// Reads a definition that this version has written: its section and its dependencies are read when they are first asked
    /// for ([`Lazy`]).
    pub fn read_late(text: &[u8]) -> serde_json::Result<Definition> {
        lazy::read_late(text)
    }
}

/// Whether a unit can be used (the reference's LoadState).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state", content = "reason")]
pub enum LoadState {
    /// Read and usable.
    Loaded,
    /// No file has this name.
    NotFound,
    /// Read, but a setting makes it unusable; the text says which and why.
    BadSetting(String),
    /// A link to /dev/null or an empty file.
    Masked,
    /// It could not be read.
    Error(String),
}

impl LoadState {
    /// The word that status output shows.
    pub fn word(&self) -> &'static str {
        match self {
            LoadState::Loaded => "loaded",
            LoadState::NotFound => "not-found",
            LoadState::BadSetting(_) => "bad-setting",
            LoadState::Masked => "masked",
            LoadState::Error(_) => "error",
        }
    }
}

/// The section that belongs to the unit's type.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type", content = "settings")]
pub enum KindSection {
    /// `[Service]`.
    Service(Lazy<ServiceSection>),
    /// `[Socket]`.
    Socket(Lazy<SocketSection>),
    /// Targets have no section of their own.
    Target,
    /// Slices; what they limit is in [`Definition::slice`].
    Slice,
    /// `[Mount]`.
    Mount(Box<MountSection>),
    /// Devices have no section of their own, and need no file.
    Device,
    /// Any other type: known by name, not run yet.
    Other,
}
