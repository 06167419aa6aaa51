//! A map that knows which of its keys have changed, for the journal.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A sorted map. Whatever may change a value marks its key; [`Tracked::take_changed`] unmarks them. As data it is a
/// plain map.
#[derive(Clone, Debug)]
pub(crate) struct Tracked<K, V> {
    map: BTreeMap<K, V>,
    changed: BTreeSet<K>,
}

impl<K, V> Default for Tracked<K, V> {
    fn default() -> Tracked<K, V> {
        Tracked::from(BTreeMap::new())
    }
}

impl<K, V> From<BTreeMap<K, V>> for Tracked<K, V> {
    /// Nothing of it has changed.
    fn from(map: BTreeMap<K, V>) -> Tracked<K, V> {
        let changed = BTreeSet::new();
        Tracked { map, changed }
    }
}

impl<K: Serialize, V: Serialize> Serialize for Tracked<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.map.serialize(serializer)
    }
}

impl<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>> Deserialize<'de> for Tracked<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Tracked<K, V>, D::Error> {
        BTreeMap::deserialize(deserializer).map(Tracked::from)
    }
}

impl<K: Ord + Clone, V> Tracked<K, V> {
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.map.get(key)
    }

    /// Marks the key.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let value = self.map.get_mut(key)?;
        self.changed.insert(key.clone());
        Some(value)
    }

    /// The value, which is made if there is none. Marks the key.
    pub(crate) fn get_or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        self.changed.insert(key.clone());
        self.map.entry(key).or_default()
    }

    /// Marks the key.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.changed.insert(key.clone());
        self.map.insert(key, value)
    }

    /// Marks the key if there is one.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let value = self.map.remove(key)?;
        self.changed.insert(key.clone());
        Some(value)
    }

    /// Marks a key, whether there is anything or not.
    pub(crate) fn mark(&mut self, key: &K) {
        self.changed.insert(key.clone());
    }

    /// Puts in, or takes out, what a journal says.
    pub(crate) fn set(&mut self, key: K, value: Option<V>) {
        match value {
            Some(value) => self.insert(key, value),
            None => self.remove(&key),
        };
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.map.iter()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.map.keys()
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.map.values()
    }

    /// Hands out what changed since the last call, with what is there now, and unmarks it.
    pub(crate) fn take_changed(&mut self, mut with: impl FnMut(&K, Option<&V>)) {
        for key in mem::take(&mut self.changed) {
            with(&key, self.map.get(&key));
        }
    }

    /// Unmarks everything: all of it has just been written.
    pub(crate) fn forget_changes(&mut self) {
        self.changed.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_changes_applied_to_a_copy_keep_it_a_copy(
            steps in proptest::collection::vec((0_u8..5, 0_u8..6, any::<u16>()), 0..60),
        ) {
            let mut tracked: Tracked<u8, u16> = Tracked::from(BTreeMap::from([(1, 1), (2, 2)]));
            let mut copy: BTreeMap<u8, u16> = BTreeMap::from([(1, 1), (2, 2)]);
            for (what, key, value) in steps {
                match what {
                    0 => drop(tracked.insert(key, value)),
                    1 => drop(tracked.remove(&key)),
                    2 => if let Some(place) = tracked.get_mut(&key) { *place = value },
                    3 => *tracked.get_or_default(key) = value,
                    _ => tracked.take_changed(|key, value| match value {
                        Some(value) => drop(copy.insert(*key, *value)),
                        None => drop(copy.remove(key)),
                    }),
                }
            }
            tracked.take_changed(|key, value| match value {
                Some(value) => drop(copy.insert(*key, *value)),
                None => drop(copy.remove(key)),
            });
            prop_assert_eq!(&tracked.map, &copy);
            tracked.take_changed(|_, _| panic!("said twice"));
        }
    }
}
