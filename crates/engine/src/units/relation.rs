//! Dependencies with their inverses.

use serde::{Deserialize, Serialize};
use softboot_unit::DependencyKind;

/// What one unit is to another. Definitions hold the forward half; the table adds the inverse (semantics 5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names that unit files and tools give them")]
pub enum Relation {
    Wants,
    WantedBy,
    Requires,
    RequiredBy,
    Requisite,
    RequisiteOf,
    BindsTo,
    BoundBy,
    PartOf,
    ConsistsOf,
    Upholds,
    UpheldBy,
    Conflicts,
    ConflictedBy,
    Before,
    After,
    OnFailure,
    OnFailureOf,
    OnSuccess,
    OnSuccessOf,
    PropagatesReloadTo,
    ReloadPropagatedFrom,
    PropagatesStopTo,
    StopPropagatedFrom,
    Triggers,
    TriggeredBy,
}

impl Relation {
    /// The relation that a line in a file makes, and what the other side gets.
    pub(crate) fn pair(kind: DependencyKind) -> (Relation, Relation) {
        use Relation as R;
        match kind {
            DependencyKind::Wants => (R::Wants, R::WantedBy),
            DependencyKind::Requires => (R::Requires, R::RequiredBy),
            DependencyKind::Requisite => (R::Requisite, R::RequisiteOf),
            DependencyKind::BindsTo => (R::BindsTo, R::BoundBy),
            DependencyKind::PartOf => (R::PartOf, R::ConsistsOf),
            DependencyKind::Upholds => (R::Upholds, R::UpheldBy),
            DependencyKind::Conflicts => (R::Conflicts, R::ConflictedBy),
            DependencyKind::Before => (R::Before, R::After),
            DependencyKind::After => (R::After, R::Before),
            DependencyKind::OnFailure => (R::OnFailure, R::OnFailureOf),
            DependencyKind::OnSuccess => (R::OnSuccess, R::OnSuccessOf),
            DependencyKind::PropagatesReloadTo => (R::PropagatesReloadTo, R::ReloadPropagatedFrom),
            DependencyKind::PropagatesStopTo => (R::PropagatesStopTo, R::StopPropagatedFrom),
            DependencyKind::ReloadPropagatedFrom => (R::ReloadPropagatedFrom, R::PropagatesReloadTo),
            DependencyKind::StopPropagatedFrom => (R::StopPropagatedFrom, R::PropagatesStopTo),
            DependencyKind::Triggers => (R::Triggers, R::TriggeredBy),
        }
    }
}
