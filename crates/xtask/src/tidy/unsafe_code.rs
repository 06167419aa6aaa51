//! Rule `unsafe`: unsafe code is in one crate, and there every block says why it is sound.
//!
//! The compiler's own lint `unsafe_code` can be allowed by an attribute in any file; this cannot.
//! That each block has its `SAFETY:` comment is clippy's to check; that clippy is told to, is ours.

use super::finding::Findings;
use super::tokens;
use super::tree::Tree;

/// A directory, and why unsafe code may be there.
type Place = (&'static str, &'static str);

/// Where unsafe code may be. Each must turn clippy's lint on in its manifest.
pub(super) const PLACES: &[Place] = &[(
    "crates/sys",
    "the crate exists to hold the unsafe code of the whole workspace",
)];

/// The lint that asks for the comment.
const LINT: &str = "undocumented_unsafe_blocks";

/// Checks every Rust file, and the manifests of the places.
pub(super) fn check(tree: &Tree, places: &[Place]) -> Findings {
    let mut findings = Findings::of("unsafe");
    let homes: Vec<&str> = places.iter().map(|(place, _)| *place).collect();
    let homes = homes.join(", ");
    for (path, text) in tree.ending(".rs") {
        if places
            .iter()
            .any(|(place, _)| path.strip_prefix(place).is_some_and(|rest| rest.starts_with('/')))
        {
            continue;
        }
        let Some(tokens) = tokens::of(text) else {
            findings.add(path, 1, "cannot be read as Rust", "mend its syntax");
            continue;
        };
        for line in tokens::lines_of(&tokens, &["unsafe"]) {
            findings.add(
                path,
                line,
                format!("unsafe code outside of {homes}"),
                "add a safe function to crates/sys and call that",
            );
        }
    }
    for (place, reason) in places {
        let manifest = format!("{place}/Cargo.toml");
        let level = tree.text(&manifest).and_then(lint_level);
        if level.as_deref() != Some("deny") && level.as_deref() != Some("forbid") {
            findings.add(
                &manifest,
                1,
                format!("clippy::{LINT} is not denied where unsafe code may be ({reason})"),
                format!("add `{LINT} = \"deny\"` to [lints.clippy]"),
            );
        }
    }
    findings
}

fn lint_level(manifest: &str) -> Option<String> {
    let manifest: toml::Table = manifest.parse().ok()?;
    let lint = manifest.get("lints")?.get("clippy")?.get(LINT)?;
    let level = lint.as_str().or_else(|| lint.get("level")?.as_str())?;
    Some(level.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON: &str = "[lints.clippy]\nundocumented_unsafe_blocks = \"deny\"\n";

    fn found(files: &[(&str, &str)]) -> Vec<(String, usize)> {
        let findings = check(&Tree::of(files), &[("crates/sys", "a reason")]);
        findings
            .list
            .into_iter()
            .map(|finding| (finding.path, finding.line))
            .collect()
    }

    #[test]
    fn unsafe_code_outside_of_its_crate_is_found_in_every_form() {
        let source = "#[unsafe(no_mangle)]\nfn a() { unsafe { b() } }\nunsafe fn b() {}\n\
                      macro_rules! m { () => { unsafe { b() } } }\nunsafe impl Send for X {}\n";
        let lines: Vec<usize> = found(&[("crates/sys/Cargo.toml", ON), ("crates/x/src/lib.rs", source)])
            .into_iter()
            .map(|(_, line)| line)
            .collect();
        assert_eq!(lines, [1, 2, 3, 4, 5]);
    }

    #[test]
    fn the_word_in_comments_strings_and_lint_names_is_no_code() {
        let source = "//! unsafe\n#![deny(unsafe_code)]\n// unsafe\nfn a() { \"unsafe {\"; r#unsafe; }\n";
        let files = [("crates/sys/Cargo.toml", ON), ("crates/x/src/lib.rs", source)];
        assert_eq!(found(&files), []);
    }

    #[test]
    fn its_crate_may_have_it_and_no_other_of_a_like_name() {
        let source = "unsafe fn a() {}";
        let files = [
            ("crates/sys/Cargo.toml", ON),
            ("crates/sys/src/a.rs", source),
            ("crates/system/src/a.rs", source),
        ];
        assert_eq!(found(&files), [("crates/system/src/a.rs".to_owned(), 1)]);
    }

    #[test]
    fn its_crate_must_ask_for_the_reason_of_each_block() {
        for manifest in [
            "",
            "[lints.clippy]\nundocumented_unsafe_blocks = \"warn\"\n",
            "[lints]\nworkspace = true\n",
        ] {
            let files = [("crates/sys/Cargo.toml", manifest)];
            assert_eq!(
                found(&files),
                [("crates/sys/Cargo.toml".to_owned(), 1)],
                "{manifest}"
            );
        }
        let table = "[lints.clippy]\nundocumented_unsafe_blocks = { level = \"deny\", priority = 1 }\n";
        assert_eq!(found(&[("crates/sys/Cargo.toml", table)]), []);
    }

    #[test]
    fn a_file_that_hides_behind_bad_syntax_is_found() {
        let files = [
            ("crates/sys/Cargo.toml", ON),
            ("tests/a.rs", "fn a( { unsafe { } }"),
        ];
        assert_eq!(found(&files), [("tests/a.rs".to_owned(), 1)]);
    }
}
