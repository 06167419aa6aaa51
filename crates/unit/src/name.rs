//! Unit names: `prefix[@instance].type` (semantics 5.4).

mod shared;

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The part of a unit's name after the last dot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnitKind {
    /// A process, or a chain of them.
    Service,
    /// Listening sockets and other descriptors that start a service.
    Socket,
    /// A synchronisation point.
    Target,
    /// A kernel device.
    Device,
    /// A mounted file system.
    Mount,
    /// A mount made on demand.
    Automount,
    /// A swap area.
    Swap,
    /// A timer that starts a unit.
    Timer,
    /// A watched path that starts a unit.
    Path,
    /// An inner node of the cgroup tree.
    Slice,
    /// Processes that something else started.
    Scope,
}

impl UnitKind {
    /// All kinds, in the order of the reference's tables.
    pub const ALL: [UnitKind; 11] = [
        UnitKind::Service,
        UnitKind::Socket,
        UnitKind::Target,
        UnitKind::Device,
        UnitKind::Mount,
        UnitKind::Automount,
        UnitKind::Swap,
        UnitKind::Timer,
        UnitKind::Path,
        UnitKind::Slice,
        UnitKind::Scope,
    ];

    /// The suffix without its dot.
    pub fn suffix(self) -> &'static str {
        match self {
            UnitKind::Service => "service",
            UnitKind::Socket => "socket",
            UnitKind::Target => "target",
            UnitKind::Device => "device",
            UnitKind::Mount => "mount",
            UnitKind::Automount => "automount",
            UnitKind::Swap => "swap",
            UnitKind::Timer => "timer",
            UnitKind::Path => "path",
            UnitKind::Slice => "slice",
            UnitKind::Scope => "scope",
        }
    }
}

impl fmt::Display for UnitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.suffix())
    }
}

/// A valid unit name. The only ways to make one check it. Its copies share the text: nearly every name stands in several
/// dependencies, and in tables beside them.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnitName {
    full: Arc<str>,
    kind: UnitKind,
}

impl Serialize for UnitName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.full)
    }
}

impl<'de> Deserialize<'de> for UnitName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<UnitName, D::Error> {
        deserializer.deserialize_str(shared::Reader)
    }
}

/// Why a text is not a unit name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name is empty or longer than 255 bytes.
    #[error("unit name {0:?} must have 1 to 255 characters")]
    Length(String),
    /// There is no `.type`, or the type is not known.
    #[error("unit name {0:?} must end in a unit type such as .service, .socket or .target")]
    Kind(String),
    /// A character outside `A-Za-z0-9:-_.\@`.
    #[error("unit name {name:?} has the character {character:?}; allowed are letters, digits and :-_.\\@")]
    Character {
        /// The text.
        name: String,
        /// The first character that is not allowed.
        character: char,
    },
    /// Nothing stands before the `@` or the dot.
    #[error("unit name {0:?} has nothing before its type or its '@'")]
    EmptyPrefix(String),
}

const MAX_LEN: usize = 255;

impl UnitName {
    /// Checks `text` and makes a name of it.
    pub fn new(text: &str) -> Result<UnitName, NameError> {
        shared::name(text)
    }

    fn unshared(text: &str) -> Result<UnitName, NameError> {
        let kind = UnitName::check(text)?;
        Ok(UnitName {
            full: text.into(),
            kind,
        })
    }

    /// The slice of everything that names none.
    pub(crate) fn system_slice() -> UnitName {
        static NAME: LazyLock<Arc<str>> = LazyLock::new(|| "system.slice".into());
        UnitName {
            full: Arc::clone(&NAME),
            kind: UnitKind::Slice,
        }
    }

    /// A place holder where every real unit has a name.
    pub(crate) fn no_service() -> UnitName {
        static NAME: LazyLock<Arc<str>> = LazyLock::new(|| "-.service".into());
        UnitName {
            full: Arc::clone(&NAME),
            kind: UnitKind::Service,
        }
    }

    fn check(text: &str) -> Result<UnitKind, NameError> {
        if text.is_empty() || text.len() > MAX_LEN {
            return Err(NameError::Length(text.to_owned()));
        }
        if let Some(character) = text
            .chars()
            .find(|c| !(c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_' | '.' | '\\' | '@')))
        {
            return Err(NameError::Character {
                name: text.to_owned(),
                character,
            });
        }
        let (stem, suffix) = text
            .rsplit_once('.')
            .ok_or_else(|| NameError::Kind(text.to_owned()))?;
        let kind = UnitKind::ALL
            .into_iter()
            .find(|kind| kind.suffix() == suffix)
            .ok_or_else(|| NameError::Kind(text.to_owned()))?;
        if stem.is_empty() || stem.starts_with('@') {
            return Err(NameError::EmptyPrefix(text.to_owned()));
        }
        Ok(kind)
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.full
    }

    /// The type.
    pub fn kind(&self) -> UnitKind {
        self.kind
    }

    /// The name without `.type`.
    pub fn stem(&self) -> &str {
        self.full.rsplit_once('.').map_or(&*self.full, |(stem, _)| stem)
    }

    /// What stands before the `@` or, without one, before the type.
    pub fn prefix(&self) -> &str {
        let stem = self.stem();
        stem.split_once('@').map_or(stem, |(prefix, _)| prefix)
    }

    /// What stands between the first `@` and the type: `None` without an `@`, empty for a template.
    pub fn instance(&self) -> Option<&str> {
        self.stem().split_once('@').map(|(_, instance)| instance)
    }

    /// True for `foo@.service`: to be instantiated, never started itself.
    pub fn is_template(&self) -> bool {
        self.instance() == Some("")
    }

    /// True for `foo@bar.service`.
    pub fn is_instance(&self) -> bool {
        self.instance().is_some_and(|instance| !instance.is_empty())
    }

    /// `foo@.service` of `foo@bar.service`; `None` when there is no instance.
    pub fn template(&self) -> Option<UnitName> {
        if !self.is_instance() {
            return None;
        }
        UnitName::new(&format!("{}@.{}", self.prefix(), self.kind)).ok()
    }

    /// `foo@INSTANCE.service` of `foo@.service` or of `foo.socket`'s service template.
    pub fn with_instance(&self, instance: &str) -> Result<UnitName, NameError> {
        UnitName::new(&format!("{}@{}.{}", self.prefix(), instance, self.kind))
    }

    /// The same stem with another type: `foo.socket` to `foo.service`.
    pub fn with_kind(&self, kind: UnitKind) -> Result<UnitName, NameError> {
        UnitName::new(&format!("{}.{}", self.stem(), kind))
    }
}

impl fmt::Display for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full)
    }
}

impl fmt::Debug for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full)
    }
}

impl FromStr for UnitName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        UnitName::new(text)
    }
}

impl TryFrom<String> for UnitName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        UnitName::new(&text)
    }
}

impl From<UnitName> for String {
    fn from(name: UnitName) -> String {
        name.full.as_ref().to_owned()
    }
}

impl AsRef<str> for UnitName {
    fn as_ref(&self) -> &str {
        &self.full
    }
}
