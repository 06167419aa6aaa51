//! Patterns over descriptor names.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A pattern: `*` stands for any text, `?` for one character, everything else for itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pattern(String);

impl Pattern {
    /// Every text is a pattern.
    pub fn new(text: &str) -> Pattern {
        Pattern(text.to_owned())
    }

    /// Whether the whole name fits. Takes at most pattern times name steps, whatever the pattern is.
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut at, mut seen) = (0_usize, 0_usize);
        // Where to go on when the text after the last star does not fit: one character more is the star's.
        let mut back: Option<(usize, usize)> = None;
        while let Some(byte) = name.get(seen) {
            match pattern.get(at) {
                Some(b'*') => {
                    back = Some((at.saturating_add(1), seen));
                    at = at.saturating_add(1);
                    continue;
                }
                Some(wanted) if *wanted == b'?' || wanted == byte => {
                    at = at.saturating_add(1);
                    seen = seen.saturating_add(1);
                    continue;
                }
                _ => {}
            }
            let Some((after, from)) = back else { return false };
            at = after;
            seen = from.saturating_add(1);
            back = Some((after, seen));
        }
        pattern.get(at..).unwrap_or(&[]).iter().all(|byte| *byte == b'*')
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_match_whole_names() {
        let cases = [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "anything", true),
            ("web-*", "web-", true),
            ("web-*", "web-1", true),
            ("web-*", "aweb-1", false),
            ("*-*-x", "a-b-c-x", true),
            ("*-*-x", "a-x", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("**a**", "a", true),
            ("a*b", "ab-", false),
            ("[a]", "a", false),
        ];
        for (pattern, name, fits) in cases {
            assert_eq!(Pattern::new(pattern).matches(name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn a_hostile_pattern_ends_soon() {
        let pattern = Pattern::new(&"*a".repeat(100));
        assert!(!pattern.matches(&"a".repeat(99)));
        assert!(pattern.matches(&"a".repeat(255)));
    }
}
