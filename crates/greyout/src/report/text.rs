//! Text of a terminal: columns, colours, and nothing that a file could put in to steer it.

use std::ffi::OsStr;

/// Widest line.
pub(super) const WIDTH: usize = 80;

/// What a piece of text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// A heading.
    Bold,
    /// Better.
    Good,
    /// Lost attempts, longer.
    Bad,
    /// Less important.
    Faint,
}

/// Puts colours on text, or does not.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    on: bool,
}

impl Paint {
    /// With colours on a terminal, unless `NO_COLOR` is set to something (no-color.org) or the terminal is dumb.
    pub fn choose(terminal: bool, no_color: Option<&OsStr>, term: Option<&OsStr>) -> Paint {
        let refused = no_color.is_some_and(|value| !value.is_empty());
        Paint {
            on: terminal && !refused && term.is_none_or(|term| term != "dumb"),
        }
    }

    /// Without colours.
    pub fn off() -> Paint {
        Paint { on: false }
    }

    pub(super) fn tone(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Bold => "1",
            Tone::Good => "32",
            Tone::Bad => "1;31",
            Tone::Faint => "2",
        };
        if self.on && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Without characters that a terminal obeys.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// Exactly so wide: padded at the end, or cut with an ellipsis.
pub(super) fn fit(text: &str, width: usize) -> String {
    let text = clean(text);
    let count = text.chars().count();
    if count <= width {
        return format!("{text:<width$}");
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    kept + "…"
}

/// Lines of at most [`WIDTH`], broken at spaces, after `before` spaces in the first and `indent` in the later ones. A
/// longer word stands alone.
pub(super) fn wrap(text: &str, before: usize, indent: usize) -> String {
    let text = clean(text);
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(format!("{:before$}{word}", "")),
            Some(_) => lines.push(format!("{:indent$}{word}", "")),
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_that_want_them() {
        let coloured = |terminal, no_color: Option<&str>, term: Option<&str>| {
            Paint::choose(terminal, no_color.map(OsStr::new), term.map(OsStr::new)).on
        };
        assert!(coloured(true, None, Some("xterm")));
        assert!(coloured(true, Some(""), None));
        assert!(!coloured(false, None, Some("xterm")));
        assert!(!coloured(true, Some("1"), Some("xterm")));
        assert!(!coloured(true, None, Some("dumb")));
    }

    #[test]
    fn a_name_from_a_file_cannot_steer_the_terminal_or_break_the_table() {
        assert_eq!(fit("a\x1b[2Jb", 8), "a\u{fffd}[2Jb  ");
        assert_eq!(fit("a-very-long-name", 8), "a-very-…");
    }

    #[test]
    fn lines_end_before_the_edge() {
        let text = "word ".repeat(60);
        assert!(
            wrap(&text, 2, 4)
                .lines()
                .all(|line| line.chars().count() <= WIDTH)
        );
    }
}
