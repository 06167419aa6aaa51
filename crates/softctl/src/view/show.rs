//! Properties as `NAME=VALUE`.

use serde_json::Value;

use crate::text::clean;
use crate::time::{span, timestamp};

/// What to show.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Values without names.
    pub(crate) only_values: bool,
    /// Properties without a value too.
    pub(crate) empty_too: bool,
}

/// One line for each property, or for each element of those that are lists of tuples.
pub(crate) fn properties(sheet: &[(String, Value)], options: Options) -> String {
    let mut out = String::new();
    for (name, value) in sheet {
        for text in texts(name, value) {
            if text.is_empty() && !options.empty_too {
                continue;
            }
            if options.only_values {
                out.push_str(&format!("{text}\n"));
            } else {
                out.push_str(&format!("{}={text}\n", clean(name)));
            }
        }
    }
    out
}

fn texts(name: &str, value: &Value) -> Vec<String> {
    match value {
        Value::Array(list) if list.iter().any(|item| item.is_array() || item.is_object()) => {
            list.iter().map(tuple).collect()
        }
        other => vec![text(name, other)],
    }
}

/// A port, or a command.
fn tuple(value: &Value) -> String {
    match value {
        Value::Array(parts) => match parts.as_slice() {
            [Value::String(kind), Value::String(address)] => format!("{} ({})", clean(address), clean(kind)),
            _ => clean(&value.to_string()),
        },
        Value::Object(command) => {
            let path = command.get("path").and_then(Value::as_str).unwrap_or_default();
            let words = command.get("argv").map(|argv| text("", argv)).unwrap_or_default();
            let ignore = command
                .get("ignoreErrors")
                .and_then(Value::as_bool)
                .unwrap_or(false);
            format!(
                "{{ path={} ; argv[]={words} ; ignore_errors={} }}",
                clean(path),
                yes_no(ignore)
            )
        }
        other => text("", other),
    }
}

fn text(name: &str, value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(value) => yes_no(*value).to_owned(),
        Value::String(text) => clean(text),
        Value::Number(number) => match number.as_u64() {
            Some(u64::MAX) => "infinity".to_owned(),
            Some(0) if name.ends_with("Timestamp") => String::new(),
            Some(usec) if name.ends_with("Timestamp") => timestamp(usec),
            Some(usec) if name.ends_with("USec") => span(usec),
            _ => number.to_string(),
        },
        Value::Array(list) => {
            let items: Vec<String> = list.iter().map(|item| text("", item)).collect();
            items.join(" ")
        }
        Value::Object(_) => clean(&value.to_string()),
    }
}

fn yes_no(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sheet() -> Vec<(String, Value)> {
        [
            ("Id", json!("a.service")),
            ("MainPID", json!(412)),
            ("CanReload", json!(false)),
            ("After", json!(["b.target", "c.service"])),
            ("TimeoutStartUSec", json!(90_000_000)),
            ("RuntimeMaxUSec", json!(u64::MAX)),
            ("StateChangeTimestamp", json!(1_795_399_852_000_000_u64)),
            ("ActiveEnterTimestampMonotonic", json!(1_500_000)),
            ("StatusText", json!("evil\u{1b}[2J\nId=x")),
            ("PIDFile", json!("")),
            ("Listen", json!([["Stream", "/run/x"], ["Datagram", "0.0.0.0:7"]])),
            (
                "ExecStart",
                json!([{ "path": "/bin/x", "argv": ["/bin/x", "-v"], "ignoreErrors": true }]),
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    const GOLDEN: &str = "\
Id=a.service
MainPID=412
CanReload=no
After=b.target c.service
TimeoutStartUSec=1min 30s
RuntimeMaxUSec=infinity
StateChangeTimestamp=2026-11-23 02:10:52 UTC
ActiveEnterTimestampMonotonic=1500000
StatusText=evil\\x1b[2J\\nId=x
Listen=/run/x (Stream)
Listen=0.0.0.0:7 (Datagram)
ExecStart={ path=/bin/x ; argv[]=/bin/x -v ; ignore_errors=yes }
";

    #[test]
    fn every_kind_of_value_has_its_text() {
        let options = Options {
            only_values: false,
            empty_too: false,
        };
        assert_eq!(properties(&sheet(), options), GOLDEN);
    }

    #[test]
    fn values_may_stand_alone_and_empty_ones_too() {
        let options = Options {
            only_values: true,
            empty_too: true,
        };
        let few: Vec<_> = sheet()
            .into_iter()
            .filter(|(name, _)| ["MainPID", "PIDFile"].contains(&name.as_str()))
            .collect();
        assert_eq!(properties(&few, options), "412\n\n");
    }
}
