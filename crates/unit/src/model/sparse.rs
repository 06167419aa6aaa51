//! Settings as data, without those that nobody set: most units have few, and a manager writes and reads many units.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_json::Value;

/// Whether a member may be left out. Reading gives it this value again.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The members of `value` that its default does not have. For types that are read with `#[serde(default)]`.
pub(super) fn serialize<T, S>(value: &T, serializer: S) -> Result<S::Ok, S::Error>
where
    T: Default + PartialEq + Serialize,
    S: Serializer,
{
    use serde::ser::Error as _;
    let default = T::default();
    if *value == default {
        return BTreeMap::<String, Value>::new().serialize(serializer);
    }
    let whole = |value: &T| match serde_json::to_value(value) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(S::Error::custom("settings that are no object")),
        Err(error) => Err(S::Error::custom(error)),
    };
    let default = whole(&default)?;
    let mut members = whole(value)?;
    members.retain(|name, set| default.get(name) != Some(set));
    members.serialize(serializer)
}

#[cfg(test)]
mod tests {
    use crate::files::MemoryFiles;
    use crate::{Definition, ExecContext, Loader, Specifiers, UnitName};

    #[test]
    fn what_nobody_set_is_left_out_and_comes_back() {
        let files = MemoryFiles::new()
            .file(
                "/u/a.service",
                "[Service]\nExecStart=/bin/a\nNice=5\nKillMode=mixed\nIgnoreSIGPIPE=no\n",
            )
            .file("/u/a.socket", "[Socket]\nListenStream=/a\nMark=7\n");
        let loader = Loader::new(&files, vec!["/u".to_owned()], Specifiers::default());
        for (name, expected) in [
            ("a.service", r#""exec":{"ignore_sigpipe":false,"nice":5}"#),
            ("a.socket", r#""options":{"mark":7}"#),
        ] {
            let definition = loader.load(&UnitName::new(name).unwrap());
            let text = serde_json::to_string(&definition).unwrap();
            assert!(text.contains(expected), "{expected} in {text}");
            assert!(text.len() < 2200, "{} bytes: {text}", text.len());
            let again: Definition = serde_json::from_str(&text).unwrap();
            assert_eq!(again, definition);
        }
        let exec: ExecContext = serde_json::from_str("{}").unwrap();
        assert_eq!(exec, ExecContext::default());
    }
}
