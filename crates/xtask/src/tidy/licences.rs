//! Rule `licences`: every dependency's licence is one that `deny.toml` allows, and it allows no more.
//!
//! The policy is written once, in the form that `cargo deny` reads. What is read here of it is what
//! can be decided without the network: `graph.targets`, `licenses.allow` and `licenses.exceptions`.

use std::collections::BTreeSet;

use serde::Deserialize;
use spdx::{Expression, Licensee, ParseMode};

use super::finding::Findings;
use super::tree::Tree;
use super::workspace::{Package, Workspace};

/// The policy's file.
const POLICY: &str = "deny.toml";

/// Old packages write `MIT/Apache-2.0`; nothing else is forgiven.
const MODE: ParseMode = ParseMode {
    allow_slash_as_or_operator: true,
    ..ParseMode::STRICT
};

/// The part of the policy that is used here.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Policy {
    #[serde(default)]
    graph: Graph,
    licenses: Licenses,
}

#[derive(Debug, Default, Deserialize)]
struct Graph {
    #[serde(default)]
    targets: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Licenses {
    allow: Vec<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

#[derive(Debug, Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    package: String,
    allow: Vec<String>,
}

impl Policy {
    /// Reads it from the tree; the error says what is wrong with the file.
    pub(super) fn read(tree: &Tree) -> Result<Self, String> {
        let text = tree.text(POLICY).ok_or("the file is missing")?;
        toml::from_str(text).map_err(|error| error.to_string().trim_end().replace('\n', "; "))
    }

    /// The platforms whose dependencies count; none means all.
    pub(super) fn platforms(&self) -> &[String] {
        &self.graph.targets
    }
}

/// Checks all packages against the policy, and the policy against them.
pub(super) fn check(tree: &Tree, workspace: &Workspace, policy: &Result<Policy, String>) -> Findings {
    let mut findings = Findings::of("licences");
    let policy = match policy {
        Ok(policy) => policy,
        Err(error) => {
            let advice = "it says which licences dependencies may have";
            findings.add(POLICY, 1, format!("the policy cannot be read: {error}"), advice);
            return findings;
        }
    };
    let text = tree.text(POLICY).unwrap_or_default();
    let lock = tree.text("Cargo.lock").unwrap_or_default();
    // Entries of the general list, and of exceptions as (package, entry).
    let mut used: BTreeSet<(Option<&str>, &str)> = BTreeSet::new();
    for package in &workspace.packages {
        let here = format!("name = \"{}\"", package.name);
        let (path, line) = match package.manifest.as_deref() {
            Some(manifest) => (manifest, 1),
            None => ("Cargo.lock", line_with(lock, &here)),
        };
        match judge(package, policy, &mut used) {
            Ok(true) => {}
            Ok(false) => findings.add(
                path,
                line,
                format!(
                    "{} {} is under {}, which {POLICY} does not allow",
                    package.name,
                    package.version,
                    package.licence.as_deref().unwrap_or_default()
                ),
                "do without it, or allow the licence there with the reason",
            ),
            Err(reason) => findings.add(
                path,
                line,
                format!("{} {} {reason}", package.name, package.version),
                "a licence is an SPDX expression; do without the package, or ask its authors",
            ),
        }
    }
    for entry in &policy.licenses.allow {
        if !used.contains(&(None, entry)) {
            findings.add(
                POLICY,
                line_with(text, &format!("\"{entry}\"")),
                format!("no dependency is under {entry}"),
                "remove the entry",
            );
        }
    }
    for exception in &policy.licenses.exceptions {
        let line = line_with(text, &format!("\"{}\"", exception.package));
        for entry in &exception.allow {
            if !used.contains(&(Some(&exception.package), entry)) {
                findings.add(
                    POLICY,
                    line,
                    format!("{} does not need the exception for {entry}", exception.package),
                    "remove it",
                );
            }
        }
        let mut around = text.lines().skip(line.saturating_sub(2)).take(2);
        if !around.any(|line| line.contains('#')) {
            findings.add(
                POLICY,
                line,
                format!("the exception for {} has no reason", exception.package),
                "add a comment above it",
            );
        }
    }
    findings
}

/// Whether the package may be used. Notes which entries of the policy speak of its licences.
fn judge<'a>(
    package: &Package,
    policy: &'a Policy,
    used: &mut BTreeSet<(Option<&'a str>, &'a str)>,
) -> Result<bool, String> {
    let licence = package.licence.as_deref().ok_or("states no licence")?;
    let expression = Expression::parse_mode(licence, MODE)
        .map_err(|error| format!("states the licence {licence:?}, which is none: {}", error.reason))?;
    let general = policy.licenses.allow.iter().map(|entry| (None, entry.as_str()));
    let exceptions = policy
        .licenses
        .exceptions
        .iter()
        .filter(|exception| exception.package == package.name)
        .flat_map(|exception| {
            let package = Some(exception.package.as_str());
            exception.allow.iter().map(move |entry| (package, entry.as_str()))
        });
    let entries: Vec<_> = general
        .chain(exceptions)
        .filter_map(|key| Some((key, Licensee::parse(key.1).ok()?)))
        .collect();
    for requirement in expression.requirements() {
        let met = entries
            .iter()
            .find(|(_, licensee)| licensee.satisfies(&requirement.req));
        used.extend(met.map(|(key, _)| *key));
    }
    Ok(expression.evaluate(|requirement| {
        entries
            .iter()
            .any(|(_, licensee)| licensee.satisfies(requirement))
    }))
}

fn line_with(text: &str, part: &str) -> usize {
    let mut lines = text.lines();
    lines
        .position(|line| line.contains(part))
        .map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "[licenses]\nallow = [\n  \"MIT\",\n  \"Apache-2.0\",\n]\n";
    const LOCK: &str = "[[package]]\nname = \"first\"\n[[package]]\nname = \"second\"\n";

    fn found(policy: &str, licences: &[(&str, Option<&str>)]) -> Vec<String> {
        let package = |(name, licence): &(&str, Option<&str>)| Package {
            name: (*name).to_owned(),
            version: "1.0.0".to_owned(),
            licence: licence.map(str::to_owned),
            ..Package::default()
        };
        let workspace = Workspace {
            packages: licences.iter().map(package).collect(),
        };
        let tree = Tree::of(&[("deny.toml", policy), ("Cargo.lock", LOCK)]);
        check(&tree, &workspace, &Policy::read(&tree))
            .list
            .into_iter()
            .map(|finding| format!("{}:{}: {}", finding.path, finding.line, finding.message))
            .collect()
    }

    #[test]
    fn one_of_a_choice_and_all_of_a_conjunction_must_be_allowed() {
        let good = [
            ("first", Some("MIT AND (Apache-2.0 OR GPL-3.0-only)")),
            ("second", Some("MIT/Apache-2.0")),
        ];
        assert_eq!(found(TWO, &good), [""; 0]);
        let bad = [
            ("first", Some("MIT OR Apache-2.0")),
            ("second", Some("MIT AND Zlib")),
        ];
        assert_eq!(
            found(TWO, &bad),
            ["Cargo.lock:4: second 1.0.0 is under MIT AND Zlib, which deny.toml does not allow"]
        );
    }

    #[test]
    fn a_licence_with_an_exception_clause_is_not_the_licence() {
        let licences = [
            ("first", Some("Apache-2.0 WITH LLVM-exception")),
            ("second", Some("MIT OR Apache-2.0")),
        ];
        assert_eq!(found(TWO, &licences).len(), 1);
    }

    #[test]
    fn a_package_without_a_licence_or_with_nonsense_is_found() {
        let licences = [
            ("first", None),
            ("second", Some("My own")),
            ("third", Some("MIT OR Apache-2.0")),
        ];
        let found = found(TWO, &licences);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found
                .iter()
                .any(|line| line.contains("first 1.0.0 states no licence"))
        );
        assert!(found.iter().any(|line| line.contains("\"My own\"")));
    }

    #[test]
    fn an_entry_that_no_package_needs_is_found() {
        assert_eq!(
            found(TWO, &[("first", Some("MIT"))]),
            ["deny.toml:4: no dependency is under Apache-2.0"]
        );
    }

    #[test]
    fn an_exception_holds_for_its_package_alone() {
        let policy = "[licenses]\nallow = [\"MIT\"]\nexceptions = [\n  # The reason.\n  \
                      { allow = [\"Zlib\"], crate = \"first\" },\n]\n";
        let (zlib, mit) = (Some("Zlib"), Some("MIT"));
        assert_eq!(found(policy, &[("first", zlib), ("second", mit)]), [""; 0]);
        let both = found(policy, &[("first", mit), ("second", zlib)]);
        assert_eq!(
            both,
            [
                "Cargo.lock:4: second 1.0.0 is under Zlib, which deny.toml does not allow",
                "deny.toml:5: first does not need the exception for Zlib"
            ]
        );
        let silent = policy.replace("# The reason.", "");
        assert_eq!(
            found(&silent, &[("first", zlib), ("second", mit)]),
            ["deny.toml:5: the exception for first has no reason"]
        );
    }

    #[test]
    fn without_a_readable_policy_nothing_passes() {
        let tree = Tree::of(&[]);
        let findings = check(&tree, &Workspace::default(), &Policy::read(&tree));
        assert_eq!(findings.list.len(), 1);
        assert_eq!(found("[licenses\n", &[]).len(), 1);
    }
}
