//! Dependencies between units.

use std::fmt::{self, Formatter};

use serde::de::{Error as _, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::name::UnitName;

/// One forward dependency. The engine makes the inverse ones. As data it is a list, `["after", "a.service", "file"]`:
/// they are most of what a definition has, and a handoff reads them all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// What it means.
    pub kind: DependencyKind,
    /// On whom.
    pub on: UnitName,
    /// Where it comes from.
    pub origin: Origin,
}

impl Serialize for Dependency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.kind, &self.on, self.origin).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Dependency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Dependency, D::Error> {
        struct Parts;

        impl<'de> Visitor<'de> for Parts {
            type Value = Dependency;

            fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
                f.write_str("a list of what a dependency means, on whom it is, and where it comes from")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Dependency, A::Error> {
                let missing = |number| A::Error::invalid_length(number, &Parts);
                let dependency = Dependency {
                    kind: parts.next_element()?.ok_or_else(|| missing(0))?,
                    on: parts.next_element()?.ok_or_else(|| missing(1))?,
                    origin: parts.next_element()?.ok_or_else(|| missing(2))?,
                };
                // What a later version adds.
                while parts.next_element::<IgnoredAny>()?.is_some() {}
                Ok(dependency)
            }
        }

        deserializer.deserialize_seq(Parts)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_is_a_short_list_and_a_longer_one_is_understood() {
        let dependency = Dependency {
            kind: DependencyKind::BindsTo,
            on: UnitName::new("a.device").unwrap(),
            origin: Origin::File,
        };
        let text = r#"["binds-to","a.device","file"]"#;
        assert_eq!(serde_json::to_string(&dependency).unwrap(), text);
        let read = |text: &str| serde_json::from_str::<Dependency>(text);
        assert_eq!(read(text).unwrap(), dependency);
        assert_eq!(
            read(r#"["binds-to","a.device","file",{"new":1}]"#).unwrap(),
            dependency
        );
        assert!(read(r#"["binds-to","a.device"]"#).is_err());
        assert!(read(r#"["binds-to","no name","file"]"#).is_err());
    }
}
