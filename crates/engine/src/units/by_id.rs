//! A map by ids that are given out one after the other.
//!
//! Hardly any of them are missing, so the place of an id is all but known: the map is a sorted list, and an id is where it
//! would be without gaps, or a little before. A transaction asks for units several times for each job.

use crate::event::UnitId;

/// Values in the order of their ids.
#[derive(Clone, Debug)]
pub(super) struct ById<T> {
    /// The values are apart so that one can be taken out without moving the others.
    list: Vec<(UnitId, Box<T>)>,
}

impl<T> Default for ById<T> {
    fn default() -> ById<T> {
        ById { list: Vec::new() }
    }
}

impl<T> ById<T> {
    /// Where it is, or where it would be.
    fn place(&self, id: UnitId) -> Result<usize, usize> {
        let (Some((first, _)), Some((last, _))) = (self.list.first(), self.list.last()) else {
            return Err(0);
        };
        let Some(offset) = id.0.checked_sub(first.0) else {
            return Err(0);
        };
        if id > *last {
            return Err(self.list.len());
        }
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        // Each missing id moves those behind it one to the front.
        let ids = usize::try_from(last.0 - first.0).unwrap_or(usize::MAX);
        let missing = ids.saturating_add(1).saturating_sub(self.list.len());
        let begin = offset.saturating_sub(missing);
        let end = offset.saturating_add(1).min(self.list.len());
        let range = self.list.get(begin..end).unwrap_or_default();
        let place = range.binary_search_by_key(&id, |(id, _)| *id);
        place.map(|at| begin + at).map_err(|at| begin + at)
    }

    pub(super) fn get(&self, id: UnitId) -> Option<&T> {
        let place = self.place(id).ok()?;
        self.list.get(place).map(|(_, value)| value.as_ref())
    }

    pub(super) fn get_mut(&mut self, id: UnitId) -> Option<&mut T> {
        let place = self.place(id).ok()?;
        self.list.get_mut(place).map(|(_, value)| value.as_mut())
    }

    pub(super) fn contains(&self, id: UnitId) -> bool {
        self.place(id).is_ok()
    }

    /// Puts a value in, in the place of what was there.
    pub(super) fn insert(&mut self, id: UnitId, value: T) {
        let value = (id, Box::new(value));
        match self.place(id) {
            Ok(place) => {
                if let Some(known) = self.list.get_mut(place) {
                    *known = value;
                }
            }
            Err(place) => self.list.insert(place, value),
        }
    }

    pub(super) fn remove(&mut self, id: UnitId) -> Option<T> {
        let place = self.place(id).ok()?;
        Some(*self.list.remove(place).1)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (UnitId, &T)> + '_ {
        self.list.iter().map(|(id, value)| (*id, value.as_ref()))
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = UnitId> + '_ {
        self.list.iter().map(|(id, _)| *id)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> + '_ {
        self.list.iter_mut().map(|(_, value)| value.as_mut())
    }

    /// Those with this id or a later one.
    pub(super) fn since(&self, first: UnitId) -> impl Iterator<Item = (UnitId, &T)> + '_ {
        let (Ok(begin) | Err(begin)) = self.place(first);
        let since = self.list.get(begin..).unwrap_or_default();
        since.iter().map(|(id, value)| (*id, value.as_ref()))
    }
}

impl<T> FromIterator<(UnitId, T)> for ById<T> {
    fn from_iter<I: IntoIterator<Item = (UnitId, T)>>(values: I) -> ById<T> {
        let mut list = ById::default();
        values.into_iter().for_each(|(id, value)| list.insert(id, value));
        list
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map(changes in proptest::collection::vec((0_u32..40, any::<Option<u8>>()), 0..120)) {
            let (mut own, mut map) = (ById::default(), BTreeMap::new());
            for (id, value) in changes {
                let id = UnitId(id);
                match value {
                    Some(value) => {
                        own.insert(id, value);
                        map.insert(id, value);
                    }
                    None => prop_assert_eq!(own.remove(id), map.remove(&id)),
                }
                for id in (0..41).map(UnitId) {
                    prop_assert_eq!(own.get(id), map.get(&id));
                    prop_assert_eq!(own.contains(id), map.contains_key(&id));
                }
                let all: Vec<_> = map.iter().map(|(id, value)| (*id, value)).collect();
                prop_assert_eq!(own.iter().collect::<Vec<_>>(), all);
                let since: Vec<_> = map.range(UnitId(20)..).map(|(id, value)| (*id, value)).collect();
                prop_assert_eq!(own.since(UnitId(20)).collect::<Vec<_>>(), since);
            }
        }
    }
}
