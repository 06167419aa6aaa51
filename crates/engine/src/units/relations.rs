//! The partners of one unit.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Relation;
use crate::event::UnitId;

/// More of them are kept by relation. Few are moved faster than a place of their own is found.
const FEW: usize = 32;

/// Partners by relation, sorted by id. Most units have about ten in half as many relations, some targets have one for
/// every unit.
#[derive(Clone, Debug)]
pub(crate) enum Relations {
    /// Side by side, sorted by relation.
    Few {
        relations: Vec<Relation>,
        partners: Vec<UnitId>,
    },
    Many(BTreeMap<Relation, Vec<UnitId>>),
}

impl Default for Relations {
    fn default() -> Relations {
        Relations::Few {
            relations: Vec::new(),
            partners: Vec::new(),
        }
    }
}

impl Relations {
    /// Of numbers of relations, each followed by a partner below `count`; sorted by both, as [`Relations::iter`] is. `None`
    /// if they are not that.
    pub(crate) fn of_pairs(pairs: &[u32], count: u32) -> Option<Relations> {
        let (pairs, []) = pairs.as_chunks::<2>() else {
            return None;
        };
        if !pairs.is_sorted_by(|one, next| one < next) {
            return None;
        }
        let partner = |number: u32| (number < count).then_some(UnitId(number));
        if pairs.len() <= FEW {
            let (mut relations, mut partners) =
                (Vec::with_capacity(pairs.len()), Vec::with_capacity(pairs.len()));
            for [relation, number] in pairs {
                relations.push(Relation::of_number(*relation)?);
                partners.push(partner(*number)?);
            }
            return Some(Relations::Few { relations, partners });
        }
        let mut lists: BTreeMap<Relation, Vec<UnitId>> = BTreeMap::new();
        for same in pairs.chunk_by(|[one, _], [other, _]| one == other) {
            let partners: Option<Vec<UnitId>> = same.iter().map(|[_, number]| partner(*number)).collect();
            let [relation, _] = same.first()?;
            lists.insert(Relation::of_number(*relation)?, partners?);
        }
        Some(Relations::Many(lists))
    }

    /// The partners in `relation`.
    pub(crate) fn partners(&self, relation: Relation) -> &[UnitId] {
        match self {
            Relations::Few { relations, partners } => {
                let begin = relations.partition_point(|other| *other < relation);
                let end = relations.partition_point(|other| *other <= relation);
                partners.get(begin..end).unwrap_or_default()
            }
            Relations::Many(lists) => lists.get(&relation).map_or(&[], Vec::as_slice),
        }
    }

    /// Every relation that has partners, with them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Relation, &[UnitId])> {
        let (few, many) = match self {
            Relations::Few { relations, partners } => {
                let mut rest: &[UnitId] = partners;
                let lists = relations.chunk_by(|a, b| a == b).filter_map(move |same| {
                    let (list, others) = rest.split_at_checked(same.len())?;
                    rest = others;
                    Some((*same.first()?, list))
                });
                (Some(lists), None)
            }
            Relations::Many(lists) => (None, Some(lists)),
        };
        let many = many.into_iter().flatten();
        few.into_iter()
            .flatten()
            .chain(many.map(|(relation, list)| (*relation, list.as_slice())))
    }

    pub(crate) fn insert(&mut self, relation: Relation, partner: UnitId) {
        if let Relations::Few { relations, partners } = self {
            let begin = relations.partition_point(|other| *other < relation);
            let end = relations.partition_point(|other| *other <= relation);
            let list = partners.get(begin..end).unwrap_or_default();
            let Err(place) = list.binary_search(&partner) else {
                return;
            };
            if relations.len() < FEW {
                let place = begin.saturating_add(place);
                relations.insert(place, relation);
                partners.insert(place, partner);
                return;
            }
            *self = Relations::Many(
                self.iter()
                    .map(|(relation, list)| (relation, list.to_vec()))
                    .collect(),
            );
        }
        if let Relations::Many(lists) = self {
            let list = lists.entry(relation).or_default();
            if let Err(place) = list.binary_search(&partner) {
                list.insert(place, partner);
            }
        }
    }

    /// Takes it out of every relation.
    pub(crate) fn remove(&mut self, partner: UnitId) {
        match self {
            Relations::Few { relations, partners } => {
                let mut stay = partners.iter().map(|other| *other != partner);
                relations.retain(|_| stay.next().unwrap_or(true));
                partners.retain(|other| *other != partner);
            }
            Relations::Many(lists) => {
                for list in lists.values_mut() {
                    if let Ok(place) = list.binary_search(&partner) {
                        list.remove(place);
                    }
                }
            }
        }
    }

    /// There is nothing to come any more for now: what was taken ahead is given back.
    pub(crate) fn shrink(&mut self) {
        match self {
            Relations::Few { relations, partners } => {
                relations.shrink_to_fit();
                partners.shrink_to_fit();
            }
            Relations::Many(lists) => lists.values_mut().for_each(Vec::shrink_to_fit),
        }
    }
}

/// As numbers: an image, in which they are most of what is read, is for the program that writes it.
impl Serialize for Relations {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let pairs = |(relation, partners): (Relation, &[UnitId])| {
            let number = u32::from(relation.number());
            partners
                .iter()
                .flat_map(move |partner| [number, partner.0])
                .collect::<Vec<u32>>()
        };
        serializer.collect_seq(self.iter().flat_map(pairs))
    }
}

impl<'de> Deserialize<'de> for Relations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Relations, D::Error> {
        let pairs = Vec::<u32>::deserialize(deserializer)?;
        Relations::of_pairs(&pairs, u32::MAX).ok_or_else(|| D::Error::custom("these are no relations"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same as a map of lists, with few partners and with many.
    #[test]
    fn partners_are_those_of_a_map_whatever_comes_and_goes() {
        const KINDS: [Relation; 4] = [
            Relation::Wants,
            Relation::After,
            Relation::Before,
            Relation::Triggers,
        ];
        let (mut own, mut map) = (Relations::default(), BTreeMap::<Relation, Vec<UnitId>>::new());
        for step in 0..400_u32 {
            // Some come twice, and not in order.
            let (kind, id) = (KINDS[(step % 7 % 4) as usize], UnitId(step * 37 % (3 + step / 4)));
            own.insert(kind, id);
            let list = map.entry(kind).or_default();
            if !list.contains(&id) {
                list.push(id);
                list.sort();
            }
            if step % 5 == 0 {
                let gone = UnitId(step * 11 % (3 + step / 4));
                own.remove(gone);
                map.values_mut()
                    .for_each(|list| list.retain(|other| *other != gone));
            }
            own.shrink();
            for kind in KINDS {
                let expected = map.get(&kind).map_or(&[][..], Vec::as_slice);
                assert_eq!(own.partners(kind), expected, "step {step}");
            }
            let lists: BTreeMap<_, _> = own.iter().filter(|(_, list)| !list.is_empty()).collect();
            assert_eq!(lists.len(), map.values().filter(|list| !list.is_empty()).count());
            let text = serde_json::to_string(&own).unwrap();
            let again: Relations = serde_json::from_str(&text).unwrap();
            assert_eq!(serde_json::to_string(&again).unwrap(), text);
        }
        assert!(matches!(own, Relations::Many(_)));
    }
}
