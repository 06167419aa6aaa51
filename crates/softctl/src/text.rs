//! Text from the manager made fit for a terminal.
//!
//! Unit descriptions, status texts, command lines and log lines are written by whoever runs a service. None of it may
//! move the cursor, set colours or turn the reading direction, so everything that is shown goes through here.

use std::fmt::Write as _;

/// Replaces every character that could steer a terminal by a visible escape. A tab becomes a space.
pub(crate) fn clean(text: &str) -> String {
    clean_with(text, " ")
}

/// The same for a log line, which keeps its tabs.
pub(crate) fn clean_line(text: &str) -> String {
    clean_with(text, "\t")
}

/// Escapes what JSON itself lets through: DEL, the C1 controls and the reading direction. Outside of strings JSON
/// has none of them, so the value stays the same.
pub(crate) fn clean_json(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && steers(c) {
            // All of them are in the basic plane.
            let _ = write!(safe, "\\u{:04x}", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    safe
}

fn clean_with(text: &str, tab: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => safe.push_str(tab),
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            c if u32::from(c) < 0x80 && steers(c) => {
                let _ = write!(safe, "\\x{:02x}", u32::from(c));
            }
            c if steers(c) => {
                let _ = write!(safe, "\\u{{{:x}}}", u32::from(c));
            }
            c => safe.push(c),
        }
    }
    safe
}

/// C0, DEL, C1, line separators, and the invisible characters that turn the reading direction.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Where a text that is too long loses characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// At its end.
    End,
    /// In its middle; the type of a unit stays readable.
    Middle,
}

/// At most `width` columns of `text`; `…` stands for what is missing.
pub(crate) fn truncate(text: &str, width: usize, cut: Cut) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let Some(room) = width.checked_sub(1) else {
        return String::new();
    };
    let tail_room = if cut == Cut::Middle { room / 2 } else { 0 };
    let head = fitting(text.chars(), room - tail_room);
    let tail = fitting(text.chars().rev(), tail_room);
    head.chars().chain(['…']).chain(tail.chars().rev()).collect()
}

/// The first characters that fit into `room` columns.
fn fitting(chars: impl Iterator<Item = char>, room: usize) -> String {
    let mut used = 0;
    chars
        .take_while(|c| {
            used += columns_of(*c);
            used <= room
        })
        .collect()
}

/// Columns that a text takes on a terminal.
pub(crate) fn columns(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

/// Two for East Asian wide characters and emoji, none for the common combining marks, else one. By blocks, not by
/// the whole of Unicode's tables: an error moves a column of a table, no more.
fn columns_of(c: char) -> usize {
    match u32::from(c) {
        0x0300..=0x036f | 0x20d0..=0x20ff | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff => 2,
        0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1faff | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_becomes_visible() {
        assert_eq!(clean("a\x1b[31mb"), "a\\x1b[31mb");
        assert_eq!(clean("\u{9b}2J\u{7f}\r\n"), "\\u{9b}2J\\x7f\\r\\n");
        assert_eq!(clean("evil\u{202e}txt"), "evil\\u{202e}txt");
        assert_eq!(clean("Größe ✓ 漢"), "Größe ✓ 漢");
    }

    #[test]
    fn only_a_log_line_keeps_its_tabs() {
        assert_eq!(clean("a\tb"), "a b");
        assert_eq!(clean_line("a\tb\x07"), "a\tb\\x07");
    }

    #[test]
    fn json_means_the_same_after_escaping() {
        let value = serde_json::json!({ "a": "x\u{9b}31m\u{7f}\u{202e}\n", "b": [1] });
        let text = clean_json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(!text.chars().any(|c| c != '\n' && steers(c)));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn a_long_text_keeps_its_width_and_says_that_it_was_cut() {
        assert_eq!(truncate("abcdefgh", 5, Cut::End), "abcd…");
        assert_eq!(truncate("abcdefgh.socket", 9, Cut::Middle), "abcd…cket");
        assert_eq!(truncate("abc", 3, Cut::End), "abc");
        assert_eq!(truncate("äöüß", 3, Cut::End), "äö…");
        assert_eq!(truncate("abc", 1, Cut::Middle), "…");
        assert_eq!(truncate("abc", 0, Cut::End), "");
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(columns("漢字e\u{301}"), 5);
        assert_eq!(truncate("漢字漢字", 6, Cut::End), "漢字…");
        assert_eq!(truncate("漢字漢字", 5, Cut::Middle), "漢…字");
    }
}
