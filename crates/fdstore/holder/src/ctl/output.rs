//! Where results go.

use std::io::{self, Write as _};

use serde::Serialize;

use super::CtlError;

pub(super) struct Output {
    json: bool,
}

impl Output {
    pub(super) fn new(json: bool) -> Output {
        Output { json }
    }

    /// One result: as JSON, or as the text for people.
    pub(super) fn value(
        &self,
        value: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> Result<(), CtlError> {
        let line = if self.json {
            serde_json::to_string(value).map_err(|error| CtlError::Other(error.to_string()))?
        } else {
            clean(&text())
        };
        self.line(&line)
    }

    fn line(&self, line: &str) -> Result<(), CtlError> {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{line}")
            .and_then(|()| stdout.flush())
            .map_err(CtlError::io("writing the result"))
    }
}

/// Labels and kinds are others' texts: nothing in them reaches the terminal as a command.
fn clean(text: &str) -> String {
    let replace = |c: char| {
        if c.is_control() && c != '\n' {
            '\u{fffd}'
        } else {
            c
        }
    };
    text.chars().map(replace).collect()
}

/// `1 entry`, `2 entries`.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_does_not_command_the_terminal() {
        assert_eq!(clean("a\u{1b}[2J\nb\r"), "a\u{fffd}[2J\nb\u{fffd}");
    }
}
