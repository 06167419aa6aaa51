//! Reading a [`KindSection`].
//!
//! What is derived for a tag beside its content keeps whatever comes before the tag in a form of its own, and the compiler
//! makes all sections' decoders for that form once more: half a MiB of PID 1. Every writer puts the tag first; where
//! somebody did not, the text is kept as it is and read when the tag is known.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::KindSection;

#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Service,
    Socket,
    Target,
    Slice,
    Mount,
    Device,
    Other,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Member {
    Type,
    Settings,
    #[serde(other)]
    Unknown,
}

impl<'de> Deserialize<'de> for KindSection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<KindSection, D::Error> {
        deserializer.deserialize_struct("KindSection", &["type", "settings"], Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = KindSection;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the type of a unit and its settings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<KindSection, A::Error> {
        let (mut kind, mut early, mut read): (Option<Kind>, Option<Box<RawValue>>, Option<KindSection>) =
            (None, None, None);
        while let Some(member) = map.next_key()? {
            match (member, &kind) {
                (Member::Type, None) => kind = Some(map.next_value()?),
                (Member::Type, Some(_)) => return Err(A::Error::duplicate_field("type")),
                (Member::Settings, _) if read.is_some() || early.is_some() => {
                    return Err(A::Error::duplicate_field("settings"));
                }
                (Member::Settings, None) => early = Some(map.next_value()?),
                (Member::Settings, Some(Kind::Service)) => {
                    read = Some(KindSection::Service(map.next_value()?))
                }
                (Member::Settings, Some(Kind::Socket)) => read = Some(KindSection::Socket(map.next_value()?)),
                (Member::Settings, Some(Kind::Mount)) => read = Some(KindSection::Mount(map.next_value()?)),
                (Member::Settings, Some(_)) | (Member::Unknown, _) => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let kind = kind.ok_or_else(|| A::Error::missing_field("type"))?;
        if let Some(read) = read {
            return Ok(read);
        }
        let settings = || early.as_ref().map(|text| text.get().as_bytes());
        let missing = || A::Error::missing_field("settings");
        Ok(match kind {
            Kind::Service => KindSection::Service(of(settings().ok_or_else(missing)?)?),
            Kind::Socket => KindSection::Socket(of(settings().ok_or_else(missing)?)?),
            Kind::Mount => KindSection::Mount(of(settings().ok_or_else(missing)?)?),
            Kind::Target => KindSection::Target,
            Kind::Slice => KindSection::Slice,
            Kind::Device => KindSection::Device,
            Kind::Other => KindSection::Other,
        })
    }
}

fn of<T: serde::de::DeserializeOwned, E: Error>(text: &[u8]) -> Result<T, E> {
    serde_json::from_slice(text).map_err(E::custom)
}

#[cfg(test)]
mod tests {
    use crate::files::MemoryFiles;
    use crate::{KindSection, Loader, Specifiers, UnitName};

    fn kinds() -> Vec<KindSection> {
        let files = MemoryFiles::new()
            .file("/u/a.service", "[Service]\nExecStart=/bin/a\nNice=3\n")
            .file("/u/a.socket", "[Socket]\nListenStream=/run/a\n")
            .file("/u/run-a.mount", "[Mount]\nWhat=none\nWhere=/run/a\n")
            .file("/u/a.target", "[Unit]\nDescription=a\n")
            .file("/u/a.slice", "[Slice]\nMemoryMax=1M\n");
        let loader = Loader::new(&files, vec!["/u".to_owned()], Specifiers::default());
        let names = [
            "a.service",
            "a.socket",
            "run-a.mount",
            "a.target",
            "a.slice",
            "dev-a.device",
            "a.timer",
        ];
        names
            .map(|name| loader.load(&UnitName::new(name).unwrap()).kind)
            .to_vec()
    }

    #[test]
    fn it_is_read_whichever_member_comes_first() {
        for kind in kinds() {
            let value = serde_json::to_value(&kind).unwrap();
            let text = serde_json::to_string(&kind).unwrap();
            assert_eq!(serde_json::from_str::<KindSection>(&text).unwrap(), kind);
            // Members of a value are sorted: the settings come first.
            assert_eq!(
                serde_json::from_str::<KindSection>(&value.to_string()).unwrap(),
                kind
            );
            assert_eq!(
                serde_json::from_value::<KindSection>(value.clone()).unwrap(),
                kind
            );
            let mut more = value;
            more["later"] = serde_json::json!([1, {}]);
            assert_eq!(
                serde_json::from_str::<KindSection>(&more.to_string()).unwrap(),
                kind
            );
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "{}",
            "[]",
            r#"{"type":"frob"}"#,
            r#"{"type":"service"}"#,
            r#"{"settings":{}}"#,
            r#"{"type":"target","type":"target"}"#,
            r#"{"type":"service","settings":{},"settings":{}}"#,
            r#"{"type":"service","settings":7}"#,
            r#"{"settings":7,"type":"service"}"#,
        ] {
            assert!(serde_json::from_str::<KindSection>(text).is_err(), "{text}");
        }
    }
}
