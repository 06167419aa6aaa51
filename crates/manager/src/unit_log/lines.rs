//! From a stream of bytes to lines.

use serde::{Deserialize, Serialize};

/// A longer line is cut into pieces of this many bytes.
const MAX_LINE: usize = 8 * 1024;

/// The start of a line whose end has not come yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lines {
    partial: Vec<u8>,
}

impl Lines {
    /// Takes more bytes and gives the lines that are complete now, without their ends. What is not UTF-8 is replaced.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut complete = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ended) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            let mut rest = text;
            while self.partial.len() + rest.len() > MAX_LINE {
                let (taken, left) =
                    rest.split_at(MAX_LINE.saturating_sub(self.partial.len()).min(rest.len()));
                self.partial.extend_from_slice(taken);
                complete.push(self.take());
                rest = left;
            }
            self.partial.extend_from_slice(rest);
            if ended {
                complete.push(self.take());
            }
        }
        complete
    }

    /// What is left when no more will come.
    pub(crate) fn finish(mut self) -> Option<String> {
        (!self.partial.is_empty()).then(|| self.take())
    }

    fn take(&mut self) -> String {
        let bytes = std::mem::take(&mut self.partial);
        let text = String::from_utf8_lossy(&bytes);
        text.trim_end_matches('\r')
            .chars()
            .map(|c| {
                if c.is_control() && c != '\t' {
                    '\u{fffd}'
                } else {
                    c
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_however_they_were_written() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(b"one\ntw"), ["one"]);
        assert_eq!(lines.push(b"o\n\nthree"), ["two", ""]);
        assert_eq!(lines.finish(), Some("three".to_owned()));
    }

    #[test]
    fn a_line_without_end_is_cut_and_nothing_is_lost() {
        let mut lines = Lines::default();
        let complete = lines.push(&vec![b'x'; 3 * MAX_LINE + 5]);
        let total: usize = complete.iter().map(String::len).sum();
        assert_eq!(
            total + lines.finish().map_or(0, |rest| rest.len()),
            3 * MAX_LINE + 5
        );
        assert!(complete.iter().all(|line| line.len() <= MAX_LINE));
    }

    #[test]
    fn control_characters_cannot_reach_a_terminal() {
        assert_eq!(
            Lines::default().push(b"a\x1b[31mb\xff\r\n"),
            ["a\u{fffd}[31mb\u{fffd}"]
        );
    }
}
