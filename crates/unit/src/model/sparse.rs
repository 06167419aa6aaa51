//! Settings as data, without those that nobody set: most units have few, and a manager writes and reads many units.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_json::Value;

/// Whether a member may be left out. Reading gives it this value again.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What a setting is when nobody has set it, and it is not the type's own default. A snapshot leaves it out, so another
/// value here would change what the snapshots of older versions mean: a new default needs a new name of the member.
pub(super) mod usual {
    use crate::model::{JobMode, RateLimit, Usec};
    use crate::name::UnitName;

    pub(crate) const TIMEOUT: Usec = Usec::from_secs(90);
    pub(crate) const RESTART_DELAY: Usec = Usec::from_millis(100);
    pub(crate) const BACKLOG: u32 = u32::MAX;
    pub(crate) const SOCKET_MODE: u32 = 0o666;
    pub(crate) const DIRECTORY_MODE: u32 = 0o755;
    pub(crate) const MAX_CONNECTIONS: u32 = 64;
    pub(crate) const RELOAD_SIGNAL: i32 = 1;

    /// Tests for `skip_serializing_if`, which passes references.
    macro_rules! tests {
        ($($name:ident($kind:ty) = $usual:expr;)*) => {
            $(pub(crate) fn $name(value: &$kind) -> bool {
                *value == $usual
            })*
        };
    }

    tests! {
        is_true(bool) = true;
        is_infinite(Usec) = Usec::INFINITY;
        is_timeout(Usec) = TIMEOUT;
        is_restart_delay(Usec) = RESTART_DELAY;
        is_backlog(u32) = BACKLOG;
        is_socket_mode(u32) = SOCKET_MODE;
        is_directory_mode(u32) = DIRECTORY_MODE;
        is_max_connections(u32) = MAX_CONNECTIONS;
        is_reload_signal(i32) = RELOAD_SIGNAL;
        is_start_limit(RateLimit) = RateLimit::START_LIMIT;
        is_trigger_limit(RateLimit) = RateLimit::TRIGGER_LIMIT;
        is_poll_limit(RateLimit) = RateLimit::POLL_LIMIT;
        is_replace(JobMode) = JobMode::Replace;
        is_fail(JobMode) = JobMode::Fail;
    }

    pub(crate) fn is_system_slice(slice: &UnitName) -> bool {
        slice.as_str() == "system.slice"
    }
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
            assert!(text.len() < 900, "{} bytes: {text}", text.len());
            let again: Definition = serde_json::from_str(&text).unwrap();
            assert_eq!(again, definition);
        }
        let exec: ExecContext = serde_json::from_str("{}").unwrap();
        assert_eq!(exec, ExecContext::default());
    }
}
