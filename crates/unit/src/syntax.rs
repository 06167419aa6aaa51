//! From text to assignments (semantics 5.3).

use crate::model::{Diagnostic, Severity};

/// The longest logical line, in bytes.
const MAX_LINE: usize = 1 << 20;

/// One `Key=Value` in its section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) section: String,
    pub(crate) key: String,
    pub(crate) value: String,
    /// Of its first line, from 1.
    pub(crate) line: u32,
}

/// A file's assignments, and what is wrong with its form.
pub(crate) fn parse(file: &str, bytes: &[u8]) -> (Vec<Assignment>, Vec<Diagnostic>) {
    let text = String::from_utf8_lossy(bytes);
    let mut parser = Parser {
        file,
        section: None,
        assignments: Vec::new(),
        diagnostics: Vec::new(),
    };
    if let std::borrow::Cow::Owned(_) = text {
        parser.warn(0, "the file is not UTF-8; what is not was replaced".to_owned());
    }
    let mut logical: Option<(u32, String)> = None;
    for (number, line) in (1_u32..).zip(text.lines()) {
        let trimmed = line.trim();
        let is_comment = trimmed.starts_with(['#', ';']);
        // Comments may stand between the lines that a backslash joins; they end nothing.
        if is_comment {
            continue;
        }
        let (start, mut joined) = logical.take().unwrap_or((number, String::new()));
        match line.strip_suffix('\\') {
            Some(head) => {
                joined.push_str(head);
                joined.push(' ');
                if joined.len() <= MAX_LINE {
                    logical = Some((start, joined));
                } else {
                    parser.warn(
                        start,
                        format!("the line is longer than {MAX_LINE} bytes and is left out"),
                    );
                }
            }
            None => {
                joined.push_str(line);
                parser.line(start, &joined);
            }
        }
    }
    if let Some((start, joined)) = logical {
        parser.line(start, &joined);
    }
    (parser.assignments, parser.diagnostics)
}

struct Parser<'f> {
    file: &'f str,
    /// `None` before the first header; a section that is skipped is empty.
    section: Option<String>,
    assignments: Vec<Assignment>,
    diagnostics: Vec<Diagnostic>,
}

impl Parser<'_> {
    fn warn(&mut self, line: u32, message: String) {
        self.diagnostics.push(Diagnostic {
            severity: Severity::Warning,
            file: self.file.to_owned(),
            line,
            message,
        });
    }

    fn line(&mut self, number: u32, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        if text.len() > MAX_LINE {
            self.warn(
                number,
                format!("the line is longer than {MAX_LINE} bytes and is left out"),
            );
            return;
        }
        if let Some(header) = text.strip_prefix('[') {
            match header.strip_suffix(']') {
                Some(section) => self.section = Some(section.to_owned()),
                None => self.warn(number, format!("a section header ends with ']': {}", shown(text))),
            }
            return;
        }
        let Some((key, value)) = text.split_once('=') else {
            self.warn(
                number,
                format!("neither a section header nor Key=Value: {}", shown(text)),
            );
            return;
        };
        match &self.section {
            Some(section) => self.assignments.push(Assignment {
                section: section.clone(),
                key: key.trim().to_owned(),
                value: value.trim().to_owned(),
                line: number,
            }),
            None => self.warn(
                number,
                format!("{}= stands before the first section header", shown(key.trim())),
            ),
        }
    }
}

/// A text in a message: quoted, not too long.
pub(crate) fn shown(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        format!("{short:?}…")
    } else {
        format!("{short:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(text: &str) -> Vec<(String, String, u32)> {
        parse("f", text.as_bytes())
            .0
            .into_iter()
            .map(|a| (a.key, a.value, a.line))
            .collect()
    }

    #[test]
    fn lines_join_across_comments() {
        let text = "[Unit]\nA = b \\\n# no\n  c\\\n;no\nd\n#x\nE=f\n";
        assert_eq!(
            pairs(text),
            [
                ("A".to_owned(), "b    c d".to_owned(), 2),
                ("E".to_owned(), "f".to_owned(), 8)
            ]
        );
    }

    #[test]
    fn what_has_no_form_is_said_with_its_line() {
        let (_, diagnostics) = parse("/f", b"X=1\n[Unit]\nnonsense\n[Bro\nA=b\n");
        let lines: Vec<u32> = diagnostics.iter().map(|d| d.line).collect();
        assert_eq!(lines, [1, 3, 4]);
        assert_eq!(
            diagnostics.get(1).unwrap().to_string(),
            "/f:3: neither a section header nor Key=Value: \"nonsense\""
        );
    }

    #[test]
    fn a_value_may_have_equals_signs() {
        assert_eq!(
            pairs("[S]\nEnvironment=A=b=c"),
            [("Environment".to_owned(), "A=b=c".to_owned(), 2)]
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse("f", &bytes);
        }
    }
}
