//! The memory files of a running softbootd.
//!
//! They are found by the links in /proc/PID/fd and opened anew there, so that nothing of the process changes, not even
//! an offset in a file. Which of them belong together the journal says: its first entry has the numbers of what it goes
//! on from.

use std::path::PathBuf;

use serde_json::Value;
use softboot_reexec::inspect::Kind;

use super::{Looked, read};
use crate::error::Error;

/// What a link in /proc/PID/fd to a memory file of softbootd begins with.
const PREFIX: &str = "/memfd:softboot-";
/// A program that has just taken over, and one whose next one is being asked, may have two of a kind for a moment.
const KINDS: [&str; 4] = ["snapshot", "image", "definitions", "journal"];

/// The journal of process `pid` and what it goes on from.
pub(super) fn look_at(pid: i32) -> Result<Vec<Looked>, Error> {
    let files = memory_files(pid)?;
    let mut looked = Vec::new();
    for (descriptor, kind, path) in &files {
        // It may be closed by now.
        let Ok(found) = read(path) else { continue };
        looked.push((*descriptor, *kind, found));
    }
    let base = looked
        .iter()
        .rev()
        .find(|(_, _, found)| found.kind == Kind::Journal)
        .map(|(_, _, found)| numbers(found.values.first()))
        .unwrap_or_default();
    // What is left of an earlier moment says nothing of this one.
    let belongs = |(descriptor, kind, _): &(i32, &str, _)| {
        *kind == "journal" || base.is_empty() || base.contains(&i64::from(*descriptor))
    };
    let looked: Vec<Looked> = looked
        .into_iter()
        .filter(belongs)
        .map(|(descriptor, kind, found)| Looked {
            name: format!("{kind} (descriptor {descriptor} of process {pid})"),
            found,
        })
        .collect();
    if looked.is_empty() {
        return Err(Error::Usage(format!(
            "process {pid} has no journal and no snapshot: is it softbootd?"
        )));
    }
    Ok(looked)
}

/// Descriptor, kind and path of each, in the order of [`KINDS`].
fn memory_files(pid: i32) -> Result<Vec<(i32, &'static str, PathBuf)>, Error> {
    let directory = PathBuf::from(format!("/proc/{pid}/fd"));
    let unreadable = |source| Error::Unreadable {
        path: directory.clone(),
        source,
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&directory).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let (Ok(target), Some(number)) = (
            std::fs::read_link(entry.path()),
            entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<i32>().ok()),
        ) else {
            continue;
        };
        let target = target.to_string_lossy();
        let name = target
            .strip_prefix(PREFIX)
            .map(|rest| rest.trim_end_matches(" (deleted)"));
        if let Some(place) = KINDS.iter().position(|kind| Some(*kind) == name) {
            files.push((place, number, entry.path()));
        }
    }
    files.sort();
    let named = files
        .into_iter()
        .filter_map(|(place, number, path)| Some((number, *KINDS.get(place)?, path)));
    Ok(named.collect())
}

/// The descriptors that the first entry of a journal names.
fn numbers(first: Option<&Value>) -> Vec<i64> {
    let base = first
        .and_then(|record| record.get(0)?.get("begin")?.get("base"))
        .unwrap_or(&Value::Null);
    let snapshot = base.get("snapshot");
    let named = [
        base.get("image"),
        snapshot.and_then(|base| base.get("snapshot")),
        snapshot.and_then(|base| base.get("definitions")),
    ];
    named.into_iter().flatten().filter_map(Value::as_i64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_journal_names_what_it_goes_on_from() {
        let begin = |base: Value| json!([{ "begin": { "manifest": 3, "base": base } }]);
        assert_eq!(numbers(Some(&begin(json!({ "image": 7 })))), [7]);
        let snapshot = json!({ "snapshot": { "snapshot": 4, "definitions": 5, "now": {} } });
        assert_eq!(numbers(Some(&begin(snapshot))), [4, 5]);
        assert!(numbers(Some(&begin(json!("nothing")))).is_empty());
        assert!(numbers(None).is_empty());
    }

    #[test]
    fn another_process_is_told_from_softbootd() {
        let own = i32::try_from(std::process::id()).unwrap();
        let error = look_at(own).unwrap_err().to_string();
        assert!(error.contains("is it softbootd?"), "{error}");
        assert!(look_at(i32::MAX).is_err());
    }
}
