//! The kernel's mount table as text: proc_pid_mountinfo(5).

use std::fs;
use std::path::PathBuf;

/// The own one.
pub(crate) const TABLE: &str = "/proc/self/mountinfo";

/// A line of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MountLine {
    /// The mount's number, as in statx(2) and in /proc/PID/fdinfo.
    pub(crate) id: u64,
    /// Where it is, as seen from the reader's root.
    pub(crate) point: PathBuf,
    /// The file system's type.
    pub(crate) kind: String,
}

/// What is mounted now, in the order of mounting as far as the kernel keeps it: who is mounted on another comes later.
pub(crate) fn read() -> Vec<MountLine> {
    parse(&fs::read_to_string(TABLE).unwrap_or_default())
}

/// The lines that can be understood.
pub(crate) fn parse(table: &str) -> Vec<MountLine> {
    table.lines().filter_map(line).collect()
}

fn line(line: &str) -> Option<MountLine> {
    let mut fields = line.split_whitespace();
    let id = fields.next()?.parse().ok()?;
    let point = fields.nth(3)?;
    let kind = line.split_once(" - ")?.1.split_whitespace().next()?;
    Some(MountLine {
        id,
        point: PathBuf::from(unescape(point)),
        kind: kind.to_owned(),
    })
}

/// `\040` and friends: a backslash and three octal digits stand for one byte.
fn unescape(text: &str) -> std::ffi::OsString {
    use std::os::unix::ffi::OsStringExt as _;
    let mut parts = text.split('\\');
    let mut out = parts.next().unwrap_or("").as_bytes().to_vec();
    for part in parts {
        let value = part
            .get(..3)
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match value {
            Some(value) => {
                out.push(value);
                out.extend(part.bytes().skip(3));
            }
            None => {
                out.push(b'\\');
                out.extend(part.bytes());
            }
        }
    }
    std::ffi::OsString::from_vec(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_gives_number_place_and_type() {
        let table = "36 35 98:0 /mnt1 /a\\040b rw,noatime master:1 - ext3 /dev/root rw\ngarbage\n";
        let wanted = MountLine {
            id: 36,
            point: "/a b".into(),
            kind: "ext3".to_owned(),
        };
        assert_eq!(parse(table), [wanted]);
    }

    #[test]
    fn what_is_no_escape_stays() {
        assert_eq!(unescape(r"/x\y\134z"), r"/x\y\z");
    }
}
