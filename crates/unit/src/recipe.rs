//! What a unit has to say to live through a soft-reboot (semantics 7.9), as one setting or line by line.
//!
//! `SurviveSoftReboot=yes` is ours. It means all of the recipe; a line of it that is written keeps its value.

use crate::model::{Dependency, DependencyKind as D, Origin, UnitSection};
use crate::name::UnitName;

/// The units of the recipe: another end of the machine stops the service in order, a soft-reboot does not.
const DEPENDENCIES: [(D, &[&str]); 3] = [
    (D::After, &["basic.target"]),
    (
        D::Conflicts,
        &[
            "reboot.target",
            "kexec.target",
            "poweroff.target",
            "halt.target",
            "rescue.target",
            "emergency.target",
        ],
    ),
    (
        D::Before,
        &["shutdown.target", "rescue.target", "emergency.target"],
    ),
];

/// Which of the recipe's booleans were written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Written {
    pub(crate) default_dependencies: bool,
    pub(crate) ignore_on_isolate: bool,
    pub(crate) survive_final_kill_signal: bool,
}

/// Carries out `SurviveSoftReboot=yes`.
pub(crate) fn complete(unit: &mut UnitSection, written: Written, dependencies: &mut Vec<Dependency>) {
    if unit.survive_soft_reboot != Some(true) {
        return;
    }
    unit.default_dependencies &= written.default_dependencies;
    unit.ignore_on_isolate |= !written.ignore_on_isolate;
    unit.survive_final_kill_signal |= !written.survive_final_kill_signal;
    for (kind, on) in wanted() {
        if !dependencies.iter().any(|d| d.kind == kind && d.on == on) {
            dependencies.push(Dependency {
                kind,
                on,
                origin: Origin::Default,
            });
        }
    }
}

fn wanted() -> impl Iterator<Item = (D, UnitName)> {
    DEPENDENCIES
        .into_iter()
        .flat_map(|(kind, names)| names.iter().map(move |name| (kind, *name)))
        .filter_map(|(kind, name)| Some((kind, UnitName::new(name).ok()?)))
}

/// Whether the unit means to survive: it says so, or has most of a recipe whose lines have other uses one by one.
pub fn is_begun(unit: &UnitSection) -> bool {
    unit.survive_soft_reboot == Some(true)
        || unit.survive_final_kill_signal
        || (unit.ignore_on_isolate && missing(unit, false).len() <= 2)
}

/// The lines of the recipe that the unit does not have. `slice`: it is the slice of a survivor, which needs no more than
/// the settings that leave it alone.
pub fn missing(unit: &UnitSection, slice: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for (there, line) in [
        (unit.survive_final_kill_signal, "SurviveFinalKillSignal=yes"),
        (unit.ignore_on_isolate, "IgnoreOnIsolate=yes"),
        (!unit.default_dependencies, "DefaultDependencies=no"),
    ] {
        if !there {
            lines.push(line.to_owned());
        }
    }
    if slice {
        return lines;
    }
    for (kind, names) in DEPENDENCIES {
        let has = |name: &&&str| {
            let mut all = unit.dependencies.iter();
            all.any(|dependency| dependency.kind == kind && dependency.on.as_str() == **name)
        };
        let absent: Vec<&str> = names.iter().filter(|name| !has(name)).copied().collect();
        if !absent.is_empty() {
            let word = match kind {
                D::After => "After",
                D::Before => "Before",
                _ => "Conflicts",
            };
            lines.push(format!("{word}={}", absent.join(" ")));
        }
    }
    lines
}
