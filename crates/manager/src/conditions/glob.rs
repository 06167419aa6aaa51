//! Patterns as of glob(7): `*`, `?`, `[a-z]`, `[!x]`.

use std::fs;
use std::path::{Path, PathBuf};

/// Whether the whole text is as the pattern says. Takes time in proportion to both lengths.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut place) = (0, 0);
    // Where to go on if what follows the last star does not fit.
    let mut retry: Option<(usize, usize)> = None;
    while let Some(character) = text.get(place) {
        match one(pattern.get(at..).unwrap_or_default(), *character) {
            Step::Star => {
                at += 1;
                retry = Some((at, place));
            }
            Step::Fits(length) => {
                at += length;
                place += 1;
            }
            Step::Differs => match retry {
                Some((after, from)) => {
                    at = after;
                    place = from + 1;
                    retry = Some((after, place));
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|c| *c == '*')
}

enum Step {
    Star,
    /// This many characters of the pattern stand for the character.
    Fits(usize),
    Differs,
}

fn one(pattern: &[char], character: char) -> Step {
    match pattern {
        ['*', ..] => Step::Star,
        ['?', ..] => Step::Fits(1),
        ['\\', escaped, ..] if *escaped == character => Step::Fits(2),
        ['\\', _, ..] => Step::Differs,
        ['[', rest @ ..] => match class(rest, character) {
            Some((true, length)) => Step::Fits(length + 1),
            Some((false, _)) => Step::Differs,
            None if character == '[' => Step::Fits(1),
            None => Step::Differs,
        },
        [first, ..] if *first == character => Step::Fits(1),
        _ => Step::Differs,
    }
}

/// Whether the character is in the class, and how long the class is up to its bracket; `None` if it has none.
fn class(rest: &[char], character: char) -> Option<(bool, usize)> {
    let negated = matches!(rest.first(), Some('!' | '^'));
    let begin = usize::from(negated);
    // A bracket in the first place stands for itself.
    let end = rest.iter().skip(begin + 1).position(|c| *c == ']')? + begin + 1;
    let members = rest.get(begin..end)?;
    let mut found = false;
    let mut members = members.iter().peekable();
    while let Some(first) = members.next() {
        let mut last = first;
        let mut ahead = members.clone();
        if ahead.next() == Some(&'-')
            && let Some(end) = ahead.next()
        {
            last = end;
            members = ahead;
        }
        found |= (*first..=*last).contains(&character);
    }
    Some((found != negated, end + 1))
}

/// Whether any path is as the pattern says. A leading dot has to be asked for.
pub(super) fn any_path(pattern: &str) -> bool {
    let mut found = vec![PathBuf::from("/")];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        found = if part.contains(['*', '?', '[']) {
            found
                .iter()
                .flat_map(|directory| children(directory, part))
                .collect()
        } else {
            found
                .into_iter()
                .map(|directory| directory.join(part))
                .filter(|path| path.symlink_metadata().is_ok())
                .collect()
        };
    }
    !found.is_empty()
}

fn children(directory: &Path, pattern: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            (pattern.starts_with('.') || !name.starts_with('.')) && matches(pattern, &name)
        })
        .map(|entry| entry.path())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_glob_7_says() {
        for (pattern, text) in [
            ("*", ""),
            ("a*c", "abbc"),
            ("a?c", "abc"),
            ("[a-c]x", "bx"),
            ("[!a-c]x", "dx"),
            ("[]x]", "]"),
            ("*.service", "a.b.service"),
            (r"a\*", "a*"),
            ("a*b*c", "axbxbxc"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("a", "ab"),
            ("?", ""),
            ("[a-c]", "d"),
            ("a*c", "ab"),
            (r"a\*", "ab"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        assert!(!matches(&"*a".repeat(200), &"a".repeat(100)));
    }

    #[test]
    fn paths_are_found_by_pattern() {
        assert!(any_path("/proc/self/stat*"));
        assert!(any_path("/pr?c/[s]elf"));
        assert!(!any_path("/proc/self/no-such*"));
        assert!(!any_path("/no-such-directory/*"));
    }
}
