//! Rule `modules`: every Rust file is reached from something that cargo compiles.
//!
//! A file that no `mod` names is never compiled: no test of it runs and no lint sees it.

use std::collections::BTreeSet;

use super::finding::Findings;
use super::paths;
use super::tokens::{self, Token};
use super::tree::Tree;
use super::workspace::Workspace;

/// Follows the modules of all targets, and finds what is left.
pub(super) fn check(tree: &Tree, workspace: &Workspace) -> Findings {
    let mut findings = Findings::of("modules");
    let mut reached = BTreeSet::new();
    let mut waiting: Vec<(String, String)> = Vec::new();
    for (package, _) in workspace.members() {
        for target in &package.targets {
            waiting.push((target.source.clone(), paths::parent(&target.source).to_owned()));
        }
    }
    while let Some((file, directory)) = waiting.pop() {
        let Some(text) = tree.text(&file) else { continue };
        if reached.insert(file.clone()) {
            let tokens = tokens::of(text).unwrap_or_default();
            waiting.extend(children(&tokens, &file, &directory));
        }
    }
    for (path, _) in tree.ending(".rs") {
        if !reached.contains(path) {
            findings.add(
                path,
                1,
                "no module and no target of cargo's leads to this file",
                "add its `mod`, or remove it",
            );
        }
    }
    findings
}

/// The files that a file may name, each with the directory of its own modules. Of `x.rs` and
/// `x/mod.rs` both are given: what is not there is passed over.
fn children(tokens: &[Token], file: &str, directory: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    // The names of the inline modules around; an empty one is another kind of block.
    let mut around: Vec<&str> = Vec::new();
    let mut given: Option<&str> = None;
    for (index, token) in tokens.iter().enumerate() {
        let next = |ahead: usize| tokens.get(index + ahead).map_or("", |token| token.text.as_str());
        match token.text.as_str() {
            "path" if next(1) == "=" => given = string(next(2)),
            "include" if next(1) == "!" => {
                let included = string(next(3)).and_then(|path| paths::join(paths::parent(file), path));
                found.extend(included.map(|path| (path, directory.to_owned())));
            }
            "mod" if next(2) == ";" => {
                let inner = around.iter().fold(directory.to_owned(), |path, name| {
                    if name.is_empty() {
                        path
                    } else {
                        format!("{path}/{name}")
                    }
                });
                let inner = inner.trim_start_matches('/');
                let name = next(1);
                if let Some(path) = given.take() {
                    let path = paths::join(paths::parent(file), path);
                    found.extend(path.map(|path| (path.clone(), paths::parent(&path).to_owned())));
                } else {
                    let own = paths::join(inner, name).unwrap_or_default();
                    found.push((format!("{own}.rs"), own.clone()));
                    found.push((format!("{own}/mod.rs"), own));
                }
            }
            "{" => {
                let before = |back: usize| {
                    let at = index.checked_sub(back)?;
                    tokens.get(at).map(|token| token.text.as_str())
                };
                around.push(if before(2) == Some("mod") {
                    before(1).unwrap_or_default()
                } else {
                    ""
                });
                given = None;
            }
            "}" => {
                around.pop();
                given = None;
            }
            ";" => given = None,
            _ => {}
        }
    }
    found
}

/// The contents of a plain string literal.
fn string(literal: &str) -> Option<&str> {
    literal.strip_prefix('"')?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::super::workspace::{Package, Target};
    use super::*;

    fn orphans(files: &[(&str, &str)]) -> Vec<String> {
        let target = |source: &str| Target {
            source: source.to_owned(),
            product: true,
        };
        let package = Package {
            manifest: Some("a/Cargo.toml".to_owned()),
            targets: vec![target("a/src/lib.rs"), target("a/src/bin/tool.rs")],
            ..Package::default()
        };
        let workspace = Workspace {
            packages: vec![package],
        };
        check(&Tree::of(files), &workspace)
            .list
            .into_iter()
            .map(|finding| finding.path)
            .collect()
    }

    #[test]
    fn every_way_to_name_a_file_is_followed() {
        let files = [
            (
                "a/src/lib.rs",
                "mod one;\n#[cfg(test)]\npub(crate) mod two;\nmod inner { fn f() {} mod three; }\n\
                 #[path = \"other/name.rs\"]\nmod four;\nmod five;\ninclude!(\"part.rs\");\n",
            ),
            ("a/src/one.rs", "mod deep;"),
            ("a/src/one/deep.rs", ""),
            ("a/src/two/mod.rs", "mod deep;"),
            ("a/src/two/deep.rs", ""),
            ("a/src/inner/three.rs", ""),
            ("a/src/other/name.rs", "mod beside;"),
            ("a/src/other/beside.rs", ""),
            ("a/src/five.rs", ""),
            ("a/src/part.rs", ""),
            ("a/src/bin/tool.rs", "mod shared;"),
            ("a/src/bin/shared.rs", ""),
        ];
        assert_eq!(orphans(&files), [""; 0]);
    }

    #[test]
    fn a_file_that_nothing_names_is_found_with_what_it_names() {
        let files = [
            (
                "a/src/lib.rs",
                "// mod one;\nconst A: &str = \"mod one;\";\nmod two { } mod deep;",
            ),
            ("a/src/one.rs", "mod deep;"),
            ("a/src/one/deep.rs", ""),
            ("a/src/two/deep.rs", ""),
            ("a/src/deep.rs", ""),
        ];
        assert_eq!(
            orphans(&files),
            ["a/src/one.rs", "a/src/one/deep.rs", "a/src/two/deep.rs"]
        );
    }
}
