//! "Did you mean".

/// ` (did you mean X?)` for the closest known word, or nothing.
pub(crate) fn did_you_mean<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> String {
    // A very long word is close to nothing, and comparing it would cost.
    if wrong.len() > 64 {
        return String::new();
    }
    let limit = (wrong.chars().count() / 3).max(1);
    known
        .filter(|candidate| candidate.len().abs_diff(wrong.len()) <= limit)
        .map(|candidate| (edits(wrong, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map_or_else(String::new, |(_, candidate)| {
            format!(" (did you mean {candidate}?)")
        })
}

/// Insertions, deletions, substitutions and swaps of neighbours, without regard to case.
fn edits(a: &str, b: &str) -> usize {
    let (a, b) = (
        a.to_ascii_lowercase().into_bytes(),
        b.to_ascii_lowercase().into_bytes(),
    );
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let at = |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX / 2);
    for (i, ca) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, cb) in b.iter().enumerate() {
            let mut best = (at(&last, j) + usize::from(ca != cb))
                .min(at(&last, j + 1) + 1)
                .min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(cb) && b.get(j - 1) == Some(ca);
            if swapped {
                best = best.min(at(&before_last, j - 1) + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swap_is_one_edit() {
        assert_eq!(edits("Wnats", "Wants"), 1);
        assert_eq!(edits("kitten", "sitting"), 3);
        let known = ["Wants", "Requires", "After"];
        assert_eq!(did_you_mean("Wnats", known.into_iter()), " (did you mean Wants?)");
        assert_eq!(did_you_mean("Frobnicate", known.into_iter()), "");
    }
}
