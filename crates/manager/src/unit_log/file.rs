//! The files: `UNIT.log`, and `UNIT.log.1` with what came before. Together at most twice the cap.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

use softboot_unit::{UnitName, Usec};

use crate::paths;

/// A file of this size is moved aside.
const CAP: u64 = 1024 * 1024;
/// A tail never reads more than this from the end of a file.
const TAIL_MAX: u64 = 512 * 1024;

/// One line as a client gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// CLOCK_MONOTONIC when PID 1 read it.
    pub(crate) time: Usec,
    /// What was written.
    pub(crate) text: String,
}

fn path(unit: &UnitName) -> PathBuf {
    PathBuf::from(paths::LOGS).join(format!("{unit}.log"))
}

fn old_path(unit: &UnitName) -> PathBuf {
    PathBuf::from(paths::LOGS).join(format!("{unit}.log.1"))
}

/// Adds lines, each as `MICROSECONDS TEXT`.
pub(crate) fn append(unit: &UnitName, time: Usec, lines: &[String]) -> io::Result<()> {
    let path = path(unit);
    let mut file = OpenOptions::new().append(true).create(true).open(&path)?;
    if file.metadata()?.len() >= CAP {
        fs::rename(&path, old_path(unit))?;
        file = OpenOptions::new().append(true).create(true).open(&path)?;
    }
    let mut text = String::new();
    for line in lines {
        text.push_str(&time.0.to_string());
        text.push(' ');
        text.push_str(line);
        text.push('\n');
    }
    file.write_all(text.as_bytes())
}

/// Where the log ends now; a follower starts here.
pub(crate) fn end(unit: &UnitName) -> u64 {
    fs::metadata(path(unit)).map_or(0, |meta| meta.len())
}

/// The last `count` lines.
pub(crate) fn tail(unit: &UnitName, count: usize) -> Vec<Line> {
    let mut lines = read_from(&path(unit), None);
    if lines.len() < count {
        let mut older = read_from(&old_path(unit), None);
        older.append(&mut lines);
        lines = older;
    }
    lines.split_off(lines.len().saturating_sub(count))
}

/// The lines after `position`, and where they end. A file that was moved aside is read from its start.
pub(crate) fn since(unit: &UnitName, position: u64) -> (Vec<Line>, u64) {
    let end = end(unit);
    let start = if end < position { 0 } else { position };
    (read_from(&path(unit), Some(start)), end)
}

fn read_from(path: &PathBuf, start: Option<u64>) -> Vec<Line> {
    let Ok(mut file) = fs::File::open(path) else {
        return Vec::new();
    };
    let length = file.metadata().map_or(0, |meta| meta.len());
    let earliest = length.saturating_sub(TAIL_MAX);
    let from = start.unwrap_or(earliest).max(earliest);
    let mut bytes = Vec::new();
    if file.seek(SeekFrom::Start(from)).is_err() || file.take(TAIL_MAX).read_to_end(&mut bytes).is_err() {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    let cut = from > 0 && start != Some(from);
    text.lines().skip(usize::from(cut)).filter_map(parse).collect()
}

fn parse(line: &str) -> Option<Line> {
    let (time, text) = line.split_once(' ')?;
    Some(Line {
        time: Usec(time.parse().ok()?),
        text: text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_keeps_its_time_and_its_spaces() {
        assert_eq!(
            parse("12  a b"),
            Some(Line {
                time: Usec(12),
                text: " a b".to_owned()
            })
        );
        assert_eq!(parse("torn"), None);
        assert_eq!(parse("x y"), None);
    }
}
