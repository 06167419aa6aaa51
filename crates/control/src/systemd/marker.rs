//! What somebody noted is to be done with a unit, later and all at once: `Markers` (org.freedesktop.systemd1(5)).

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is to be done. A unit has at most one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Marker {
    /// Start it.
    NeedsStart,
    /// Stop it.
    NeedsStop,
    /// Reload it, or restart it if it has no way to.
    NeedsReload,
    /// Restart it.
    NeedsRestart,
}

/// The properties of a unit's runtime; only `Markers` can be set.
const RUNTIME: [&str; 35] = [
    "Following",
    "LoadState",
    "ActiveState",
    "FreezerState",
    "SubState",
    "UnitFileState",
    "StateChangeTimestamp",
    "ActiveEnterTimestamp",
    "ActiveExitTimestamp",
    "InactiveEnterTimestamp",
    "InactiveExitTimestamp",
    "CanStart",
    "CanStop",
    "CanReload",
    "CanIsolate",
    "CanClean",
    "CanFreeze",
    "CanLiveMount",
    "JobId",
    "NeedDaemonReload",
    "ConditionResult",
    "AssertResult",
    "ConditionTimestamp",
    "AssertTimestamp",
    "InvocationID",
    "ActivationDetails",
    "CGroup",
    "Automount",
    "Mount",
    "Path",
    "Scope",
    "Service",
    "Socket",
    "Swap",
    "Timer",
];

/// A change of a unit's markers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MarkerChange(Vec<(Sign, Marker)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    /// Instead of what there is.
    Set,
    /// Beside what there is.
    Add,
    /// Away from what there is.
    Remove,
}

/// Why properties cannot be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PropertyError {
    /// There is no such property, or the value is none of its values.
    Invalid,
    /// It cannot be set.
    NotSupported(String),
}

impl MarkerChange {
    /// Decodes the properties of `SetProperties`; `None` if they change nothing.
    pub fn parse(properties: &Value) -> Result<Option<MarkerChange>, PropertyError> {
        let members = properties.as_object().ok_or(PropertyError::Invalid)?;
        if let Some(name) = members.keys().find(|name| *name != "Markers") {
            return Err(match RUNTIME.contains(&name.as_str()) {
                true => PropertyError::NotSupported(name.clone()),
                false => PropertyError::Invalid,
            });
        }
        let Some(list) = members.get("Markers") else {
            return Ok(None);
        };
        let words = list.as_array().ok_or(PropertyError::Invalid)?.iter();
        let change: Vec<(Sign, Marker)> = words
            .map(|word| word.as_str().and_then(signed).ok_or(PropertyError::Invalid))
            .collect::<Result<_, _>>()?;
        let replaces = |(sign, _): &(Sign, Marker)| *sign == Sign::Set;
        // Either all of them replace, or none.
        if change.iter().any(replaces) && !change.iter().all(replaces) {
            return Err(PropertyError::Invalid);
        }
        Ok(Some(MarkerChange(change)))
    }

    /// What a unit has after it.
    pub fn apply(&self, before: Option<Marker>) -> Option<Marker> {
        if self.0.is_empty() {
            return None;
        }
        self.0.iter().fold(before, |now, (sign, marker)| match sign {
            Sign::Set => Some(*marker),
            Sign::Add => Some(now.map_or(*marker, |now| both(now, *marker))),
            Sign::Remove => now.filter(|now| now != marker),
        })
    }
}

/// What two of them come to: what is stopped need not be restarted nor reloaded, what is restarted is started, and
/// what is started or restarted need not be reloaded. Of a start and a stop the later counts.
fn both(before: Marker, added: Marker) -> Marker {
    use Marker::{NeedsReload, NeedsRestart, NeedsStart, NeedsStop};
    match (before, added) {
        (NeedsStop, NeedsReload | NeedsRestart) => NeedsStop,
        (NeedsRestart, NeedsStart | NeedsReload) => NeedsRestart,
        (NeedsStart, NeedsReload) => NeedsStart,
        (_, added) => added,
    }
}

fn signed(word: &str) -> Option<(Sign, Marker)> {
    let (sign, rest) = match word.split_at_checked(1)? {
        ("+", rest) => (Sign::Add, rest),
        ("-", rest) => (Sign::Remove, rest),
        _ => (Sign::Set, word),
    };
    let marker = serde_json::from_value(Value::String(rest.to_owned())).ok()?;
    Some((sign, marker))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn change(words: &[&str]) -> MarkerChange {
        MarkerChange::parse(&json!({ "Markers": words }))
            .unwrap()
            .unwrap()
    }

    /// What systemd 262 answers to each pair.
    #[test]
    fn two_markers_come_to_one_as_they_do_in_systemd() {
        use Marker::{NeedsReload, NeedsRestart, NeedsStart, NeedsStop};
        for (before, word, added, after) in [
            (NeedsStart, "start", NeedsStart, NeedsStart),
            (NeedsStart, "stop", NeedsStop, NeedsStop),
            (NeedsStart, "reload", NeedsReload, NeedsStart),
            (NeedsStart, "restart", NeedsRestart, NeedsRestart),
            (NeedsStop, "start", NeedsStart, NeedsStart),
            (NeedsStop, "stop", NeedsStop, NeedsStop),
            (NeedsStop, "reload", NeedsReload, NeedsStop),
            (NeedsStop, "restart", NeedsRestart, NeedsStop),
            (NeedsReload, "start", NeedsStart, NeedsStart),
            (NeedsReload, "stop", NeedsStop, NeedsStop),
            (NeedsReload, "reload", NeedsReload, NeedsReload),
            (NeedsReload, "restart", NeedsRestart, NeedsRestart),
            (NeedsRestart, "start", NeedsStart, NeedsRestart),
            (NeedsRestart, "stop", NeedsStop, NeedsStop),
            (NeedsRestart, "reload", NeedsReload, NeedsRestart),
            (NeedsRestart, "restart", NeedsRestart, NeedsRestart),
        ] {
            let plus = change(&[&format!("+needs-{word}")]);
            assert_eq!(plus.apply(Some(before)), Some(after), "{before:?} and {word}");
            // Without a sign the last one counts, whatever there was.
            let plain = change(&["needs-stop", &format!("needs-{word}")]);
            assert_eq!(plain.apply(Some(before)), Some(added));
            let minus = change(&[&format!("-needs-{word}")]);
            assert_eq!(
                minus.apply(Some(before)),
                Some(before).filter(|before| *before != added)
            );
        }
        assert_eq!(change(&[]).apply(Some(NeedsStop)), None);
    }

    #[test]
    fn only_markers_can_be_set() {
        let error = |properties| MarkerChange::parse(&properties).unwrap_err();
        assert_eq!(
            error(json!({ "JobId": 1 })),
            PropertyError::NotSupported("JobId".to_owned())
        );
        for properties in [
            json!([]),
            json!({ "Frob": 1 }),
            json!({ "Markers": null }),
            json!({ "Markers": "needs-stop" }),
            json!({ "Markers": ["x"] }),
            json!({ "Markers": [""] }),
            json!({ "Markers": ["+needs-stop", "needs-start"] }),
        ] {
            assert_eq!(error(properties.clone()), PropertyError::Invalid, "{properties}");
        }
        assert_eq!(MarkerChange::parse(&json!({})), Ok(None));
    }
}
