//! The tracked files, read once, so that rules are pure functions of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::exit::Failure;

/// Every tracked path; with its text, where it is a regular file of UTF-8.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, Option<String>>,
}

impl Tree {
    /// What git tracks below `root`. A file deleted but still tracked is left out.
    pub(crate) fn read(root: &Path) -> Result<Self, Failure> {
        let output = Command::new("git")
            .arg("-C")
            .arg(root)
            .args(["ls-files", "-z"])
            .output()
            .map_err(|error| Failure::host("listing the tracked files with git", error))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(Failure::host(
                "listing the tracked files with git (the rules need a git checkout)",
                said.trim(),
            ));
        }
        let mut files = BTreeMap::new();
        for path in output
            .stdout
            .split(|byte| *byte == 0)
            .filter(|path| !path.is_empty())
        {
            let path = String::from_utf8(path.to_vec())
                .map_err(|error| Failure::host("reading the name of a tracked file", error))?;
            if let Some(text) = text(&root.join(&path))? {
                files.insert(path, text);
            }
        }
        Ok(Self { files })
    }

    /// All paths, sorted.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// A file's text.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path)?.as_deref()
    }

    /// The text files whose name ends so.
    pub(crate) fn ending(&self, suffix: &str) -> impl Iterator<Item = (&str, &str)> {
        self.texts().filter(move |(path, _)| path.ends_with(suffix))
    }

    /// All text files.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .filter_map(|(path, text)| Some((path.as_str(), text.as_deref()?)))
    }

    /// Whether the path is a tracked file, or a directory with one in it. Empty is the top.
    pub(crate) fn holds(&self, path: &str) -> bool {
        let below = format!("{path}/");
        path.is_empty()
            || self.files.contains_key(path)
            || self
                .files
                .range(below.clone()..)
                .next()
                .is_some_and(|(first, _)| first.starts_with(&below))
    }

    /// A tree out of thin air.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        Self {
            files: files
                .iter()
                .map(|(path, text)| ((*path).to_owned(), Some((*text).to_owned())))
                .collect(),
        }
    }
}

/// The outer option: whether it exists; the inner: whether it is text. Links are not followed, their
/// targets are in other systems than this one.
fn text(path: &Path) -> Result<Option<Option<String>>, Failure> {
    let reading = |error| Failure::host(&format!("reading {}", path.display()), error);
    match path.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(reading(error)),
        Ok(metadata) if metadata.is_file() => {
            let bytes = std::fs::read(path).map_err(reading)?;
            Ok(Some(String::from_utf8(bytes).ok()))
        }
        Ok(_) => Ok(Some(None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_held_if_it_has_a_tracked_file() {
        let tree = Tree::of(&[("docs/a.md", ""), ("docs-old", "")]);
        assert!(tree.holds("docs") && tree.holds("docs/a.md") && tree.holds(""));
        assert!(!tree.holds("doc") && !tree.holds("docs/b.md") && !tree.holds("docs-old/x"));
    }

    #[test]
    fn only_what_git_tracks_is_read_and_links_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let git = |arguments: &[&str]| {
            let status = Command::new("git")
                .arg("-C")
                .arg(dir.path())
                .args(arguments)
                .status();
            assert!(status.unwrap().success(), "git {arguments:?}");
        };
        git(&["init", "--quiet"]);
        for name in ["kept", "deleted", "stray"] {
            std::fs::write(dir.path().join(name), name).unwrap();
        }
        std::os::unix::fs::symlink("/nowhere/at/all", dir.path().join("link")).unwrap();
        git(&["add", "kept", "deleted", "link"]);
        std::fs::remove_file(dir.path().join("deleted")).unwrap();
        let tree = Tree::read(dir.path()).unwrap();
        assert_eq!(tree.paths().collect::<Vec<_>>(), ["kept", "link"]);
        assert_eq!((tree.text("kept"), tree.text("link")), (Some("kept"), None));
    }

    #[test]
    fn outside_of_a_checkout_the_failure_says_that_one_is_needed() {
        let dir = tempfile::tempdir().unwrap();
        let failure = Tree::read(dir.path()).unwrap_err().to_string();
        assert!(failure.contains("git checkout"), "{failure}");
    }
}
