//! What is known of some units or jobs.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use crate::event::UnitId;

/// Values by number. Looked up only: nothing may depend on its order.
///
/// It takes room for what is in it alone: numbers of units are not given twice, so that a list with a place for each
/// of them would grow with every connection that was ever accepted.
#[derive(Clone, Debug)]
pub(super) struct ByNumber<K, T>(HashMap<K, T, BuildHasherDefault<NumberHasher>>);

/// Values by unit.
pub(super) type ByUnit<T> = ByNumber<UnitId, T>;

impl<K: Eq + Hash, T> ByNumber<K, T> {
    pub(super) fn new() -> ByNumber<K, T> {
        ByNumber(HashMap::default())
    }

    pub(super) fn get(&self, key: K) -> Option<&T> {
        self.0.get(&key)
    }

    pub(super) fn get_mut(&mut self, key: K) -> Option<&mut T> {
        self.0.get_mut(&key)
    }

    /// Returns what was there before.
    pub(super) fn insert(&mut self, key: K, value: T) -> Option<T> {
        self.0.insert(key, value)
    }

    pub(super) fn remove(&mut self, key: K) {
        self.0.remove(&key);
    }
}

/// Spreads one number. We give the numbers out ourselves, so nobody can choose those that meet.
#[derive(Default)]
struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32(u32::from(*byte)));
    }

    fn write_u32(&mut self, number: u32) {
        // The golden ratio, as a fraction of 2^64.
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
