//! Rule `dependencies`: a crate of the workspace depends on another only as the table allows.
//!
//! The table is the architecture: it keeps the engine pure, the client behind `control`, and the
//! prober independent of the manager that it measures.

use super::finding::Findings;
use super::tree::Tree;
use super::workspace::Workspace;

/// A crate, and the crates of the workspace that it may depend on.
type Row = (&'static str, &'static [&'static str]);

/// Who may depend on whom, in normal, build and development dependencies alike.
pub(super) const TABLE: &[Row] = &[
    ("softboot-sys", &[]),
    ("fdstore", &["softboot-sys"]),
    ("softboot-reexec", &["softboot-sys", "fdstore"]),
    ("softboot-unit", &[]),
    ("softboot-engine", &["softboot-unit"]),
    // For tests only; PID 1 never links it.
    ("softboot-simulate", &["softboot-engine", "softboot-unit"]),
    ("softboot-varlink", &["softboot-sys"]),
    ("fdstored", &["fdstore", "softboot-varlink", "softboot-sys"]),
    ("softboot-control", &["softboot-varlink", "softboot-sys"]),
    (
        "softboot-manager",
        &[
            "softboot-sys",
            "fdstore",
            "softboot-reexec",
            "softboot-unit",
            "softboot-engine",
            "softboot-control",
        ],
    ),
    (
        "softboot-softctl",
        &[
            "softboot-control",
            "softboot-reexec",
            "softboot-sys",
            "softboot-unit",
        ],
    ),
    ("softboot-dbus", &["softboot-control"]),
    ("softboot-greyout", &["softboot-sys"]),
    (
        "softboot-fuzz",
        &["fdstore", "softboot-control", "softboot-reexec", "softboot-unit"],
    ),
    ("fdstore-c", &["fdstore", "softboot-sys"]),
    // It measures what the others do, and nothing depends on it.
    (
        "softboot-bench",
        &[
            "fdstore",
            "softboot-engine",
            "softboot-greyout",
            "softboot-initrd",
            "softboot-qemu",
            "softboot-sys",
            "softboot-tests",
            "softboot-unit",
        ],
    ),
    ("softboot-initrd", &[]),
    (
        "softboot-programs",
        &["fdstore", "softboot-greyout", "softboot-sys"],
    ),
    ("softboot-qemu", &["softboot-initrd", "softboot-sys"]),
    (
        "softboot-tests",
        &[
            "softboot-control",
            "softboot-qemu",
            "softboot-initrd",
            "softboot-greyout",
            "fdstore",
            "softboot-sys",
        ],
    ),
    (
        "xtask",
        &[
            "softboot-initrd",
            "softboot-qemu",
            "softboot-simulate",
            "softboot-tests",
            "softboot-greyout",
            "fdstore",
        ],
    ),
];

/// This file, where a row that is missing or stale is to be mended.
const HERE: &str = "crates/xtask/src/tidy/dependencies.rs";

/// Checks every member against the table.
pub(super) fn check(tree: &Tree, workspace: &Workspace, table: &[Row]) -> Findings {
    let mut findings = Findings::of("dependencies");
    for (package, manifest) in workspace.members() {
        let Some((_, allowed)) = table.iter().find(|(name, _)| *name == package.name) else {
            findings.add(
                manifest,
                1,
                format!("crate {} is not in the table of dependencies", package.name),
                format!("decide what it may depend on, and add a row in {HERE}"),
            );
            continue;
        };
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            if !dependency.local || name == package.name || allowed.contains(&name) {
                continue;
            }
            let kind = if dependency.development {
                ", for its tests"
            } else {
                ""
            };
            let may = if allowed.is_empty() {
                "none of the workspace's crates".to_owned()
            } else {
                allowed.join(", ")
            };
            findings.add(
                manifest,
                line_of(tree.text(manifest).unwrap_or_default(), name),
                format!("{} depends on {name}{kind}", package.name),
                format!("it may depend on {may}; move the code to where it belongs"),
            );
        }
    }
    for (name, _) in table {
        if !workspace.members().any(|(package, _)| package.name == *name) {
            findings.add(
                HERE,
                1,
                format!("the table has a row for {name}, and there is no such crate"),
                "remove the row",
            );
        }
    }
    findings
}

/// Where a manifest names the dependency; the last place, for the package's own name comes first.
fn line_of(manifest: &str, name: &str) -> usize {
    manifest
        .lines()
        .enumerate()
        .filter(|(_, line)| {
            let after = line.trim().strip_prefix(name);
            after.is_some_and(|after| after.starts_with(['.', ' ', '=']))
        })
        .last()
        .map_or(1, |(index, _)| index + 1)
}

#[cfg(test)]
mod tests {
    use super::super::workspace::{Dependency, Package};
    use super::*;

    const PURE: &[Row] = &[("engine", &["unit"]), ("unit", &[])];

    fn member(name: &str, dependencies: &[(&str, bool, bool)]) -> Package {
        Package {
            name: name.to_owned(),
            manifest: Some(format!("crates/{name}/Cargo.toml")),
            dependencies: dependencies
                .iter()
                .map(|(name, local, development)| Dependency {
                    name: (*name).to_owned(),
                    local: *local,
                    development: *development,
                })
                .collect(),
            ..Package::default()
        }
    }

    fn messages(packages: Vec<Package>) -> Vec<String> {
        let manifest = "[package]\nname = \"unit\"\n[dependencies]\nengine.workspace = true\n";
        let tree = Tree::of(&[("crates/unit/Cargo.toml", manifest)]);
        let findings = check(&tree, &Workspace { packages }, PURE);
        findings
            .list
            .iter()
            .map(|finding| format!("{}:{}: {}", finding.path, finding.line, finding.message))
            .collect()
    }

    #[test]
    fn what_the_table_allows_and_what_comes_from_the_registry_passes() {
        let engine = member("engine", &[("unit", true, false), ("serde", false, false)]);
        assert_eq!(messages(vec![engine, member("unit", &[])]), [""; 0]);
    }

    #[test]
    fn a_dependency_against_the_table_is_found_at_its_line() {
        let unit = member("unit", &[("engine", true, false)]);
        assert_eq!(
            messages(vec![member("engine", &[]), unit]),
            ["crates/unit/Cargo.toml:4: unit depends on engine"]
        );
    }

    #[test]
    fn tests_do_not_get_around_the_table() {
        let unit = member("unit", &[("engine", true, true)]);
        assert_eq!(
            messages(vec![member("engine", &[]), unit]),
            ["crates/unit/Cargo.toml:4: unit depends on engine, for its tests"]
        );
    }

    #[test]
    fn a_crate_without_a_row_and_a_row_without_a_crate_are_found() {
        let found = messages(vec![member("engine", &[]), member("extra", &[])]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().any(|line| line.contains("crate extra is not in")));
        assert!(found.iter().any(|line| line.contains("a row for unit")));
    }
}
