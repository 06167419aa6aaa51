//! "Did you mean", and name patterns.

/// Not more than this many suggestions.
const MAX: usize = 3;

/// Names that are close to `wanted`: few edits away, or with `wanted` inside.
pub fn suggest<'a>(wanted: &str, candidates: impl Iterator<Item = &'a str>) -> Vec<String> {
    let stem = wanted.rsplit_once('.').map_or(wanted, |(stem, _)| stem);
    let limit = (stem.chars().count() / 3).max(1);
    let mut close: Vec<(usize, &str)> = candidates
        .filter_map(|candidate| {
            let candidate_stem = candidate.rsplit_once('.').map_or(candidate, |(stem, _)| stem);
            let edits = distance(stem, candidate_stem);
            let inside = stem.len() >= 3 && candidate_stem.contains(stem);
            (edits <= limit || inside).then_some((edits, candidate))
        })
        .collect();
    close.sort();
    close.dedup();
    close
        .into_iter()
        .take(MAX)
        .map(|(_, name)| name.to_owned())
        .collect()
}

/// Levenshtein distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(i + 1);
        for ((cb, above_left), above) in b.iter().zip(&row).zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or(0);
            next.push((above_left + usize::from(ca != *cb)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

/// `*` and `?` as in a shell; everything else stands for itself. Linear in practice: no backtracking beyond the last
/// star.
pub fn glob_match(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(c) if *c == '?' || Some(c) == text.get(t) => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((after_star, start)) => {
                    retry = Some((after_star, start + 1));
                    (p, t) = (after_star, start + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_mistake_finds_its_unit() {
        let units = ["lighttpd.service", "lighttpd.socket", "survivor.service"];
        assert_eq!(
            suggest("lighttp.service", units.into_iter()),
            ["lighttpd.service", "lighttpd.socket"]
        );
        assert_eq!(
            suggest("light", units.into_iter()),
            ["lighttpd.service", "lighttpd.socket"]
        );
        assert!(suggest("zzz.service", units.into_iter()).is_empty());
    }

    #[test]
    fn distances_are_those_of_the_textbook() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
    }

    #[test]
    fn patterns_match_whole_names() {
        assert!(glob_match("*.socket", "a.socket"));
        assert!(glob_match("a?c*", "abc.service"));
        assert!(glob_match("*a*b*", "xxaxxbxx"));
        assert!(!glob_match("a", "ab"));
        assert!(!glob_match("*.socket", "a.service"));
    }
}
