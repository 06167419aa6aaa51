//! Which settings there are, and which of them anything acts on: so that a typing mistake is told from a setting that
//! is understood without effect, and a status can say which protection is not there.

mod exec;
mod sections;

use crate::model::{ConditionKind, Severity};
use crate::name::UnitKind;
use crate::value::{boolean, did_you_mean};

/// What becomes of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// It has an effect.
    Acts,
    /// It is understood without effect.
    Later,
    /// It would restrict the unit's processes, and does not.
    Security,
}

type Table = &'static [(&'static [&'static str], Status)];

/// Sections of other units and of types that are known by name only.
const SECTIONS: &[&str] = &[
    "Unit",
    "Install",
    "Service",
    "Socket",
    "Slice",
    "Mount",
    "Automount",
    "Swap",
    "Timer",
    "Path",
    "Scope",
    "Target",
];

/// Tests that softbootd cannot make (semantics 5.7): they count as not met.
const UNTESTED: &[ConditionKind] = &[ConditionKind::MachineTag, ConditionKind::Fraction];

fn tables(section: &str) -> &'static [Table] {
    match section {
        "Unit" => &[sections::UNIT],
        "Install" => &[sections::INSTALL],
        "Service" => &[sections::SERVICE, exec::EXEC, exec::CGROUP],
        "Socket" => &[sections::SOCKET, exec::EXEC, exec::CGROUP],
        "Mount" => &[sections::MOUNT, exec::EXEC, exec::CGROUP],
        "Slice" => &[sections::SLICE, exec::CGROUP],
        _ => &[],
    }
}

/// What becomes of a setting; `None` for one that is not known, and for old spellings.
pub(super) fn status(section: &str, key: &str) -> Option<Status> {
    if section == "Unit"
        && let Some(test) = key
            .strip_prefix("Condition")
            .or_else(|| key.strip_prefix("Assert"))
    {
        let kind: ConditionKind = test.parse().ok()?;
        return Some(if UNTESTED.contains(&kind) {
            Status::Later
        } else {
            Status::Acts
        });
    }
    let (own, shared) = tables(section).split_first()?;
    let find = |table: &Table| {
        table
            .iter()
            .find(|(keys, _)| keys.contains(&key))
            .map(|(_, status)| *status)
    };
    if let Some(status) = find(own) {
        return Some(status);
    }
    shared.iter().find_map(find)
}

/// The names of a section's settings.
pub(super) fn names(section: &str) -> impl Iterator<Item = &'static str> {
    tables(section)
        .iter()
        .flat_map(|table| table.iter())
        .flat_map(|(keys, _)| keys.iter().copied())
}

/// A suggestion for a name that is none, as an addition to a sentence.
pub(super) fn hint(section: &str, key: &str) -> String {
    for prefix in ["Condition", "Assert"] {
        if section == "Unit"
            && let Some(test) = key.strip_prefix(prefix)
        {
            let hint = did_you_mean(test, ConditionKind::ALL.iter().map(|kind| kind.name()));
            return hint.replacen("mean ", &format!("mean {prefix}"), 1);
        }
    }
    let hint = did_you_mean(key, names(section));
    if !hint.is_empty() {
        return hint;
    }
    // The right word in the wrong place.
    ["Unit", "Service", "Socket", "Mount", "Slice", "Install"]
        .into_iter()
        .find(|other| *other != section && names(other).any(|name| name == key))
        .map_or_else(String::new, |other| format!(" (it belongs in [{other}])"))
}

/// What to say of a setting that is understood without effect; `None` when it asks for nothing.
pub(super) fn remark(section: &str, key: &str, value: &str, status: Option<Status>) -> Option<String> {
    if status == Some(Status::Security) {
        let asks = boolean(value) != Ok(false) && !value.is_empty();
        return asks.then(|| {
            format!("{key}= is understood but not enforced: the processes are not restricted as it says")
        });
    }
    if section == "Unit" && (key.starts_with("Condition") || key.starts_with("Assert")) {
        return (!value.is_empty())
            .then(|| format!("{key}= is understood but cannot be tested yet: it counts as not met"));
    }
    Some(format!("{key}= is understood but nothing acts on it yet"))
}

/// A mistake in one of these leaves nothing sensible to run, or would run it with rights it must not have.
pub(super) fn makes_unusable(section: &str, key: &str) -> bool {
    match section {
        "Service" => key.starts_with("Exec") || matches!(key, "Type" | "User" | "Group" | "RootDirectory"),
        "Socket" => key.starts_with("Listen") || key == "Service",
        "Mount" => matches!(key, "What" | "Where"),
        _ => false,
    }
}

/// What to say of a section that does not belong to the unit's type.
pub(super) fn foreign_section(section: &str, kind: UnitKind) -> Option<(Severity, String)> {
    let type_section = matches!(
        kind,
        UnitKind::Automount | UnitKind::Swap | UnitKind::Timer | UnitKind::Path | UnitKind::Scope
    );
    if type_section && section.to_ascii_lowercase() == kind.suffix() {
        return Some((
            Severity::Unsupported,
            format!("[{section}] is understood but nothing acts on it yet"),
        ));
    }
    let hint = did_you_mean(section, SECTIONS.iter().copied());
    let message = if SECTIONS.contains(&section) {
        format!("[{section}] has no meaning in a {kind} unit")
    } else {
        format!("unknown section [{section}]{hint}")
    };
    Some((Severity::Warning, message))
}
