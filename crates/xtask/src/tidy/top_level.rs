//! Rule `top-level`: the names at the top are those that the architecture has, and no others.

use super::finding::Findings;
use super::tree::Tree;

/// What may be at the top. Dot files are customary and may be there, too, and licence texts.
const NAMES: &[&str] = &[
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "README.md",
    "SPECIFICATION.md",
    "crates",
    // cargo-deny looks for it here.
    "deny.toml",
    "docs",
    "initrd",
    "qemu",
    "tests",
];

/// Checks the first component of every tracked path.
pub(super) fn check(tree: &Tree) -> Findings {
    let mut findings = Findings::of("top-level");
    let mut last = "";
    for path in tree.paths() {
        let name = path.split_once('/').map_or(path, |(name, _)| name);
        let known = NAMES.contains(&name) || name.starts_with('.') || name.starts_with("LICENSE-");
        if !known && name != last {
            last = name;
            findings.add(
                path,
                1,
                format!("{name} has no place at the top"),
                format!(
                    "move it below one of {}",
                    ["crates", "docs", "initrd", "qemu", "tests"].join(", ")
                ),
            );
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(paths: &[&str]) -> Vec<String> {
        let files: Vec<(&str, &str)> = paths.iter().map(|path| (*path, "")).collect();
        check(&Tree::of(&files))
            .list
            .into_iter()
            .map(|finding| finding.message)
            .collect()
    }

    #[test]
    fn what_the_architecture_names_passes() {
        let paths = [
            ".ci/run",
            ".gitignore",
            "Cargo.toml",
            "LICENSE-MIT",
            "crates/a/src/lib.rs",
            "docs/a.md",
        ];
        assert_eq!(found(&paths), [""; 0]);
    }

    #[test]
    fn another_file_or_directory_is_found_once() {
        let paths = ["Makefile", "crates/a/Makefile", "tools/a", "tools/b"];
        assert_eq!(
            found(&paths),
            [
                "Makefile has no place at the top",
                "tools has no place at the top"
            ]
        );
    }
}
