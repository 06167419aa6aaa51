//! What `io.systemd.Unit.StartTransient` makes: a unit's context, decoded to lines of a file.
//!
//! systemd 262 takes a few properties at creation and refuses the others by name; so does this, and of those that
//! systemd takes, only what softbootd acts on.

use serde_json::{Map, Value};

use crate::api::Setting;

/// Why a context makes no unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContextError {
    /// A parameter is missing, of another type, or out of its range.
    Invalid(String),
    /// A property that cannot be set at creation.
    NotSupported(String),
    /// Units of this type are not made by clients.
    UnitType,
}

/// A service to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransientUnit {
    /// Its name.
    pub name: String,
    /// Lines of its file but the commands, in their order.
    pub settings: Vec<Setting>,
    /// Path and arguments of each command; the first argument is the name it is called by.
    pub commands: Vec<(String, Vec<String>)>,
}

/// What a property's value looks like.
#[derive(Clone, Copy)]
enum Shape {
    Bool,
    Text,
    Path,
    /// Octal, as the file has it.
    Mode,
    Number(i64, i64),
    /// Separated by spaces.
    Words,
    /// One line each.
    Assignments,
    /// A path or the user's home.
    Directory,
    /// Words of the file joined by dashes, by underscores here.
    Word,
}

const UNIT: [(&str, Shape); 2] = [("Description", Shape::Text), ("CollectMode", Shape::Word)];
const SERVICE: [(&str, Shape); 2] = [("Type", Shape::Word), ("RemainAfterExit", Shape::Bool)];
const EXEC: [(&str, Shape); 11] = [
    ("WorkingDirectory", Shape::Directory),
    ("RootDirectory", Shape::Path),
    ("User", Shape::Text),
    ("Group", Shape::Text),
    ("SupplementaryGroups", Shape::Words),
    ("NoNewPrivileges", Shape::Bool),
    ("UMask", Shape::Mode),
    ("OOMScoreAdjust", Shape::Number(-1000, 1000)),
    ("IgnoreSIGPIPE", Shape::Bool),
    ("Nice", Shape::Number(-20, 19)),
    ("Environment", Shape::Assignments),
];

impl TransientUnit {
    /// Decodes a `UnitContext`.
    pub fn parse(context: &Value) -> Result<TransientUnit, ContextError> {
        let invalid = || ContextError::Invalid("context".to_owned());
        let members = context.as_object().ok_or_else(invalid)?;
        let name = members.get("ID").and_then(Value::as_str).ok_or_else(invalid)?;
        let kind = name.rsplit_once('.').ok_or_else(invalid)?.1;
        if kind != "service" {
            return Err(ContextError::UnitType);
        }
        let mut unit = TransientUnit {
            name: name.to_owned(),
            ..TransientUnit::default()
        };
        let none = Map::new();
        let section = |name: &str| match members.get(name) {
            None | Some(Value::Null) => Ok(&none),
            Some(section) => section.as_object().ok_or_else(invalid),
        };
        let (service, exec) = (section("Service")?, section("Exec")?);
        unit.take("Unit", "", members, &UNIT, &["ID", "Service", "Exec"])?;
        unit.take("Service", "Exec.", exec, &EXEC, &[])?;
        unit.take("Service", "Service.", service, &SERVICE, &["ExecStart"])?;
        unit.commands = commands(service.get("ExecStart").ok_or_else(invalid)?)?;
        let oneshot = service.get("Type").and_then(Value::as_str) == Some("oneshot");
        if unit.commands.is_empty() || (unit.commands.len() > 1 && !oneshot) {
            return Err(invalid());
        }
        Ok(unit)
    }

    /// Takes the members that `known` has, in its order.
    fn take(
        &mut self,
        section: &str,
        prefix: &str,
        members: &Map<String, Value>,
        known: &[(&str, Shape)],
        others: &[&str],
    ) -> Result<(), ContextError> {
        for name in members.keys() {
            if !others.contains(&name.as_str()) && !known.iter().any(|(known, _)| known == name) {
                return Err(ContextError::NotSupported(format!("{prefix}{name}")));
            }
        }
        for (name, shape) in known {
            let Some(value) = members.get(*name).filter(|value| !value.is_null()) else {
                continue;
            };
            let lines = shape
                .lines(value)
                .ok_or_else(|| ContextError::Invalid(format!("{prefix}{name}")))?;
            self.settings.extend(lines.into_iter().map(|value| Setting {
                section: section.to_owned(),
                key: (*name).to_owned(),
                value,
            }));
        }
        Ok(())
    }
}

impl Shape {
    /// The values of the setting's lines; `None` if it is no such value.
    fn lines(self, value: &Value) -> Option<Vec<String>> {
        let line = match self {
            Shape::Bool => if value.as_bool()? { "yes" } else { "no" }.to_owned(),
            Shape::Text => plain(value.as_str()?)?,
            Shape::Path => path(value)?,
            Shape::Mode => format!("{:04o}", value.as_u64().filter(|mode| *mode <= 0o7777)?),
            Shape::Number(least, most) => value
                .as_i64()
                .filter(|number| (least..=most).contains(number))?
                .to_string(),
            Shape::Words => {
                let words = value.as_array()?.iter().map(|word| plain(word.as_str()?));
                words.collect::<Option<Vec<_>>>()?.join(" ")
            }
            Shape::Word => {
                let word = value.as_str()?;
                let fits = !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
                fits.then(|| word.replace('_', "-"))?
            }
            Shape::Assignments => {
                let lines = value.as_array()?.iter().map(|one| assignment(one.as_str()?));
                return lines.collect();
            }
            Shape::Directory => directory(value.as_object()?)?,
        };
        Some(vec![line])
    }
}

/// A text as the rest of a line; a `%` in it means itself.
fn plain(text: &str) -> Option<String> {
    let fits = !text.contains(['\n', '\r', '\0']) && !text.ends_with('\\') && text.trim() == text;
    fits.then(|| text.replace('%', "%%"))
}

fn path(value: &Value) -> Option<String> {
    let path = value.as_str().filter(|path| path.starts_with('/'))?;
    plain(path)
}

/// `NAME=VALUE`, quoted.
fn assignment(text: &str) -> Option<String> {
    let (name, _) = text.split_once('=')?;
    let first = name.chars().next()?;
    let fits = !first.is_ascii_digit() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let text = plain(text).filter(|_| fits)?;
    Some(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// `WorkingDirectory`.
fn directory(members: &Map<String, Value>) -> Option<String> {
    let flag = |name: &str| match members.get(name) {
        None | Some(Value::Null) => Some(false),
        Some(value) => value.as_bool(),
    };
    let missing_ok = if flag("missingOK")? { "-" } else { "" };
    match (flag("home")?, members.get("path").filter(|path| !path.is_null())) {
        (true, None) => Some(format!("{missing_ok}~")),
        (false, Some(value)) => Some(format!("{missing_ok}{}", path(value)?)),
        _ => None,
    }
}

fn commands(list: &Value) -> Result<Vec<(String, Vec<String>)>, ContextError> {
    let invalid = || ContextError::Invalid("context".to_owned());
    let mut commands = Vec::new();
    for command in list.as_array().ok_or_else(invalid)? {
        let members = command.as_object().ok_or_else(invalid)?;
        let path = members.get("path").and_then(Value::as_str).ok_or_else(invalid)?;
        let arguments = match members.get("arguments").filter(|value| !value.is_null()) {
            None => vec![path.to_owned()],
            Some(list) => list
                .as_array()
                .ok_or_else(invalid)?
                .iter()
                .map(|word| word.as_str().map(str::to_owned).ok_or_else(invalid))
                .collect::<Result<_, _>>()?,
        };
        let other = |(name, value): (&String, &Value)| {
            !["path", "arguments"].contains(&name.as_str())
                && !matches!(value, Value::Null | Value::Bool(false))
        };
        if members.iter().any(other) {
            return Err(ContextError::NotSupported("Service.ExecStart".to_owned()));
        }
        let begins = path.starts_with(|c: char| c == '/' || c == '_' || c.is_ascii_alphanumeric());
        if !begins || arguments.is_empty() {
            return Err(invalid());
        }
        commands.push((path.to_owned(), arguments));
    }
    Ok(commands)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn service(extra: Value) -> Value {
        let mut service =
            json!({ "Type": "oneshot", "ExecStart": [{ "path": "/bin/a", "arguments": ["a", "b c"] }] });
        for (key, value) in extra.as_object().unwrap() {
            service[key] = value.clone();
        }
        service
    }

    fn with(name: &str, value: Value) -> Result<TransientUnit, ContextError> {
        TransientUnit::parse(&json!({ "ID": "a.service", "Service": service(json!({})), name: value }))
    }

    fn line(unit: &TransientUnit) -> String {
        let settings = unit.settings.iter();
        let lines = settings.map(|s| format!("{}.{}={}", s.section, s.key, s.value));
        lines.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn what_can_be_set_becomes_lines_of_a_file() {
        let unit = TransientUnit::parse(&json!({
            "ID": "a.service",
            "Description": "50% done",
            "CollectMode": "inactive_or_failed",
            "Service": service(json!({ "Type": "notify_reload", "RemainAfterExit": true })),
            "Exec": {
                "WorkingDirectory": { "path": "/tmp", "missingOK": true },
                "SupplementaryGroups": ["a", "b"],
                "UMask": 63, "Nice": -5, "NoNewPrivileges": true,
                "Environment": ["A=b \"c\"", "D="],
                "User": null,
            },
        }))
        .unwrap();
        assert_eq!(
            line(&unit),
            "Unit.Description=50%% done; Unit.CollectMode=inactive-or-failed; Service.WorkingDirectory=-/tmp; \
             Service.SupplementaryGroups=a b; Service.NoNewPrivileges=yes; Service.UMask=0077; Service.Nice=-5; \
             Service.Environment=\"A=b \\\"c\\\"\"; Service.Environment=\"D=\"; Service.Type=notify-reload; \
             Service.RemainAfterExit=yes"
        );
        let arguments = ["a", "b c"].map(str::to_owned).to_vec();
        assert_eq!(unit.commands, [("/bin/a".to_owned(), arguments)]);
        let home = with("Exec", json!({ "WorkingDirectory": { "home": true } })).unwrap();
        assert_eq!(line(&home), "Service.WorkingDirectory=~; Service.Type=oneshot");
    }

    #[test]
    fn what_cannot_be_set_is_named() {
        let named = |result: Result<TransientUnit, ContextError>| match result {
            Err(ContextError::NotSupported(name)) => name,
            other => panic!("{other:?}"),
        };
        assert_eq!(named(with("After", json!(["b.target"]))), "After");
        assert_eq!(named(with("Type", json!("service"))), "Type");
        assert_eq!(named(with("Kill", json!({}))), "Kill");
        assert_eq!(
            named(with("Exec", json!({ "PrivateTmp": "yes" }))),
            "Exec.PrivateTmp"
        );
        assert_eq!(
            named(with("Service", service(json!({ "Restart": "always" })))),
            "Service.Restart"
        );
        let flags = json!([{ "path": "/bin/a", "ignoreFailure": true }]);
        let found = with("Service", service(json!({ "ExecStart": flags })));
        assert_eq!(named(found), "Service.ExecStart");
    }

    #[test]
    fn what_is_wrong_is_told_from_it() {
        for (context, parameter) in [
            (json!([]), "context"),
            (json!({}), "context"),
            (json!({ "ID": "a" }), "context"),
            (json!({ "ID": "a.service" }), "context"),
            (
                json!({ "ID": "a.service", "Service": { "ExecStart": [] } }),
                "context",
            ),
            (
                json!({ "ID": "a.service", "Service": { "ExecStart": [{ "path": "a" }, { "path": "b" }] } }),
                "context",
            ),
            (
                json!({ "ID": "a.service", "Service": { "ExecStart": [{ "path": "-a" }] } }),
                "context",
            ),
        ] {
            let found = TransientUnit::parse(&context);
            assert_eq!(
                found,
                Err(ContextError::Invalid(parameter.to_owned())),
                "{context}"
            );
        }
        for exec in [
            json!({ "Nice": 20 }),
            json!({ "UMask": -1 }),
            json!({ "OOMScoreAdjust": 2000 }),
            json!({ "User": "a\nExecStart=/bin/b" }),
            json!({ "Environment": ["x"] }),
            json!({ "Environment": ["A=\nUser=b"] }),
            json!({ "RootDirectory": "x" }),
            json!({ "WorkingDirectory": { "path": "/a", "home": true } }),
            json!({ "NoNewPrivileges": "yes" }),
        ] {
            let name = exec.as_object().unwrap().keys().next().unwrap().clone();
            let wanted = Err(ContextError::Invalid(format!("Exec.{name}")));
            assert_eq!(with("Exec", exec.clone()), wanted, "{exec}");
        }
        let target = TransientUnit::parse(&json!({ "ID": "a.target" }));
        assert_eq!(target, Err(ContextError::UnitType));
    }
}
