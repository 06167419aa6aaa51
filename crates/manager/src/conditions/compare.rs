//! Comparisons: `>=5.10`, `!= 4`, a pattern.

use std::cmp::Ordering;

use super::glob::matches;

/// Which orders an operator allows.
type Holds = fn(Ordering) -> bool;

/// Operators, longer ones first, so that none is taken for the beginning of another.
const OPERATORS: [(&str, Holds); 8] = [
    ("<=", Ordering::is_le),
    (">=", Ordering::is_ge),
    ("!=", Ordering::is_ne),
    ("<>", Ordering::is_ne),
    ("==", Ordering::is_eq),
    ("<", Ordering::is_lt),
    (">", Ordering::is_gt),
    ("=", Ordering::is_eq),
];

fn operator(text: &str) -> Option<(Holds, &str)> {
    OPERATORS
        .iter()
        .find_map(|(sign, holds)| Some((*holds, text.strip_prefix(sign)?.trim_start())))
}

/// A number against `OP VALUE`; without an operator it is `>=`.
pub(super) fn number(is: u64, argument: &str, read: impl Fn(&str) -> Option<u64>) -> bool {
    let argument = argument.trim();
    let (holds, value) = operator(argument).unwrap_or((Ordering::is_ge, argument));
    read(value).is_some_and(|value| holds(is.cmp(&value)))
}

/// A version against `OP VERSION`, a pattern (`$=` and `!$=` say so), or several of these, all of which must hold.
pub(super) fn version(is: &str, argument: &str) -> bool {
    let mut words = argument.split_whitespace().peekable();
    if words.peek().is_none() {
        return false;
    }
    while let Some(word) = words.next() {
        // The operator may stand alone.
        let joined = if operator(word).is_some_and(|(_, value)| value.is_empty()) {
            format!("{word}{}", words.next().unwrap_or_default())
        } else {
            word.to_owned()
        };
        if !one_version(is, &joined) {
            return false;
        }
    }
    true
}

fn one_version(is: &str, expression: &str) -> bool {
    if let Some(pattern) = expression.strip_prefix("!$=") {
        return !matches(pattern, is);
    }
    if let Some(pattern) = expression.strip_prefix("$=") {
        return matches(pattern, is);
    }
    match operator(expression) {
        Some((holds, value)) => holds(order(is, value)),
        None => matches(expression, is),
    }
}

/// Versions in their order: runs of digits as numbers, other runs as text; `~` is older than nothing
/// (uapi-group, version format).
pub(super) fn order(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one, other);
    loop {
        match (one.starts_with('~'), other.starts_with('~')) {
            (true, false) => return Ordering::Less,
            (false, true) => return Ordering::Greater,
            _ => {}
        }
        if one.is_empty() || other.is_empty() {
            return one.len().cmp(&other.len());
        }
        let digits =
            one.starts_with(|c: char| c.is_ascii_digit()) && other.starts_with(|c: char| c.is_ascii_digit());
        let (a, rest_a) = run(one, digits);
        let (b, rest_b) = run(other, digits);
        let found = if digits {
            let bare = |text: &str| text.trim_start_matches('0').to_owned();
            let (a, b) = (bare(a), bare(b));
            a.len().cmp(&b.len()).then_with(|| a.cmp(&b))
        } else {
            a.cmp(b)
        };
        if found != Ordering::Equal {
            return found;
        }
        (one, other) = (rest_a, rest_b);
    }
}

/// The longest beginning of digits, or of anything else; at least one character.
fn run(text: &str, digits: bool) -> (&str, &str) {
    let first = text.chars().next().map_or(0, char::len_utf8);
    let rest = text.get(first..).unwrap_or_default();
    let end = rest
        .find(|c: char| c.is_ascii_digit() != digits || (!digits && c == '~'))
        .map_or(text.len(), |place| first + place);
    text.split_at_checked(end).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_their_order() {
        for (older, newer) in [
            ("5.9", "5.10"),
            ("5.10", "5.10.1"),
            ("6.1~rc3", "6.1"),
            ("6.1.0-9", "6.1.0-10"),
            ("4", "5"),
            ("5", "5a"),
        ] {
            assert_eq!(order(older, newer), Ordering::Less, "{older} {newer}");
            assert_eq!(order(newer, older), Ordering::Greater, "{older} {newer}");
        }
        assert_eq!(order("6.01", "6.1"), Ordering::Equal);
    }

    #[test]
    fn versions_are_compared_or_matched() {
        let is = "6.1.0-56-cloud-amd64";
        for holds in [
            ">=5.10",
            ">= 6.1",
            "<7",
            "6.1.*",
            "$=*cloud*",
            "!=6.1",
            ">=6 <7",
            "!$=*rt*",
        ] {
            assert!(version(is, holds), "{holds}");
        }
        for fails in ["<6.1", "5.*", ">=6 <6.1", "", "$=*rt*"] {
            assert!(!version(is, fails), "{fails}");
        }
    }

    #[test]
    fn numbers_are_at_least_what_is_asked_for() {
        let read = |text: &str| text.parse().ok();
        for holds in ["4", ">= 4", "<5", "= 4", "!=5", ">3"] {
            assert!(number(4, holds, read), "{holds}");
        }
        for fails in ["5", "<4", "x", ""] {
            assert!(!number(4, fails, read), "{fails}");
        }
    }
}
