//! Dependencies between units.

use serde::{Deserialize, Serialize};

use crate::name::UnitName;

/// One forward dependency. The engine makes the inverse ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// What it means.
    pub kind: DependencyKind,
    /// On whom.
    pub on: UnitName,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where a dependency comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A line in a file, or a link in a `.wants`, `.requires` or `.upholds` directory.
    File,
    /// The unit's type asks for it, whatever DefaultDependencies= says.
    Implicit,
    /// DefaultDependencies=yes.
    Default,
}

/// What a dependency means (semantics 5.6). Written on the unit that has it: `A Before= B` is
/// `Before` on A. The engine derives `RequiredBy`, `After` of the other side and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the setting's own words")]
pub enum DependencyKind {
    Wants,
    Requires,
    Requisite,
    BindsTo,
    PartOf,
    Upholds,
    Conflicts,
    Before,
    After,
    OnFailure,
    OnSuccess,
    PropagatesReloadTo,
    PropagatesStopTo,
    /// The inverse of [`DependencyKind::PropagatesReloadTo`], written on the receiving side.
    ReloadPropagatedFrom,
    /// The inverse of [`DependencyKind::PropagatesStopTo`], written on the receiving side.
    StopPropagatedFrom,
    /// A socket triggers its service.
    Triggers,
}
