//! Rule `machine`: no tracked file knows the machine that it was written on.
//!
//! Paths of one machine and hosts that one machine fetches from mislead on every other.

use super::finding::Findings;
use super::tree::Tree;

/// First components of absolute paths; each in two parts, so that this file does not have them.
/// With a final slash, the directory alone is no finding: every system has it.
const PATHS: &[&str] = &[
    concat!("/wo", "rk"),
    concat!("/fa", "rm"),
    concat!("/ro", "ot/"),
    concat!("/Use", "rs/"),
];

/// Where packages are fetched from; the tools that fetch know, and the user's settings may say others.
const HOSTS: &[&str] = &[
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("deb.", "debian.org"),
    concat!("ftp.", "debian.org"),
    concat!("security.", "debian.org"),
    concat!("snapshot.", "debian.org"),
    concat!("archive.", "ubuntu.com"),
    concat!("security.", "ubuntu.com"),
    concat!("files.", "pythonhosted.org"),
    concat!("arti", "factory"),
];

/// Checks every line of every text file.
pub(super) fn check(tree: &Tree) -> Findings {
    let mut findings = Findings::of("machine");
    for (path, text) in tree.texts() {
        for (index, line) in text.lines().enumerate() {
            if let Some(found) = PATHS.iter().find(|pattern| has_path(line, pattern)) {
                findings.add(
                    path,
                    index + 1,
                    format!("a path of one machine, below {found}"),
                    "write it relative to the workspace, or take it from the environment",
                );
            }
            if let Some(found) = HOSTS.iter().find(|host| line.contains(**host)) {
                findings.add(
                    path,
                    index + 1,
                    format!("the host of a package registry, {found}"),
                    "name the package and let the package manager find it",
                );
            }
        }
    }
    findings
}

/// Whether the line has an absolute path that begins so, not one that only has it in its middle.
fn has_path(line: &str, pattern: &str) -> bool {
    let part_of_name = |character: char| character.is_alphanumeric() || "_-.".contains(character);
    line.match_indices(pattern).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().last());
        let after = line
            .get(at + pattern.len()..)
            .and_then(|after| after.chars().next());
        let begins = !before.is_some_and(|before| part_of_name(before) || "/~}*".contains(before));
        let ends = if pattern.ends_with('/') {
            after.is_some_and(part_of_name)
        } else {
            !after.is_some_and(part_of_name)
        };
        begins && ends
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        let findings = check(&Tree::of(&[("a.md", text)]));
        findings.list.into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn paths_of_a_machine_are_found_wherever_they_stand() {
        for (index, path) in PATHS.iter().enumerate() {
            let path = path.trim_end_matches('/');
            let text = format!("{path}/a\nsee `{path}/a`\nA={path}/a\n(\"{path}/.a\")\n");
            assert_eq!(lines(&text), [1, 2, 3, 4], "{index}");
        }
    }

    #[test]
    fn like_paths_of_every_machine_pass() {
        for path in PATHS {
            let path = path.trim_end_matches('/');
            let text = format!("a{path}/a\n{path}ing/a\n/usr{path}/a\nhttps://example.invalid{path}/a\n");
            assert_eq!(lines(&text), [0; 0]);
        }
        let home = PATHS.get(2).unwrap();
        let text = format!("HOME={}\ncd {home}\n", home.trim_end_matches('/'));
        assert_eq!(lines(&text), [0; 0]);
    }

    #[test]
    fn hosts_of_registries_are_found_and_other_hosts_pass() {
        let mut text = String::from("https://example.invalid/softboot\nhttps://crates.io/crates/serde\n");
        for host in HOSTS {
            text.push_str(&format!("https://{host}/a\n"));
        }
        let expected: Vec<usize> = (3..3 + HOSTS.len()).collect();
        assert_eq!(lines(&text), expected);
    }
}
