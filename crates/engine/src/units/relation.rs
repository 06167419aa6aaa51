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
    /// In the order of their declaration, which is that of their numbers.
    const ALL: [Relation; 26] = [
        Relation::Wants,
        Relation::WantedBy,
        Relation::Requires,
        Relation::RequiredBy,
        Relation::Requisite,
        Relation::RequisiteOf,
        Relation::BindsTo,
        Relation::BoundBy,
        Relation::PartOf,
        Relation::ConsistsOf,
        Relation::Upholds,
        Relation::UpheldBy,
        Relation::Conflicts,
        Relation::ConflictedBy,
        Relation::Before,
        Relation::After,
        Relation::OnFailure,
        Relation::OnFailureOf,
        Relation::OnSuccess,
        Relation::OnSuccessOf,
        Relation::PropagatesReloadTo,
        Relation::ReloadPropagatedFrom,
        Relation::PropagatesStopTo,
        Relation::StopPropagatedFrom,
        Relation::Triggers,
        Relation::TriggeredBy,
    ];

    /// For programs of this version alone.
    pub(crate) fn number(self) -> u8 {
        self as u8
    }

    /// The one with this number.
    pub(crate) fn of_number(number: u32) -> Option<Relation> {
        Relation::ALL.get(usize::try_from(number).ok()?).copied()
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_for_what_they_were_made_from() {
        for (place, relation) in Relation::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(relation.number()), place);
            assert_eq!(Relation::of_number(place as u32), Some(relation));
        }
        assert_eq!(Relation::of_number(Relation::ALL.len() as u32), None);
        assert!(Relation::ALL.is_sorted());
    }
}
