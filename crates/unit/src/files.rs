//! Where unit files come from.

use std::collections::BTreeMap;
use std::io;

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// Its name.
    pub name: String,
    /// Where it points, if it is a symbolic link.
    pub link_target: Option<String>,
}

/// A file system to load units from. Paths are absolute.
pub trait FileProvider {
    /// The contents of a file, links followed; `None` when there is no such file.
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>>;
    /// The entries of a directory, in any order; none when there is no such directory.
    fn list(&self, directory: &str) -> io::Result<Vec<DirEntry>>;
    /// What is another after any change of a directory's entries; `None` when that cannot be told, and so for a
    /// directory that is not there.
    fn stamp(&self, directory: &str) -> Option<Stamp> {
        let _ = directory;
        None
    }
}

/// Which directory, and when it changed last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Its file system.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
    /// When entries came or went, in seconds and nanoseconds since 1970.
    pub modified: (i64, i64),
    /// When that or its attributes were set, the same.
    pub changed: (i64, i64),
}

/// Files in memory, for tests and simulations.
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles {
    nodes: BTreeMap<String, Node>,
}

#[derive(Clone, Debug)]
enum Node {
    File(Vec<u8>),
    Link(String),
}

impl MemoryFiles {
    /// No files.
    pub fn new() -> MemoryFiles {
        MemoryFiles::default()
    }

    /// Adds a file.
    #[must_use]
    pub fn file(mut self, path: &str, text: &str) -> MemoryFiles {
        self.nodes
            .insert(path.to_owned(), Node::File(text.as_bytes().to_vec()));
        self
    }

    /// Takes a file or link away.
    #[must_use]
    pub fn without(mut self, path: &str) -> MemoryFiles {
        self.nodes.remove(path);
        self
    }

    /// Adds a symbolic link.
    #[must_use]
    pub fn link(mut self, path: &str, target: &str) -> MemoryFiles {
        self.nodes.insert(path.to_owned(), Node::Link(target.to_owned()));
        self
    }
}

impl FileProvider for MemoryFiles {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let mut path = normalize(path);
        for _ in 0..8 {
            match self.nodes.get(&path) {
                None => return Ok(None),
                Some(Node::File(bytes)) => return Ok(Some(bytes.clone())),
                Some(Node::Link(target)) if target.starts_with('/') => path = normalize(target),
                Some(Node::Link(target)) => {
                    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
                    path = normalize(&format!("{parent}/{target}"));
                }
            }
        }
        Err(io::Error::other("too many links"))
    }

    fn list(&self, directory: &str) -> io::Result<Vec<DirEntry>> {
        let prefix = format!("{}/", directory.trim_end_matches('/'));
        let below = self
            .nodes
            .range(prefix.clone()..)
            .take_while(|(path, _)| path.starts_with(&prefix));
        let mut entries: Vec<DirEntry> = Vec::new();
        for (path, node) in below {
            let rest = path.strip_prefix(&prefix).unwrap_or_default();
            let (name, is_here) = rest
                .split_once('/')
                .map_or((rest, true), |(name, _)| (name, false));
            if entries.last().is_some_and(|last| last.name == name) {
                continue;
            }
            let link_target = match node {
                Node::Link(target) if is_here => Some(target.clone()),
                _ => None,
            };
            entries.push(DirEntry {
                name: name.to_owned(),
                link_target,
            });
        }
        Ok(entries)
    }
}

fn normalize(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_and_listed() {
        let files = MemoryFiles::new()
            .file("/a/x", "text")
            .link("/a/d/y", "../x")
            .link("/a/loop", "loop");
        assert_eq!(files.read("/a/d/y").unwrap(), Some(b"text".to_vec()));
        assert_eq!(files.read("/a/none").unwrap(), None);
        assert!(files.read("/a/loop").is_err());
        let names: Vec<_> = files
            .list("/a")
            .unwrap()
            .into_iter()
            .map(|entry| entry.name)
            .collect();
        assert_eq!(names, ["d", "loop", "x"]);
        assert_eq!(
            files
                .list("/a/d")
                .unwrap()
                .first()
                .unwrap()
                .link_target
                .as_deref(),
            Some("../x")
        );
    }
}
