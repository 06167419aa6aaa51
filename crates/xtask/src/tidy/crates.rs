//! Rule `crates`: each crate says what it is for, and follows the workspace's lints.

use super::finding::Findings;
use super::tokens;
use super::tree::Tree;
use super::workspace::Workspace;

/// A package that has lints of its own, and why.
type Exception = (&'static str, &'static str);

/// Who does not take the workspace's lints as they are: cargo lets a package add to them in no way.
pub(super) const EXCEPTIONS: &[Exception] = &[(
    "softboot-sys",
    "it holds the unsafe code, which the workspace's lints deny; the rule `unsafe` checks its lints",
)];

/// This file, which has the table.
const HERE: &str = "crates/xtask/src/tidy/crates.rs";

/// Checks the manifest and the root modules of every member.
pub(super) fn check(tree: &Tree, workspace: &Workspace, exceptions: &[Exception]) -> Findings {
    let mut findings = Findings::of("crates");
    for (package, manifest) in workspace.members() {
        let except = exceptions.iter().any(|(name, _)| *name == package.name);
        match (takes_lints(tree.text(manifest).unwrap_or_default()), except) {
            (false, false) => findings.add(
                manifest,
                1,
                format!("{} does not take the workspace's lints", package.name),
                "add `workspace = true` below [lints]",
            ),
            (true, true) => findings.add(
                HERE,
                1,
                format!(
                    "{} takes the workspace's lints, and has an exception from them",
                    package.name
                ),
                "remove the exception",
            ),
            _ => {}
        }
        for target in package.targets.iter().filter(|target| target.product) {
            if tree.text(&target.source).is_some_and(|text| !is_documented(text)) {
                findings.add(
                    &target.source,
                    1,
                    "the crate does not say what it is for",
                    "begin with a `//!` comment",
                );
            }
        }
    }
    for (name, _) in exceptions {
        if !workspace.members().any(|(package, _)| package.name == *name) {
            findings.add(
                HERE,
                1,
                format!("there is an exception for {name}, and no such crate"),
                "remove the exception",
            );
        }
    }
    findings
}

fn takes_lints(manifest: &str) -> bool {
    let manifest: toml::Table = manifest.parse().unwrap_or_default();
    let workspace = manifest.get("lints").and_then(|lints| lints.get("workspace"));
    workspace.and_then(toml::Value::as_bool) == Some(true)
}

/// Whether there is an inner doc comment. One of an inline module does not count.
fn is_documented(source: &str) -> bool {
    let tokens = tokens::of(source).unwrap_or_default();
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            "#" if depth == 0 => {
                let ahead = tokens.iter().skip(index + 1).take(3);
                if ahead.map(|token| token.text.as_str()).eq(["!", "[", "doc"]) {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::workspace::{Package, Target};
    use super::*;

    const LINTS: &str = "[lints]\nworkspace = true\n";

    fn found(manifest: &str, source: &str, exceptions: &[Exception]) -> Vec<String> {
        let package = Package {
            name: "a".to_owned(),
            manifest: Some("a/Cargo.toml".to_owned()),
            targets: vec![
                Target {
                    source: "a/src/lib.rs".to_owned(),
                    product: true,
                },
                Target {
                    source: "a/tests/t.rs".to_owned(),
                    product: false,
                },
            ],
            ..Package::default()
        };
        let workspace = Workspace {
            packages: vec![package],
        };
        let tree = Tree::of(&[
            ("a/Cargo.toml", manifest),
            ("a/src/lib.rs", source),
            ("a/tests/t.rs", ""),
        ]);
        check(&tree, &workspace, exceptions)
            .list
            .into_iter()
            .map(|finding| finding.path)
            .collect()
    }

    #[test]
    fn a_crate_with_docs_and_lints_passes() {
        let source = "// Copyright nobody\n#![no_std]\n//! What it is for.\n";
        assert_eq!(found(LINTS, source, &[]), [""; 0]);
    }

    #[test]
    fn a_crate_without_docs_of_its_own_is_found() {
        for source in [
            "",
            "// no doc\nfn a() {}",
            "/// Of the function.\nfn a() {}",
            "mod a {\n//! Of the module.\n}",
        ] {
            assert_eq!(found(LINTS, source, &[]), ["a/src/lib.rs"], "{source}");
        }
    }

    #[test]
    fn a_crate_with_other_lints_is_found_unless_there_is_a_reason() {
        for manifest in [
            "",
            "[lints]\nworkspace = false\n",
            "[lints.rust]\nunsafe_code = \"allow\"\n",
        ] {
            assert_eq!(found(manifest, "//! A.\n", &[]), ["a/Cargo.toml"], "{manifest}");
            assert_eq!(found(manifest, "//! A.\n", &[("a", "a reason")]), [""; 0]);
        }
    }

    #[test]
    fn an_exception_that_nothing_needs_is_found() {
        assert_eq!(found(LINTS, "//! A.\n", &[("a", "a reason")]), [HERE]);
        assert_eq!(found(LINTS, "//! A.\n", &[("b", "a reason")]), [HERE]);
    }
}
