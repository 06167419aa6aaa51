//! The files: `UNIT.log`, and `UNIT.log.1` with what came before. Together at most twice the cap.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

use softboot_unit::{UnitName, Usec};

use crate::paths;

/// No file grows beyond this size: what would make it larger goes to a new one.
const CAP: u64 = 1024 * 1024;
/// The end of a file that usually has the lines that are asked for.
const TAIL: u64 = 64 * 1024;
/// A follower gets this much at a time; more than the longest line, which is 8 KiB before what is not UTF-8 is replaced.
const STEP: u64 = 64 * 1024;

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

/// Adds lines, each as `MICROSECONDS TEXT`, and says how many bytes that were.
pub(crate) fn append(unit: &UnitName, time: Usec, lines: &[String]) -> io::Result<u64> {
    let path = path(unit);
    let mut file = OpenOptions::new().append(true).create(true).open(&path)?;
    let mut size = file.metadata()?.len();
    let (mut text, mut total) = (String::new(), 0);
    for line in lines {
        let line = format!("{} {line}\n", time.0);
        let length = line.len() as u64;
        if size + length > CAP && size > 0 {
            file.write_all(text.as_bytes())?;
            fs::rename(&path, old_path(unit))?;
            file = OpenOptions::new().append(true).create(true).open(&path)?;
            (size, text) = (0, String::new());
        }
        size += length;
        total += length;
        text.push_str(&line);
    }
    file.write_all(text.as_bytes())?;
    Ok(total)
}

/// What a follower gets next.
pub(crate) struct Next {
    /// Some lines, none when there is nothing new.
    pub(crate) lines: Vec<Line>,
    /// How far behind the end of the log it is with these.
    pub(crate) behind: u64,
    /// What it had not read yet was thrown away before these.
    pub(crate) lost: bool,
}

/// The first lines of the last `behind` bytes of the log.
pub(crate) fn next(unit: &UnitName, behind: u64) -> Next {
    let size = |path: &PathBuf| fs::metadata(path).map_or(0, |meta| meta.len());
    let (new, old) = (path(unit), old_path(unit));
    let (new_size, old_size) = (size(&new), size(&old));
    let there = behind.min(new_size + old_size);
    let (file, from) = match there.checked_sub(new_size) {
        None | Some(0) => (&new, new_size - there),
        Some(in_old) => (&old, old_size - in_old),
    };
    let mut bytes = read(file, from, STEP);
    let whole = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    bytes.truncate(whole);
    Next {
        lines: String::from_utf8_lossy(&bytes)
            .lines()
            .filter_map(parse)
            .collect(),
        behind: there.saturating_sub(bytes.len() as u64),
        lost: there < behind,
    }
}

/// The last `count` lines, without a gap between the first and the last of them.
pub(crate) fn tail(unit: &UnitName, count: usize) -> Vec<Line> {
    let mut lines = read_end(&path(unit), TAIL);
    if lines.len() < count {
        lines = read_end(&path(unit), CAP);
    }
    if lines.len() < count {
        let mut older = read_end(&old_path(unit), CAP);
        older.append(&mut lines);
        lines = older;
    }
    lines.split_off(lines.len().saturating_sub(count))
}

/// The lines in the last `most` bytes.
fn read_end(path: &PathBuf, most: u64) -> Vec<Line> {
    let from = fs::metadata(path)
        .map_or(0, |meta| meta.len())
        .saturating_sub(most);
    let bytes = read(path, from, most);
    let text = String::from_utf8_lossy(&bytes);
    // The first is cut off somewhere.
    text.lines()
        .skip(usize::from(from > 0))
        .filter_map(parse)
        .collect()
}

/// At most `most` bytes from here on; nothing where there is no file.
fn read(path: &PathBuf, from: u64, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|mut file| {
        file.seek(SeekFrom::Start(from))?;
        file.take(most).read_to_end(&mut bytes)
    });
    // Part of a file is no part of a log.
    read.map_or_else(|_| Vec::new(), |_| bytes)
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
