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
    let mut size = file.metadata()?.len();
    let mut text = String::new();
    for line in lines {
        let line = format!("{} {line}\n", time.0);
        let added = (text.len() + line.len()) as u64;
        if size + added > CAP && size + text.len() as u64 > 0 {
            file.write_all(text.as_bytes())?;
            fs::rename(&path, old_path(unit))?;
            file = OpenOptions::new().append(true).create(true).open(&path)?;
            (size, text) = (0, String::new());
        }
        text.push_str(&line);
    }
    file.write_all(text.as_bytes())
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
    let Ok(mut file) = fs::File::open(path) else {
        return Vec::new();
    };
    let from = file.metadata().map_or(0, |meta| meta.len()).saturating_sub(most);
    let mut bytes = Vec::new();
    if file.seek(SeekFrom::Start(from)).is_err() || file.take(most).read_to_end(&mut bytes).is_err() {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    // The first is cut off somewhere.
    text.lines()
        .skip(usize::from(from > 0))
        .filter_map(parse)
        .collect()
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
