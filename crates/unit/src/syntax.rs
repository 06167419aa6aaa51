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
    /// Where it stands, for messages.
    place: Place,
}

/// Where the parts of a logical line come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Place {
    /// Offset in the logical line and number of each line that was joined; every one starts at its first column.
    pieces: Vec<(usize, u32)>,
    /// Offset of the key in the logical line.
    key: usize,
    /// Offset of the value.
    value: usize,
}

impl Assignment {
    /// Where `word` stands in the value, or the whole of it.
    pub(crate) fn locate(&self, word: Option<&str>, source: &Source<'_>) -> Span {
        let found = word
            .filter(|word| !word.is_empty())
            .and_then(|word| Some((self.value.find(word)?, word.len())));
        let (at, length) = found.unwrap_or((0, self.value.len()));
        self.place
            .span(self.place.value.saturating_add(at), length, source)
    }

    /// Where the key stands.
    pub(crate) fn locate_key(&self, source: &Source<'_>) -> Span {
        self.place.span(self.place.key, self.key.len(), source)
    }
}

impl Place {
    /// `length` bytes at an offset of the logical line, as far as they are on one line.
    fn span(&self, offset: usize, length: usize, source: &Source<'_>) -> Span {
        let after = self.pieces.partition_point(|(start, _)| *start <= offset);
        let Some((start, line)) = after.checked_sub(1).and_then(|last| self.pieces.get(last)) else {
            return Span::default();
        };
        let text = source.line(*line);
        let from = offset.saturating_sub(*start).min(text.len());
        let to = from.saturating_add(length.max(1)).min(text.len()).max(from);
        let columns = |bytes: usize| {
            let count = text.get(..bytes).unwrap_or(text).chars().count();
            u32::try_from(count).unwrap_or(u32::MAX).saturating_add(1)
        };
        Span {
            line: *line,
            columns: Some((columns(from), columns(to).max(columns(from).saturating_add(1)))),
        }
    }
}

/// A place in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) line: u32,
    pub(crate) columns: Option<(u32, u32)>,
}

/// A file's lines, to be quoted in messages.
pub(crate) struct Source<'t> {
    file: &'t str,
    lines: Vec<&'t str>,
}

/// A quoted line has at most so many characters.
const MAX_QUOTED: usize = 400;

impl<'t> Source<'t> {
    fn new(file: &'t str, text: &'t str) -> Source<'t> {
        Source {
            file,
            lines: text.lines().collect(),
        }
    }

    fn line(&self, number: u32) -> &'t str {
        let index = number
            .checked_sub(1)
            .and_then(|index| usize::try_from(index).ok());
        index
            .and_then(|index| self.lines.get(index))
            .copied()
            .unwrap_or("")
    }

    /// A message about a place.
    pub(crate) fn diagnostic(&self, severity: Severity, span: Span, message: String) -> Diagnostic {
        Diagnostic {
            columns: span.columns,
            text: self.line(span.line).chars().take(MAX_QUOTED).collect(),
            ..Diagnostic::new(severity, self.file, span.line, message)
        }
    }
}

/// A file's assignments, and what is wrong with its form.
#[cfg(test)]
fn parse(file: &str, bytes: &[u8]) -> (Vec<Assignment>, Vec<Diagnostic>) {
    let mut all = Vec::new();
    let mut diagnostics = Vec::new();
    read(file, bytes, &mut diagnostics, |assignment, _, _| {
        all.push(assignment)
    });
    (all, diagnostics)
}

/// Hands every assignment of a file to `each`, in file order, with the file's lines and the list for its mistakes.
pub(crate) fn read(
    file: &str,
    bytes: &[u8],
    diagnostics: &mut Vec<Diagnostic>,
    each: impl FnMut(Assignment, &Source<'_>, &mut Vec<Diagnostic>),
) {
    let text = String::from_utf8_lossy(bytes);
    if let std::borrow::Cow::Owned(_) = text {
        let message = "the file is not UTF-8; what is not was replaced".to_owned();
        diagnostics.push(Diagnostic::new(Severity::Warning, file, 0, message));
    }
    let source = Source::new(file, &text);
    let mut parser = Parser {
        source: &source,
        section: None,
        diagnostics,
        each,
    };
    let mut logical: Option<(Vec<(usize, u32)>, String)> = None;
    for (number, line) in (1_u32..).zip(text.lines()) {
        // Comments may stand between the lines that a backslash joins; they end nothing.
        if line.trim_start().starts_with(['#', ';']) {
            continue;
        }
        let (mut pieces, mut joined) = logical.take().unwrap_or_default();
        let room = joined.len() <= MAX_LINE;
        if room {
            pieces.push((joined.len(), number));
        }
        match line.strip_suffix('\\') {
            Some(head) => {
                // What is too long is read to its end, so that its rest is not taken for lines of their own.
                if room {
                    joined.push_str(head);
                    joined.push(' ');
                }
                logical = Some((pieces, joined));
            }
            None => {
                if room {
                    joined.push_str(line);
                }
                parser.line(pieces, &joined);
            }
        }
    }
    if let Some((pieces, joined)) = logical {
        parser.line(pieces, &joined);
    }
}

struct Parser<'p, 't, E> {
    source: &'p Source<'t>,
    /// `None` before the first header.
    section: Option<String>,
    diagnostics: &'p mut Vec<Diagnostic>,
    each: E,
}

impl<E: FnMut(Assignment, &Source<'_>, &mut Vec<Diagnostic>)> Parser<'_, '_, E> {
    fn warn(&mut self, place: &Place, length: usize, message: String) {
        let span = place.span(place.key, length, self.source);
        self.diagnostics
            .push(self.source.diagnostic(Severity::Warning, span, message));
    }

    fn line(&mut self, pieces: Vec<(usize, u32)>, whole: &str) {
        let text = whole.trim();
        if text.is_empty() {
            return;
        }
        let mut place = Place {
            pieces,
            key: whole.len().saturating_sub(whole.trim_start().len()),
            value: 0,
        };
        if whole.len() > MAX_LINE {
            let message = format!("the line is longer than {MAX_LINE} bytes and is left out");
            self.warn(&place, 1, message);
            return;
        }
        if let Some(header) = text.strip_prefix('[') {
            match header.strip_suffix(']') {
                Some(section) => self.section = Some(section.to_owned()),
                None => {
                    let message = format!("a section header ends with ']': {}", shown(text));
                    self.warn(&place, text.len(), message);
                }
            }
            return;
        }
        let Some((key, value)) = text.split_once('=') else {
            let message = format!("neither a section header nor Key=Value: {}", shown(text));
            self.warn(&place, text.len(), message);
            return;
        };
        let skipped = value.len().saturating_sub(value.trim_start().len());
        place.value = [place.key, key.len(), 1, skipped].into_iter().sum();
        match &self.section {
            Some(section) => {
                let assignment = Assignment {
                    section: section.clone(),
                    key: key.trim().to_owned(),
                    value: value.trim().to_owned(),
                    line: place.pieces.first().map_or(0, |(_, line)| *line),
                    place,
                };
                (self.each)(assignment, self.source, self.diagnostics);
            }
            None => {
                let message = format!("{}= stands before the first section header", shown(key.trim()));
                self.warn(&place, key.len(), message);
            }
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
    fn words_are_found_on_the_line_where_they_stand() {
        let text = "[S]\n  Key = one \\\n# between\n  two\u{e9} three\n";
        let mut spans = Vec::new();
        read("f", text.as_bytes(), &mut Vec::new(), |assignment, source, _| {
            spans.push(assignment.locate_key(source));
            spans.push(assignment.locate(Some("one"), source));
            spans.push(assignment.locate(Some("three"), source));
            spans.push(assignment.locate(Some("absent"), source));
        });
        let shown: Vec<_> = spans
            .iter()
            .map(|span| (span.line, span.columns.unwrap()))
            .collect();
        assert_eq!(shown, [(2, (3, 6)), (2, (9, 12)), (4, (8, 13)), (2, (9, 14))]);
    }

    #[test]
    fn a_line_that_is_too_long_is_left_out_whole() {
        let piece = "x".repeat(1 << 17);
        let mut text = "[S]\nA=".to_owned();
        for _ in 0..16 {
            text.push_str(&piece);
            text.push_str("\\\n");
        }
        text.push_str("Evil=1\nB=2\n");
        assert_eq!(pairs(&text), [("B".to_owned(), "2".to_owned(), 19)]);
        assert_eq!(parse("f", text.as_bytes()).1.len(), 1);
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
