//! What is wrong with a unit, where, and how it is shown.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A mistake or an unsupported setting, with its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The file.
    pub file: String,
    /// Line number, from 1; 0 when the whole file is meant.
    pub line: u32,
    /// What is wrong, what was expected, and a suggestion where there is one.
    pub message: String,
    /// The columns that are meant, in characters from 1, the second one past the end.
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
    pub columns: Option<(u32, u32)>,
    /// The line's text, cut when it is very long.
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
    pub text: String,
    /// The setting that is meant, without section.
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
    pub setting: Option<String>,
    /// The setting would restrict what the unit's processes can do, and does not: a status must say so.
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
    pub security: bool,
}

impl Diagnostic {
    /// About a whole file, or a line of it.
    pub(crate) fn new(severity: Severity, file: &str, line: u32, message: String) -> Diagnostic {
        Diagnostic {
            severity,
            file: file.to_owned(),
            line,
            message,
            columns: None,
            text: String::new(),
            setting: None,
            security: false,
        }
    }

    fn tints(&self, colour: bool) -> Tints {
        let (bold, tint, blue, reset) = match (colour, self.severity) {
            (false, _) => ("", "", "", ""),
            (true, Severity::Error) => ("\x1b[1m", "\x1b[1;31m", "\x1b[34m", "\x1b[0m"),
            (true, Severity::Warning) => ("\x1b[1m", "\x1b[1;33m", "\x1b[34m", "\x1b[0m"),
            (true, Severity::Unsupported) => ("\x1b[1m", "\x1b[1;36m", "\x1b[34m", "\x1b[0m"),
        };
        Tints {
            bold,
            tint,
            blue,
            reset,
        }
    }

    /// Several lines as a compiler shows them: what, where, the line, and carets below what is meant.
    pub fn render(&self, colour: bool) -> String {
        let Tints {
            bold,
            tint,
            blue,
            reset,
        } = self.tints(colour);
        let word = match (self.severity, self.security) {
            (_, true) => "not enforced (security)",
            (Severity::Error, _) => "error",
            (Severity::Warning, _) => "warning",
            (Severity::Unsupported, _) => "not enforced",
        };
        let mut out = format!("{tint}{word}{reset}{bold}: {}{reset}\n", printable(&self.message));
        let place = match (self.line, self.columns) {
            (0, _) => self.file.clone(),
            (line, None) => format!("{}:{line}", self.file),
            (line, Some((from, _))) => format!("{}:{line}:{from}", self.file),
        };
        let number = self.line.to_string();
        let indent = " ".repeat(number.len());
        out.push_str(&format!("{indent}{blue}-->{reset} {}\n", printable(&place)));
        if self.line != 0 && !self.text.is_empty() {
            out.push_str(&format!("{indent} {blue}|{reset}\n"));
        }
        out.push_str(&self.excerpt(colour));
        out
    }

    /// The line, and carets below what is meant; nothing where no line is known.
    pub fn excerpt(&self, colour: bool) -> String {
        if self.line == 0 || self.text.is_empty() {
            return String::new();
        }
        let Tints {
            tint, blue, reset, ..
        } = self.tints(colour);
        let number = self.line.to_string();
        let indent = " ".repeat(number.len());
        let mut out = String::new();
        out.push_str(&format!("{blue}{number} |{reset} {}\n", printable(&self.text)));
        if let Some((from, to)) = self.columns {
            let before = usize::try_from(from.saturating_sub(1)).unwrap_or(0);
            let width = usize::try_from(to.saturating_sub(from)).unwrap_or(1);
            let room = self.text.chars().count().saturating_sub(before).max(1);
            let carets = "^".repeat(width.clamp(1, room));
            let spaces = " ".repeat(before);
            out.push_str(&format!(
                "{indent} {blue}|{reset} {spaces}{tint}{carets}{reset}\n"
            ));
        }
        out
    }
}

/// What sets parts of a diagnostic off, for a terminal.
struct Tints {
    bold: &'static str,
    tint: &'static str,
    blue: &'static str,
    reset: &'static str,
}

/// Every control character, tabs among them, as one space: one column stays one column, and a file cannot write to
/// the terminal.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.message),
            line => write!(f, "{}:{}: {}", self.file, line, self.message),
        }
    }
}

/// How bad a [`Diagnostic`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Understood, but nothing acts on it yet.
    Unsupported,
    /// The line was ignored.
    Warning,
    /// The unit cannot be used.
    Error,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Diagnostic {
        Diagnostic {
            columns: Some((1, 6)),
            text: "Wnats=a.service".to_owned(),
            ..Diagnostic::new(
                Severity::Warning,
                "/etc/a.service",
                3,
                "unknown setting".to_owned(),
            )
        }
    }

    #[test]
    fn carets_stand_below_what_is_meant() {
        assert_eq!(
            example().render(false),
            "warning: unknown setting\n --> /etc/a.service:3:1\n  |\n3 | Wnats=a.service\n  | ^^^^^\n"
        );
    }

    #[test]
    fn a_file_cannot_write_to_the_terminal() {
        let mut hostile = example();
        hostile.text = "\x1b[2J\tX".to_owned();
        hostile.columns = Some((90, 4_000_000_000));
        let shown = hostile.render(false);
        assert!(!shown.contains('\x1b') && !shown.contains('\t'), "{shown:?}");
        assert!(shown.len() < 400);
        assert!(hostile.render(true).contains("\x1b[1;33m"));
    }

    #[test]
    fn what_an_older_program_wrote_is_read() {
        let old = r#"{"severity":"warning","file":"f","line":1,"message":"m"}"#;
        let read: Diagnostic = serde_json::from_str(old).unwrap();
        assert_eq!(read, Diagnostic::new(Severity::Warning, "f", 1, "m".to_owned()));
    }
}
