//! Groups of settings that few units set.

use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A group of settings that takes no room while it is as usual. Reading gives the usual values then; writing takes the
/// room. As data it is the group itself.
#[derive(Clone, Debug, Default)]
pub struct Rare<T>(Option<Box<T>>);

/// What [`Rare`] needs to know of a group.
pub trait Usual: Default + PartialEq + 'static {
    /// The group as it is when nobody has set anything.
    fn usual() -> &'static Self;
}

/// The usual values are made once.
macro_rules! usual {
    ($($group:ty),* $(,)?) => {
        $(impl Usual for $group {
            fn usual() -> &'static $group {
                static USUAL: std::sync::LazyLock<$group> = std::sync::LazyLock::new(<$group>::default);
                &USUAL
            }
        })*
    };
}

usual!(
    super::ExecContext,
    super::InstallSection,
    super::KillSettings,
    super::RestartSettings,
    super::SocketOptions,
);

impl<T: Usual> Rare<T> {
    /// Nobody has set anything.
    pub fn is_usual(&self) -> bool {
        **self == *T::usual()
    }
}

impl<T: Usual> From<T> for Rare<T> {
    fn from(group: T) -> Rare<T> {
        Rare((group != *T::usual()).then(|| Box::new(group)))
    }
}

impl<T: Usual> Deref for Rare<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or_else(|| T::usual())
    }
}

impl<T: Usual> DerefMut for Rare<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }
}

impl<T: Usual> PartialEq for Rare<T> {
    fn eq(&self, other: &Rare<T>) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            _ => **self == **other,
        }
    }
}

impl<T: Usual> PartialEq<T> for Rare<T> {
    fn eq(&self, other: &T) -> bool {
        **self == *other
    }
}

impl<T: Usual + Serialize> Serialize for Rare<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        T::serialize(self, serializer)
    }
}

impl<'de, T: Usual + Deserialize<'de>> Deserialize<'de> for Rare<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Rare<T>, D::Error> {
        T::deserialize(deserializer).map(Rare::from)
    }
}

#[cfg(test)]
mod tests {
    use crate::{ExecContext, Rare};

    #[test]
    fn what_nobody_set_takes_no_room_and_is_equal_to_what_was_set_back() {
        let mut rare: Rare<ExecContext> = Rare::default();
        assert_eq!(rare.umask, 0o022);
        assert!(rare.is_usual());
        rare.nice = Some(3);
        assert!(!rare.is_usual());
        let text = serde_json::to_string(&rare).unwrap();
        assert_eq!(serde_json::from_str::<Rare<ExecContext>>(&text).unwrap(), rare);
        rare.nice = None;
        assert_eq!(rare, Rare::from(ExecContext::default()));
        assert_eq!(rare, ExecContext::default());
    }
}
