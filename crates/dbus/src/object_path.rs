//! Object paths of units and jobs (semantics 8.1).
//!
//! A path element of D-Bus has only letters, digits and `_` (D-Bus specification, "Valid Object Paths"). A unit's name
//! becomes one by escaping its bytes: each that is no ASCII letter or digit is `_` and two lower-case hex digits, also
//! a digit at the beginning; the empty name is `_`.

use std::fmt::Write as _;

/// The manager's path.
pub const MANAGER: &str = "/org/freedesktop/systemd1";
const UNIT: &str = "/org/freedesktop/systemd1/unit/";
const JOB: &str = "/org/freedesktop/systemd1/job/";

/// A name as one element of a path.
pub fn escape(name: &str) -> String {
    if name.is_empty() {
        return "_".to_owned();
    }
    let mut element = String::with_capacity(name.len());
    for (position, byte) in name.bytes().enumerate() {
        if byte.is_ascii_alphabetic() || (byte.is_ascii_digit() && position > 0) {
            element.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            let _ = write!(element, "_{byte:02x}");
        }
    }
    element
}

/// The name that an element stands for; `None` where [`escape`] makes no such element.
pub fn unescape(element: &str) -> Option<String> {
    if element == "_" {
        return Some(String::new());
    }
    let mut name = Vec::with_capacity(element.len());
    let mut bytes = element.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'_' => name.push(hex_digit(bytes.next()?)? * 16 + hex_digit(bytes.next()?)?),
            other => name.push(other),
        }
    }
    let name = String::from_utf8(name).ok()?;
    // One name has one path: an element that escapes more or less than the rule is no unit's.
    (escape(&name) == element).then_some(name)
}

/// The path of a unit.
pub fn of_unit(name: &str) -> String {
    format!("{UNIT}{}", escape(name))
}

/// The unit's name in a path; `None` where the path is no unit's.
pub fn unit_of(path: &str) -> Option<String> {
    unescape(path.strip_prefix(UNIT)?)
}

/// The path of a job.
pub fn of_job(id: u32) -> String {
    format!("{JOB}{id}")
}

/// The job's number in a path; `None` where the path is no job's.
pub fn job_of(path: &str) -> Option<u32> {
    let digits = path.strip_prefix(JOB)?;
    let id = digits.parse().ok()?;
    // `+7` and `007` are numbers to the parser, but not paths that were given out.
    (of_job(id) == path).then_some(id)
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_but_letters_and_digits_is_escaped() {
        assert_eq!(
            of_unit("dbus.service"),
            "/org/freedesktop/systemd1/unit/dbus_2eservice"
        );
        assert_eq!(escape("getty@tty1.service"), "getty_40tty1_2eservice");
        assert_eq!(escape("a_b-c\\x2d.mount"), "a_5fb_2dc_5cx2d_2emount");
        assert_eq!(escape("é"), "_c3_a9");
    }

    #[test]
    fn a_digit_at_the_beginning_and_the_empty_name_are_escaped() {
        assert_eq!(escape("3proxy.service"), "_33proxy_2eservice");
        assert_eq!(escape(""), "_");
    }

    #[test]
    fn a_path_gives_its_name_back() {
        for name in [
            "",
            "a.service",
            "0",
            "_",
            "a@b:c-\\x2f.slice",
            "ü.target",
            "-.mount",
        ] {
            assert_eq!(unit_of(&of_unit(name)).as_deref(), Some(name));
        }
    }

    #[test]
    fn one_name_has_one_path() {
        for element in ["", "a.b", "3a", "_61", "_2E", "_2", "_zz", "_ff", "a_", "a/b"] {
            assert_eq!(unescape(element), None, "{element:?}");
        }
        assert_eq!(unit_of("/org/freedesktop/systemd1/job/1"), None);
    }

    #[test]
    fn a_job_path_is_its_number() {
        assert_eq!(of_job(42), "/org/freedesktop/systemd1/job/42");
        assert_eq!(job_of(&of_job(u32::MAX)), Some(u32::MAX));
        for path in [
            "/org/freedesktop/systemd1/job/",
            "/org/freedesktop/systemd1/job/007",
            "/job/1",
        ] {
            assert_eq!(job_of(path), None, "{path}");
        }
        assert_eq!(job_of("/org/freedesktop/systemd1/job/+7"), None);
        assert_eq!(job_of("/org/freedesktop/systemd1/job/4294967296"), None);
    }
}
